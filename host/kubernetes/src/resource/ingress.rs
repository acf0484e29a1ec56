//! Ingresses.

use super::filter::AnnotationFilter;
use super::{Kind, ObjectNames, Resource};
use crate::record::{Reader, Record, Writer};
use crate::wire::{Metadata, Text, nullable};

pub(super) static KIND: Kind =
    Kind::builtin("/apis/networking.k8s.io/v1", "ingresses", "ingress");

/// The kind `Ingress`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Ingress {
    left_out: AnnotationFilter,
}

/// What a record holds of an Ingress, besides its metadata.
#[derive(Clone, Copy, Debug)]
pub(crate) struct IngressFields<'a> {
    pub(crate) class: Option<&'a str>,
    routes: Reader<'a>,
}

/// A host with one of its paths, as a record holds it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RouteFields<'a> {
    pub(crate) host: &'a str,
    pub(crate) path: &'a str,
    pub(crate) is_tls: bool,
}

/// An Ingress as read, without what discovery does not need.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(crate) struct IngressWire<'a> {
    #[serde(borrow, deserialize_with = "nullable")]
    metadata: Metadata<'a>,
    #[serde(borrow, deserialize_with = "nullable")]
    spec: IngressSpec<'a>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct IngressSpec<'a> {
    #[serde(borrow)]
    ingress_class_name: Option<Text<'a>>,
    #[serde(borrow, deserialize_with = "nullable")]
    tls: Vec<IngressTls<'a>>,
    #[serde(borrow, deserialize_with = "nullable")]
    rules: Vec<IngressRule<'a>>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct IngressTls<'a> {
    #[serde(borrow, deserialize_with = "nullable")]
    hosts: Vec<Text<'a>>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct IngressRule<'a> {
    #[serde(borrow)]
    host: Text<'a>,
    #[serde(borrow)]
    http: Option<IngressHttp<'a>>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct IngressHttp<'a> {
    #[serde(borrow, deserialize_with = "nullable")]
    paths: Vec<IngressPath<'a>>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct IngressPath<'a> {
    #[serde(borrow)]
    path: Text<'a>,
}

// === impl Ingress ===

impl Ingress {
    /// The kind, with annotations left out.
    pub(crate) fn new(left_out: AnnotationFilter) -> Self {
        Self { left_out }
    }
}

impl Resource for Ingress {
    type Wire<'a> = IngressWire<'a>;

    fn kind(&self) -> &Kind {
        &KIND
    }

    fn names<'w>(&self, wire: &'w IngressWire<'_>) -> ObjectNames<'w> {
        wire.metadata.names()
    }

    fn pack(&self, wire: &IngressWire<'_>, writer: &mut Writer) {
        let IngressWire { metadata, spec } = wire;
        metadata.pack(writer, &self.left_out);
        writer.optional_text(spec.ingress_class_name.as_ref().map(Text::as_str));
        for rule in &spec.rules {
            let host = rule.host.as_str();
            let mut patterns = spec.tls.iter().flat_map(|tls| &tls.hosts);
            let is_tls = patterns.any(|pattern| is_host_of(pattern.as_str(), host));
            let mut route = |path: &str| {
                writer.text(host);
                writer.text(if path.is_empty() { "/" } else { path });
                writer.flag(is_tls);
            };
            match &rule.http {
                // A rule that says nothing of paths has all of them; one that lists none has none.
                None => route(""),
                Some(http) => http.paths.iter().for_each(|path| route(path.path.as_str())),
            }
        }
    }
}

/// Whether `pattern`, a host or `*.` before one, stands for `host`: the wildcard is one label.
fn is_host_of(pattern: &str, host: &str) -> bool {
    if pattern == host {
        return true;
    }
    match (pattern.split_once('.'), host.split_once('.')) {
        (Some(("*", pattern)), Some((_, host))) => pattern == host,
        (None, None) => pattern == "*",
        _ => false,
    }
}

// === impl IngressFields ===

impl<'a> IngressFields<'a> {
    /// What an Ingress's record holds.
    pub(crate) fn of(record: &'a Record) -> Self {
        let mut reader = record.body();
        Self {
            class: reader.optional_text(),
            routes: reader,
        }
    }

    /// Each path of each rule.
    pub(crate) fn routes(&self) -> impl Iterator<Item = RouteFields<'a>> + use<'a> {
        let mut reader = self.routes;
        std::iter::from_fn(move || {
            (!reader.is_empty()).then(|| RouteFields {
                host: reader.text(),
                path: reader.text(),
                is_tls: reader.flag(),
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wildcard_stands_for_one_label() {
        for (pattern, host, expected) in [
            ("example.com", "example.com", true),
            ("example.com", "www.example.com", false),
            ("*.example.com", "www.example.com", true),
            ("*.example.com", "example.com", false),
            ("*.example.com", "a.b.example.com", false),
            ("*.example.com", "www.example.org", false),
            ("w*.example.com", "www.example.com", false),
            ("*.", "a.", true),
            ("*", "localhost", true),
            ("*", "a.b", false),
            ("", "", true),
        ] {
            assert_eq!(is_host_of(pattern, host), expected, "{pattern} {host}");
        }
    }
}
