//! The store together with the registries: what is done with images on the command line.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use crate::archive;
use crate::credentials::Credentials;
use crate::digest::Digest;
use crate::error::ImageError;
use crate::key::{PrivateKey, PublicKey};
use crate::manifest::{self, IMAGE_CONFIG, SIGNATURE, SIMPLE_SIGNING, WASM, WASM_CONFIG};
use crate::obtain::Wanted;
use crate::reference::ImageName;
use crate::registry::Registry;
use crate::signature::{self, Signed};
use crate::store::Store;

/// What images need to know of this machine.
#[derive(Clone, Debug)]
pub struct ImageOptions {
    /// The private folder of what was pulled.
    pub store: PathBuf,
    /// Where credentials of registries are.
    pub credentials: Credentials,
}

/// Images of plugins, in a store and in registries.
#[derive(Debug)]
pub struct Images {
    pub(crate) store: Store,
    pub(crate) credentials: Credentials,
}

/// What a component imports and exports, for the artifact's configuration.
#[derive(Clone, Debug, Default)]
pub struct Interfaces {
    /// Names of imports.
    pub imports: Vec<String>,
    /// Names of exports.
    pub exports: Vec<String>,
}

// === impl Images ===

impl Images {
    /// Opens the store, which is created for this user alone.
    pub fn open(options: ImageOptions) -> Result<Self, ImageError> {
        Ok(Self {
            store: Store::open(&options.store)?,
            credentials: options.credentials,
        })
    }

    /// Pushes a component under a name and returns the digest of its manifest. The store has it
    /// afterwards, too.
    pub async fn push(
        &self,
        wanted: &Wanted,
        component: Vec<u8>,
        interfaces: &Interfaces,
    ) -> Result<Digest, ImageError> {
        let registry = Registry::of(&wanted.image, &self.credentials, wanted.plain_http)?;
        let layer = manifest::descriptor(WASM, &component);
        let config = manifest::wasm_config(
            &Digest::of(&component),
            &interfaces.imports,
            &interfaces.exports,
        );
        let config_part = manifest::descriptor(WASM_CONFIG, &config);
        let list = manifest::manifest(config_part, vec![layer], BTreeMap::new());
        registry.authorize_push().await?;
        for part in [component, config] {
            self.store.put(&part)?;
            registry.push(part).await?;
        }
        self.store.put(&list)?;
        let digest = registry.push_manifest(list).await?;
        self.store.link(&wanted.image, &digest)?;
        Ok(digest)
    }

    /// Signs what a name stands for in its registry, beside the signatures that it has.
    pub async fn sign(&self, wanted: &Wanted, key: &PrivateKey) -> Result<Digest, ImageError> {
        let image = &wanted.image;
        let registry = Registry::of(image, &self.credentials, wanted.plain_http)?;
        // Asked even for a digest: what is not there cannot be signed.
        let digest = registry.resolve().await?;
        let mut signed = self.fetch_signatures(wanted, &digest).await?;
        signed.push(Signed::new(image, &digest, key)?);

        let name = image.signature_of(&digest);
        let registry = Registry::of(&name, &self.credentials, wanted.plain_http)?;
        registry.authorize_push().await?;
        let mut layers = Vec::new();
        for one in signed {
            let mut layer = manifest::descriptor(SIMPLE_SIGNING, &one.payload);
            layer.annotations = Some([(SIGNATURE.to_owned(), one.signature)].into());
            layers.push(layer);
            self.store.put(&one.payload)?;
            registry.push(one.payload).await?;
        }
        let diffs: Vec<_> = layers.iter().map(|it| it.digest.as_str()).collect();
        let config = serde_json::json!({
            "architecture": "", "os": "", "config": {},
            "rootfs": {"type": "layers", "diff_ids": diffs},
        });
        let config = config.to_string().into_bytes();
        let config_part = manifest::descriptor(IMAGE_CONFIG, &config);
        self.store.put(&config)?;
        registry.push(config).await?;
        let list = manifest::manifest(config_part, layers, BTreeMap::new());
        self.store.put(&list)?;
        let pushed = registry.push_manifest(list).await?;
        self.store.link(&name, &pushed)?;
        Ok(digest)
    }

    /// Checks the signatures of what a name stands for, without pulling the component.
    pub async fn check_signature(
        &self,
        wanted: &Wanted,
        keys: &[PublicKey],
    ) -> Result<Digest, ImageError> {
        let registry = Registry::of(&wanted.image, &self.credentials, wanted.plain_http)?;
        let digest = registry.resolve().await?;
        let signed = self.fetch_signatures(wanted, &digest).await?;
        signature::verify(&wanted.image, &digest, &signed, keys)?;
        Ok(digest)
    }

    /// Brings signatures along, so that an archive holds them; returns how many there are.
    pub async fn keep_signatures(
        &self,
        wanted: &Wanted,
        digest: &Digest,
    ) -> Result<usize, ImageError> {
        Ok(self.fetch_signatures(wanted, digest).await?.len())
    }

    /// Writes images of the store, with their signatures, to an archive in the OCI image layout.
    /// Blocks.
    pub fn save(&self, images: &[ImageName], archive: &Path) -> Result<(), ImageError> {
        archive::save(&self.store, images, archive)
    }

    /// Reads an archive into the store and returns the names of its images. Blocks.
    pub fn load(&self, archive: &Path) -> Result<Vec<ImageName>, ImageError> {
        archive::load(&self.store, archive)
    }
}
