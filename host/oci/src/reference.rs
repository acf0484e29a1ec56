//! Names of images: registry, repository, and a tag or a digest or both.

use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;

use oci_client::Reference;

use crate::digest::Digest;

/// `REGISTRY/NAME:TAG`, `REGISTRY/NAME@sha256:...` or both. Nothing is assumed that is not written:
/// neither a registry nor a tag.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct ImageName {
    reference: Reference,
    digest: Option<Digest>,
}

// === impl ImageName ===

impl ImageName {
    /// The registry's host, with its port if one is written.
    pub fn registry(&self) -> &str {
        self.reference.registry()
    }

    /// The name within the registry.
    pub fn repository(&self) -> &str {
        self.reference.repository()
    }

    /// The digest of the manifest, if it is written.
    pub fn digest(&self) -> Option<&Digest> {
        self.digest.as_ref()
    }

    /// The tag, if it is written.
    pub fn tag(&self) -> Option<&str> {
        self.reference.tag()
    }

    /// Registry and name alone.
    pub(crate) fn name(&self) -> String {
        format!("{}/{}", self.registry(), self.repository())
    }

    /// Whether the registry is on this machine, where nobody can listen on the way.
    pub(crate) fn is_loopback(&self) -> bool {
        let registry = self.registry();
        let host = registry.rsplit_once(':').map_or(registry, |(host, _)| host);
        let host = host.trim_start_matches('[').trim_end_matches(']');
        host == "localhost" || host.parse::<IpAddr>().is_ok_and(|it| it.is_loopback())
    }

    /// The same image by its digest alone, which cannot move.
    pub(crate) fn at(&self, digest: &Digest) -> Reference {
        let (registry, repository) = (self.registry().to_owned(), self.repository().to_owned());
        Reference::with_digest(registry, repository, digest.to_string())
    }

    /// Where cosign keeps the signatures of a manifest.
    pub(crate) fn signature_of(&self, digest: &Digest) -> Self {
        let (registry, repository) = (self.registry().to_owned(), self.repository().to_owned());
        let tag = format!("sha256-{}.sig", digest.hex());
        Self {
            reference: Reference::with_tag(registry, repository, tag),
            digest: None,
        }
    }

    pub(crate) fn reference(&self) -> &Reference {
        &self.reference
    }
}

impl FromStr for ImageName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let bad = |why: &str| format!("`{text}` is not the name of an image: {why}");
        let (registry, rest) = text
            .split_once('/')
            .ok_or_else(|| bad("write `REGISTRY/NAME:TAG`"))?;
        if registry != "localhost" && !registry.contains(['.', ':']) {
            return Err(bad(
                "it must begin with a registry, such as `registry.example.com/`",
            ));
        }
        let reference: Reference = text.parse().map_err(|e| bad(&format!("{e}")))?;
        let digest = reference.digest().map(str::parse).transpose()?;
        if digest.is_none() && !rest.contains(':') {
            return Err(bad(
                "it needs a tag, such as `:1.2`, or a digest, `@sha256:...`",
            ));
        }
        Ok(Self { reference, digest })
    }
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.reference.fmt(f)
    }
}

impl fmt::Debug for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{self}`")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_says_registry_and_tag_or_digest() {
        let digest = format!("sha256:{}", "a".repeat(64));
        for text in [
            "registry.example.com/plugins/inventory:1.2".to_owned(),
            "localhost/inventory:1".to_owned(),
            format!("127.0.0.1:5000/inventory@{digest}"),
            format!("127.0.0.1:5000/inventory:1@{digest}"),
        ] {
            let name: ImageName = text.parse().unwrap();
            assert_eq!(name.to_string(), text);
        }
    }

    #[test]
    fn what_is_left_out_is_said() {
        for (text, expected) in [
            ("inventory", "write `REGISTRY/NAME:TAG`"),
            ("plugins/inventory:1", "begin with a registry"),
            ("registry.example.com/inventory", "needs a tag"),
            (
                "registry.example.com/Inventory:1",
                "not the name of an image",
            ),
            ("registry.example.com/a:1@sha256:12", "sha256"),
        ] {
            let error = text.parse::<ImageName>().unwrap_err();
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn loopback_is_told_from_names_that_look_like_it() {
        let is = |registry| {
            let name: ImageName = format!("{registry}/a:1").parse().unwrap();
            name.is_loopback()
        };
        assert!(is("localhost:5000") && is("127.8.0.1:5000"));
        assert!(!is("localhost.example.com") && !is("10.0.0.1:5000"));
    }
}
