//! `Status` objects, the API's way to say what went wrong.

use http::StatusCode;
use serde_json::{Value, json};

use crate::resource::Resource;

/// An answer that is not what was asked for.
#[derive(Clone, Debug)]
pub(crate) struct Problem {
    pub(crate) code: StatusCode,
    pub(crate) retry_after: Option<u32>,
    pub(crate) status: Value,
}

impl Problem {
    pub(crate) fn new(code: u16, reason: &str, message: impl Into<String>) -> Self {
        Self {
            code: StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR),
            retry_after: None,
            status: json!({
                "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure",
                "message": message.into(), "reason": reason, "code": code,
            }),
        }
    }

    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Self::new(400, "BadRequest", message)
    }

    pub(crate) fn not_found(resource: &Resource, name: &str) -> Self {
        let qualified = resource.qualified();
        Self::new(404, "NotFound", format!("{qualified} \"{name}\" not found")).about(
            &resource.group,
            &resource.plural,
            name,
        )
    }

    pub(crate) fn no_such_path() -> Self {
        Self::new(
            404,
            "NotFound",
            "the server could not find the requested resource",
        )
    }

    pub(crate) fn exists(resource: &Resource, name: &str) -> Self {
        let qualified = resource.qualified();
        let message = format!("{qualified} \"{name}\" already exists");
        Self::new(409, "AlreadyExists", message).about(&resource.group, &resource.plural, name)
    }

    pub(crate) fn conflict(resource: &Resource, name: &str) -> Self {
        let message = format!(
            "Operation cannot be fulfilled on {} \"{name}\": the object has been modified; please \
             apply your changes to the latest version and try again",
            resource.qualified()
        );
        Self::new(409, "Conflict", message).about(&resource.group, &resource.plural, name)
    }

    /// What authorisation says. `subresource` and `name` may be empty, as may the namespace.
    pub(crate) fn forbidden(
        verb: &str,
        resource: &Resource,
        subresource: &str,
        namespace: &str,
        name: &str,
    ) -> Self {
        let Resource { group, plural, .. } = resource;
        let place = if namespace.is_empty() {
            "at the cluster scope".to_owned()
        } else {
            format!("in the namespace \"{namespace}\"")
        };
        let subject = if name.is_empty() {
            resource.qualified()
        } else {
            format!("{} \"{name}\"", resource.qualified())
        };
        let slash = if subresource.is_empty() { "" } else { "/" };
        let message = format!(
            "{subject} is forbidden: User \"stand-in\" cannot {verb} resource \
             \"{plural}{slash}{subresource}\" in API group \"{group}\" {place}"
        );
        Self::new(403, "Forbidden", message).about(group, plural, name)
    }

    /// The same for what is not about objects.
    pub(crate) fn forbidden_path(verb: &str, path: &str) -> Self {
        let message = format!("forbidden: User \"stand-in\" cannot {verb} path \"{path}\"");
        Self::new(403, "Forbidden", message)
    }

    /// A parameter of a list or watch that may not be there; all reasons at once, as the server says them.
    pub(crate) fn invalid_options(reasons: &[String]) -> Self {
        let text = match reasons {
            [one] => one.clone(),
            several => format!("[{}]", several.join(", ")),
        };
        let message = format!("ListOptions.meta.k8s.io \"\" is invalid: {text}");
        Self::new(422, "Invalid", message).about("meta.k8s.io", "ListOptions", "")
    }

    /// Names what it is about; empty names are left out.
    fn about(mut self, group: &str, kind: &str, name: &str) -> Self {
        let details = [("name", name), ("group", group), ("kind", kind)];
        let details = details.into_iter().filter(|(_, value)| !value.is_empty());
        self.status["details"] = details
            .map(|(key, value)| (key.to_owned(), Value::from(value)))
            .collect();
        self
    }

    /// The watch's version lies before what the history still holds.
    pub(crate) fn too_old(asked: u64, oldest: u64) -> Self {
        Self::new(
            410,
            "Expired",
            format!("too old resource version: {asked} ({oldest})"),
        )
    }

    /// The rest of a paged list is gone; `next` continues without consistency, as the API allows.
    pub(crate) fn expired_page(next: &str) -> Self {
        let mut problem = Self::new(
            410,
            "Expired",
            "The provided continue parameter is too old to display a consistent list result. You \
             can start a new list without the continue parameter, or use the continue token in \
             this response to retrieve the remainder of the results. Continuing with the provided \
             token results in an inconsistent list - objects that were created, modified, or \
             deleted between the time the first chunk was returned and now may show up in the list.",
        );
        problem.status["metadata"]["continue"] = next.into();
        problem
    }

    /// The version asked for has not happened yet.
    pub(crate) fn too_new(asked: u64, current: u64) -> Self {
        let message = format!("Timeout: Too large resource version: {asked}, current: {current}");
        let mut problem = Self::new(504, "Timeout", message);
        problem.retry_after = Some(1);
        problem.status["details"] = json!({
            "causes": [{"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}],
            "retryAfterSeconds": 1,
        });
        problem
    }
}
