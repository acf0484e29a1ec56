//! `Accept`: whole objects, or their metadata alone.

use http::HeaderMap;
use http::header::ACCEPT;

use crate::object::{Object, wire};
use crate::requests::Verb;
use crate::resource::Resource;
use crate::status::Problem;

/// `kind` and `apiVersion` of an object that is shown by its metadata alone, as JSON members.
pub(super) const PARTIAL: &str = r#""kind":"PartialObjectMetadata","apiVersion":"meta.k8s.io/v1","#;

/// What of the objects a client wants to see.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum View {
    Whole,
    Metadata,
}

/// One clause of `Accept`.
struct Clause<'a> {
    media_type: &'a str,
    transform: &'a str,
    group: &'a str,
    version: &'a str,
    quality: f32,
}

/// An object as its metadata alone.
pub(super) fn partial(object: &Object) -> Vec<u8> {
    wire(&format!("{{{PARTIAL}"), &object.metadata_json())
}

/// The first thing asked for that this server has.
pub(super) fn view(headers: &HeaderMap, verb: Verb, resource: &Resource) -> Result<View, Problem> {
    let accept = headers.get(ACCEPT).and_then(|v| v.to_str().ok());
    let Some(accept) = accept.filter(|a| !a.trim().is_empty()) else {
        return Ok(View::Whole);
    };
    let mut clauses: Vec<Clause<'_>> = accept.split(',').map(Clause::parse).collect();
    clauses.sort_by(|a, b| b.quality.total_cmp(&a.quality));
    let wanted = clauses.iter().find(|c| c.can_be_served());
    let Some(wanted) = wanted else {
        let message = "only the following media types are accepted: application/json";
        return Err(Problem::new(406, "NotAcceptable", message));
    };
    let lists = verb == Verb::List;
    match wanted.transform {
        "PartialObjectMetadata" if lists => Err(wrong_shape(wanted, "is a list", resource, "List")),
        "PartialObjectMetadataList" if !lists => {
            Err(wrong_shape(wanted, "is not a list", resource, ""))
        }
        "" => Ok(View::Whole),
        _ => Ok(View::Metadata),
    }
}

fn wrong_shape(wanted: &Clause<'_>, what: &str, resource: &Resource, suffix: &str) -> Problem {
    let package = resource.group.split('.').next().filter(|g| !g.is_empty());
    let message = format!(
        "you requested {}, but the requested object {what} (*{}.{}{suffix})",
        wanted.transform,
        package.unwrap_or("core"),
        resource.kind,
    );
    Problem::new(406, "NotAcceptable", message)
}

// === impl Clause ===

impl<'a> Clause<'a> {
    fn parse(text: &'a str) -> Self {
        let mut parts = text.split(';').map(str::trim);
        let mut clause = Self {
            media_type: parts.next().unwrap_or_default(),
            transform: "",
            group: "",
            version: "",
            quality: 1.0,
        };
        for (key, value) in parts.filter_map(|p| p.split_once('=')) {
            match key {
                "as" => clause.transform = value,
                "g" => clause.group = value,
                "v" => clause.version = value,
                "q" => clause.quality = value.parse().unwrap_or(1.0),
                _ => {}
            }
        }
        clause
    }

    fn can_be_served(&self) -> bool {
        let metadata = matches!(
            self.transform,
            "PartialObjectMetadata" | "PartialObjectMetadataList"
        );
        matches!(
            self.media_type,
            "application/json" | "application/*" | "*/*"
        ) && (self.transform.is_empty()
            || (metadata && self.group == "meta.k8s.io" && self.version == "v1"))
    }
}
