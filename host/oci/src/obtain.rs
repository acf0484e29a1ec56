//! From what the operator wrote to a file that may be loaded.

use std::path::PathBuf;
use std::time::Duration;

use crate::digest::Digest;
use crate::error::ImageError;
use crate::images::Images;
use crate::key::PublicKey;
use crate::manifest::Manifest;
use crate::reference::ImageName;
use crate::registry::Registry;
use crate::signature::{self, Signed};
use crate::store::Store;

/// How often something is tried before it counts as failed.
const ATTEMPTS: u32 = 3;
/// Before the second attempt; the next wait is twice as long.
const PAUSE: Duration = Duration::from_millis(100);

/// When a registry is asked.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum PullPolicy {
    /// At every start and reload, and from time to time, for what a tag means now.
    Always,
    /// When the store does not hold the image.
    #[default]
    IfNotPresent,
    /// Not at all.
    Never,
}

/// What the operator asks for.
#[derive(Clone, Debug)]
pub struct Wanted {
    /// The image.
    pub image: ImageName,
    /// When its registry is asked.
    pub pull: PullPolicy,
    /// Whether it is asked without TLS, although it is not on this machine.
    pub plain_http: bool,
    /// Keys of which one must have signed it; none means that nobody must.
    pub keys: Vec<PublicKey>,
}

/// A component that may be loaded.
#[derive(Debug)]
pub struct Obtained {
    /// Its file. Whoever reads it compares the digest once more.
    pub path: PathBuf,
    /// Digest of the component.
    pub component: Digest,
    /// Digest of the manifest.
    pub manifest: Digest,
    /// Why the registry could not be asked, where what the store holds was taken instead.
    pub stale: Option<ImageError>,
}

// === impl Wanted ===

impl Wanted {
    /// Whether a tag may come to mean something else.
    pub fn may_move(&self) -> bool {
        self.image.digest().is_none() && self.pull == PullPolicy::Always
    }
}

// === impl Images ===

impl Images {
    /// A component whose digests, and signature where keys are given, are right. A registry that
    /// does not answer is no reason to give up what the store holds; a check that fails is.
    pub async fn obtain(&self, wanted: &Wanted) -> Result<Obtained, ImageError> {
        let (digest, stale) = self.meaning(wanted).await?;
        if !wanted.keys.is_empty() {
            self.verify(wanted, &digest).await?;
        }
        let (path, component) = self.component(wanted, &digest).await?;
        // Only now: a tag that moved to something that is not trusted means what it meant before.
        if stale.is_none() {
            self.store.link(&wanted.image, &digest)?;
        }
        Ok(Obtained {
            path,
            component,
            manifest: digest,
            stale,
        })
    }

    /// The digest that the name stands for.
    async fn meaning(&self, wanted: &Wanted) -> Result<(Digest, Option<ImageError>), ImageError> {
        let image = &wanted.image;
        if let Some(digest) = image.digest() {
            return Ok((digest.clone(), None));
        }
        let known = self.store.resolve(image);
        match (wanted.pull, known) {
            (PullPolicy::Never, None) => Err(self.absent(wanted)),
            (PullPolicy::Never | PullPolicy::IfNotPresent, Some(digest)) => Ok((digest, None)),
            (_, known) => {
                let asked = self.again(|| async { self.registry(wanted)?.resolve().await });
                match (asked.await, known) {
                    (Ok(digest), _) => Ok((digest, None)),
                    (Err(error), Some(digest)) => Ok((digest, Some(error))),
                    (Err(error), None) => Err(error),
                }
            }
        }
    }

    /// Checks the signatures of a digest: those in the store, and then the registry's, for they may
    /// have been made later.
    async fn verify(&self, wanted: &Wanted, digest: &Digest) -> Result<(), ImageError> {
        let (image, keys) = (&wanted.image, &wanted.keys);
        let kept = self.kept_signatures(image, digest)?;
        let verdict = signature::verify(image, digest, &kept, keys);
        if verdict.is_ok() || wanted.pull == PullPolicy::Never {
            return verdict;
        }
        match self.fetch_signatures(wanted, digest).await {
            Ok(fetched) => signature::verify(image, digest, &fetched, keys),
            // A signature in the store that is wrong is the graver news.
            Err(error) if kept.is_empty() => Err(error),
            Err(_) => verdict,
        }
    }

    pub(crate) fn kept_signatures(
        &self,
        image: &ImageName,
        digest: &Digest,
    ) -> Result<Vec<Signed>, ImageError> {
        let name = image.signature_of(digest);
        let Some(list) = self.store.resolve(&name) else {
            return Ok(Vec::new());
        };
        let Some(bytes) = self.store.read(&list)? else {
            return Ok(Vec::new());
        };
        let (_, parts) = Manifest::parse(&name.to_string(), &bytes)?.signatures()?;
        let mut signed = Vec::new();
        for (part, signature) in parts {
            if let Some(payload) = self.store.read(&part.digest)? {
                signed.push(Signed { payload, signature });
            }
        }
        Ok(signed)
    }

    /// Fetches the signatures of a digest into the store; none is no error.
    pub(crate) async fn fetch_signatures(
        &self,
        wanted: &Wanted,
        digest: &Digest,
    ) -> Result<Vec<Signed>, ImageError> {
        let list = Wanted {
            image: wanted.image.signature_of(digest),
            ..wanted.clone()
        };
        let registry = self.registry(&list)?;
        let found = self.again(|| registry.resolve()).await;
        let found = match found {
            Err(ImageError::NotFound { .. }) => return Ok(Vec::new()),
            outcome => outcome?,
        };
        let bytes = self.manifest_of(&registry, &found).await?;
        let (config, parts) = Manifest::parse(&list.image.to_string(), &bytes)?.signatures()?;
        for part in std::iter::once(&config).chain(parts.iter().map(|it| &it.0)) {
            self.again(|| registry.part(part, &self.store)).await?;
        }
        self.store.link(&list.image, &found)?;
        self.kept_signatures(&wanted.image, digest)
    }

    /// The manifest and its parts, from the store as far as they are there.
    async fn component(
        &self,
        wanted: &Wanted,
        digest: &Digest,
    ) -> Result<(PathBuf, Digest), ImageError> {
        let shown = wanted.image.to_string();
        let may_pull = wanted.pull != PullPolicy::Never;
        let bytes = match self.store.read(digest)? {
            Some(bytes) => bytes,
            None if may_pull => self.manifest_of(&self.registry(wanted)?, digest).await?,
            None => return Err(self.absent(wanted)),
        };
        let (config, component) = Manifest::parse(&shown, &bytes)?.plugin()?;
        for part in [&config, &component] {
            if self.store.holds(&part.digest)? {
                continue;
            }
            if !may_pull {
                return Err(self.absent(wanted));
            }
            let registry = self.registry(wanted)?;
            self.again(|| registry.part(part, &self.store)).await?;
        }
        Ok((self.store.path(&component.digest), component.digest))
    }

    async fn manifest_of(
        &self,
        registry: &Registry,
        digest: &Digest,
    ) -> Result<Vec<u8>, ImageError> {
        let bytes = self.again(|| registry.manifest(digest)).await?;
        self.store.put(&bytes)?;
        Ok(bytes)
    }

    /// Tries what may have failed by chance a few times.
    async fn again<T, F: Future<Output = Result<T, ImageError>>>(
        &self,
        attempt: impl Fn() -> F,
    ) -> Result<T, ImageError> {
        let mut pause = PAUSE;
        for _ in 1..ATTEMPTS {
            match attempt().await {
                Err(error) if error.is_temporary() => {
                    tracing::debug!(%error, "Trying again");
                    tokio::time::sleep(pause.mul_f64(rand::random_range(0.5..1.0))).await;
                    pause *= 2;
                }
                outcome => return outcome,
            }
        }
        attempt().await
    }

    fn registry(&self, wanted: &Wanted) -> Result<Registry, ImageError> {
        Registry::of(&wanted.image, &self.credentials, wanted.plain_http)
    }

    fn absent(&self, wanted: &Wanted) -> ImageError {
        ImageError::Absent {
            image: wanted.image.to_string(),
            store: Store::directory(&self.store).to_owned(),
        }
    }
}
