//! Paths: what they name, and the answers that are not about objects.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::{Method, Uri};
use percent_encoding::percent_decode_str;
use serde_json::{Value, json};

use crate::requests::Verb;
use crate::resource::Resource;
use crate::status::Problem;
use crate::store::Store;

/// A request line, taken apart.
#[derive(Debug)]
pub(crate) struct Route {
    pub(crate) verb: Verb,
    pub(crate) path: String,
    pub(crate) query: BTreeMap<String, String>,
    /// `v1/pods`; names nothing the store must know.
    id: String,
    pub(crate) resource: String,
    pub(crate) namespace: String,
    pub(crate) name: String,
    pub(crate) subresource: String,
}

impl Route {
    pub(crate) fn parse(method: &Method, uri: &Uri, store: &Store) -> Self {
        let path = percent_decode_str(uri.path())
            .decode_utf8_lossy()
            .into_owned();
        let query = parse_query(uri.query().unwrap_or_default());
        let parts: Vec<&str> = path.split('/').filter(|p| !p.is_empty()).collect();
        let (api_version, rest) = match parts.as_slice() {
            ["api", version, rest @ ..] => ((*version).to_owned(), rest),
            ["apis", group, version, rest @ ..] => (format!("{group}/{version}"), rest),
            _ => (String::new(), [].as_slice()),
        };
        // `/namespaces/x` is a namespace, `/namespaces/x/pods` are pods in it.
        let (namespace, rest) = match rest {
            ["namespaces", namespace, rest @ ..]
                if rest
                    .first()
                    .is_some_and(|r| !matches!(*r, "status" | "finalize")) =>
            {
                (*namespace, rest)
            }
            _ => ("", rest),
        };
        let at = |i: usize| rest.get(i).copied().unwrap_or_default().to_owned();
        let mut route = Self {
            verb: Verb::Other,
            query,
            id: format!("{api_version}/{}", at(0)),
            resource: at(0),
            namespace: namespace.to_owned(),
            name: at(1),
            subresource: at(2),
            path,
        };
        if route.found(store).is_some() {
            route.verb = route.object_verb(method);
        }
        route
    }

    /// The resource that the path names.
    pub(crate) fn found(&self, store: &Store) -> Option<Arc<Resource>> {
        store.resource(&self.id)
    }

    /// Whether this is a watch that asks for the state first.
    pub(crate) fn asks_initial_events(&self) -> bool {
        let asked = self.query.get("sendInitialEvents");
        self.verb == Verb::Watch && asked.is_some_and(|a| !matches!(a.as_str(), "false" | "0"))
    }

    /// What authorisation says when it refuses this.
    pub(crate) fn forbidden(&self, store: &Store) -> Problem {
        let verb = self.verb.as_str();
        match self.found(store) {
            Some(resource) => Problem::forbidden(
                verb,
                &resource,
                &self.subresource,
                &self.namespace,
                &self.name,
            ),
            None => Problem::forbidden_path(verb, &self.path),
        }
    }

    fn object_verb(&self, method: &Method) -> Verb {
        let watching = self
            .query
            .get("watch")
            .is_some_and(|w| w == "true" || w == "1");
        match *method {
            Method::GET if self.name.is_empty() && watching => Verb::Watch,
            Method::GET if self.name.is_empty() => Verb::List,
            Method::GET => Verb::Get,
            Method::POST if self.name.is_empty() => Verb::Create,
            Method::PUT if !self.name.is_empty() => Verb::Update,
            Method::PATCH if !self.name.is_empty() => Verb::Patch,
            Method::DELETE if !self.name.is_empty() => Verb::Delete,
            _ => Verb::Other,
        }
    }
}

fn parse_query(query: &str) -> BTreeMap<String, String> {
    let decode = |text: &str| {
        let spaced = text.replace('+', " ");
        percent_decode_str(&spaced).decode_utf8_lossy().into_owned()
    };
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .map(|(key, value)| (decode(key), decode(value)))
        .collect()
}

/// Versions, health and discovery.
pub(crate) fn general(path: &str, store: &Store) -> Result<Value, Problem> {
    let parts: Vec<&str> = path.split('/').filter(|p| !p.is_empty()).collect();
    match parts.as_slice() {
        ["version"] => Ok(json!({
            "major": "1", "minor": "33", "gitVersion": "v1.33.0-stand-in",
            "gitCommit": "", "gitTreeState": "clean", "buildDate": "", "goVersion": "",
            "compiler": "", "platform": "linux/amd64",
        })),
        ["healthz" | "readyz" | "livez"] => Ok(Value::String("ok".into())),
        ["api"] => Ok(json!({"kind": "APIVersions", "versions": ["v1"]})),
        ["apis"] => Ok(groups(store)),
        ["api", version] => resource_list(store, version),
        ["apis", group, version] => resource_list(store, &format!("{group}/{version}")),
        _ => Err(Problem::no_such_path()),
    }
}

fn groups(store: &Store) -> Value {
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for resource in store
        .resources()
        .into_iter()
        .filter(|r| !r.group.is_empty())
    {
        let versions = groups.entry(resource.group.clone()).or_default();
        if !versions.contains(&resource.version) {
            versions.push(resource.version.clone());
        }
    }
    let version =
        |group: &str, v: &str| json!({"groupVersion": format!("{group}/{v}"), "version": v});
    let list: Vec<Value> = groups
        .iter()
        .map(|(group, versions)| {
            let all: Vec<Value> = versions.iter().map(|v| version(group, v)).collect();
            json!({"name": group, "preferredVersion": all.first(), "versions": all})
        })
        .collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": list})
}

fn resource_list(store: &Store, api_version: &str) -> Result<Value, Problem> {
    let all = store.resources();
    let here: Vec<Value> = all
        .iter()
        .filter(|r| r.api_version() == api_version)
        .map(|r| {
            json!({
                "name": r.plural, "singularName": r.kind.to_lowercase(), "namespaced": r.namespaced,
                "kind": r.kind,
                "verbs": ["create", "delete", "get", "list", "patch", "update", "watch"],
            })
        })
        .collect();
    if here.is_empty() {
        return Err(Problem::no_such_path());
    }
    Ok(json!({
        "kind": "APIResourceList", "apiVersion": "v1", "groupVersion": api_version,
        "resources": here,
    }))
}
