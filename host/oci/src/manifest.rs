//! Manifests: the CNCF's layout of WebAssembly artifacts, and cosign's of signatures.

use std::collections::BTreeMap;

use oci_client::manifest::{OciDescriptor, OciImageManifest};
use serde_json::json;

use crate::digest::Digest;
use crate::error::ImageError;

/// What manifests are.
pub(crate) const MANIFEST: &str = "application/vnd.oci.image.manifest.v1+json";
/// The configuration of a component.
pub(crate) const WASM_CONFIG: &str = "application/vnd.wasm.config.v0+json";
/// A component.
pub(crate) const WASM: &str = "application/wasm";
/// The configuration of a list of signatures.
pub(crate) const IMAGE_CONFIG: &str = "application/vnd.oci.image.config.v1+json";
/// What was signed.
pub(crate) const SIMPLE_SIGNING: &str = "application/vnd.dev.cosign.simplesigning.v1+json";
/// The signature of a layer, in base64.
pub(crate) const SIGNATURE: &str = "dev.cosignproject.cosign/signature";

/// Bytes of a manifest.
pub(crate) const MAX_MANIFEST: u64 = 4 << 20;
/// Bytes of a configuration or of what was signed.
pub(crate) const MAX_SMALL: u64 = 1 << 20;
/// Bytes of a component; the host's own bound.
pub(crate) const MAX_COMPONENT: u64 = 64 << 20;
/// Signatures of one image.
pub(crate) const MAX_SIGNATURES: usize = 64;

/// A part of an image, its size and digest checked for being such.
#[derive(Clone, Debug)]
pub(crate) struct Part {
    pub(crate) digest: Digest,
    pub(crate) size: u64,
    pub(crate) descriptor: OciDescriptor,
}

/// A manifest whose bytes had the right digest.
#[derive(Debug)]
pub(crate) struct Manifest {
    image: String,
    content: OciImageManifest,
}

// === impl Manifest ===

impl Manifest {
    /// Reads one. The caller has checked its digest.
    pub(crate) fn parse(image: &str, bytes: &[u8]) -> Result<Self, ImageError> {
        let content = serde_json::from_slice(bytes).map_err(|_| ImageError::Layout {
            image: image.to_owned(),
            reason: "its manifest is not that of an image; indexes of several are not supported"
                .to_owned(),
        })?;
        Ok(Self {
            image: image.to_owned(),
            content,
        })
    }

    /// The parts of a plugin: its configuration and its component.
    pub(crate) fn plugin(&self) -> Result<(Part, Part), ImageError> {
        let config = &self.content.config;
        if config.media_type != WASM_CONFIG {
            return Err(self.layout(format!(
                "its configuration is `{}`, but that of a component is `{WASM_CONFIG}`",
                config.media_type
            )));
        }
        let [layer] = self.content.layers.as_slice() else {
            let count = self.content.layers.len();
            return Err(self.layout(format!("it has {count} layers, but a plugin has one")));
        };
        if layer.media_type != WASM {
            return Err(self.layout(format!(
                "its layer is `{}`, but a component is `{WASM}`",
                layer.media_type
            )));
        }
        Ok((
            self.part(config, MAX_SMALL)?,
            self.part(layer, MAX_COMPONENT)?,
        ))
    }

    /// The parts of a list of signatures: its configuration, and each signature with what it signs.
    pub(crate) fn signatures(&self) -> Result<(Part, Vec<(Part, String)>), ImageError> {
        let signed = self.content.layers.iter().filter_map(|layer| {
            let annotations = layer.annotations.as_ref()?;
            let signature = annotations.get(SIGNATURE)?;
            (layer.media_type == SIMPLE_SIGNING).then_some((layer, signature))
        });
        let signed = signed.take(MAX_SIGNATURES).map(|(layer, signature)| {
            let part = self.part(layer, MAX_SMALL)?;
            Ok((part, signature.clone()))
        });
        Ok((
            self.part(&self.content.config, MAX_SMALL)?,
            signed.collect::<Result<_, ImageError>>()?,
        ))
    }

    /// Every part, of whatever kind, for copies.
    pub(crate) fn parts(&self) -> Result<Vec<Part>, ImageError> {
        let all = std::iter::once(&self.content.config).chain(&self.content.layers);
        all.map(|it| self.part(it, MAX_COMPONENT)).collect()
    }

    fn part(&self, descriptor: &OciDescriptor, limit: u64) -> Result<Part, ImageError> {
        let digest = descriptor.digest.parse().map_err(|e| self.layout(e))?;
        let size = u64::try_from(descriptor.size)
            .map_err(|_| self.layout("a part has a size below zero".to_owned()))?;
        if size > limit {
            return Err(ImageError::TooLarge {
                image: self.image.clone(),
                size,
                limit,
            });
        }
        Ok(Part {
            digest,
            size,
            descriptor: descriptor.clone(),
        })
    }

    fn layout(&self, reason: String) -> ImageError {
        ImageError::Layout {
            image: self.image.clone(),
            reason,
        }
    }
}

/// The configuration of a component. Without the time, so that one component has one digest
/// wherever and whenever it is pushed.
pub(crate) fn wasm_config(component: &Digest, imports: &[String], exports: &[String]) -> Vec<u8> {
    let config = json!({
        "created": "1970-01-01T00:00:00Z",
        "architecture": "wasm",
        "os": "wasip2",
        "layerDigests": [component.to_string()],
        "component": {"exports": exports, "imports": imports, "target": null},
    });
    config.to_string().into_bytes()
}

/// A manifest over parts.
pub(crate) fn manifest(
    config: OciDescriptor,
    layers: Vec<OciDescriptor>,
    annotations: BTreeMap<String, String>,
) -> Vec<u8> {
    let manifest = OciImageManifest {
        media_type: Some(MANIFEST.to_owned()),
        config,
        layers,
        annotations: (!annotations.is_empty()).then_some(annotations),
        ..OciImageManifest::default()
    };
    serde_json::to_vec(&manifest).unwrap_or_default()
}

/// What a manifest says of some bytes.
pub(crate) fn descriptor(media_type: &str, bytes: &[u8]) -> OciDescriptor {
    OciDescriptor {
        media_type: media_type.to_owned(),
        digest: Digest::of(bytes).to_string(),
        size: bytes.len() as i64,
        ..OciDescriptor::default()
    }
}
