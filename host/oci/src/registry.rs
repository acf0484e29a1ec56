//! A registry, asked within bounds of time and size.

use std::time::Duration;

use futures::TryStreamExt;
use oci_client::client::{ClientConfig, ClientProtocol};
use oci_client::errors::{DigestError, OciDistributionError, OciErrorCode};
use oci_client::secrets::RegistryAuth;
use oci_client::{Client, Reference, RegistryOperation};

use crate::credentials::Credentials;
use crate::digest::Digest;
use crate::error::ImageError;
use crate::manifest::{MANIFEST, MAX_MANIFEST, Part};
use crate::reference::ImageName;
use crate::store::{Store, files};

/// For a connection.
const CONNECT: Duration = Duration::from_secs(10);
/// Without a byte.
const SILENCE: Duration = Duration::from_secs(30);
/// For a manifest, or to learn what a tag means.
const SMALL: Duration = Duration::from_secs(30);
/// For a component in one direction.
const LARGE: Duration = Duration::from_mins(5);

/// Access to one image's registry.
pub(crate) struct Registry {
    client: Client,
    auth: RegistryAuth,
    image: ImageName,
}

// === impl Registry ===

impl Registry {
    /// Access with the credentials that there are. HTTP without TLS is for registries on this
    /// machine, and for those that the operator says it of.
    pub(crate) fn of(
        image: &ImageName,
        credentials: &Credentials,
        plain_http: bool,
    ) -> Result<Self, ImageError> {
        let protocol = if plain_http || image.is_loopback() {
            ClientProtocol::Http
        } else {
            ClientProtocol::Https
        };
        let client = Client::try_from(ClientConfig {
            protocol,
            connect_timeout: Some(CONNECT),
            read_timeout: Some(SILENCE),
            user_agent: concat!("periplus/", env!("CARGO_PKG_VERSION")),
            ..ClientConfig::default()
        });
        let client =
            client.map_err(|e| failure(&image.to_string(), "reach the registry of", &e))?;
        Ok(Self {
            client,
            auth: credentials.of_registry(image.registry())?,
            image: image.clone(),
        })
    }

    /// What the tag means now.
    pub(crate) async fn resolve(&self) -> Result<Digest, ImageError> {
        let asked = self
            .client
            .fetch_manifest_digest(self.image.reference(), &self.auth);
        let digest = self.within(SMALL, "look up", asked).await?;
        digest.parse().map_err(|reason| ImageError::Registry {
            image: self.image.to_string(),
            action: "look up",
            reason,
            temporary: false,
        })
    }

    /// The bytes of a manifest, which have the digest.
    pub(crate) async fn manifest(&self, digest: &Digest) -> Result<Vec<u8>, ImageError> {
        let at = self.image.at(digest);
        let asked = self.client.pull_manifest_raw(&at, &self.auth, &[MANIFEST]);
        let (bytes, _) = self.within(SMALL, "pull the manifest of", asked).await?;
        let size = bytes.len() as u64;
        if size > MAX_MANIFEST {
            return Err(self.too_large(size, MAX_MANIFEST));
        }
        let found = Digest::of(&bytes);
        if found != *digest {
            let found = found.to_string();
            return Err(ImageError::digest(
                &at.to_string(),
                "its manifest",
                digest,
                &found,
            ));
        }
        Ok(bytes.to_vec())
    }

    /// Fetches a part into the store, unless it is there.
    pub(crate) async fn part(&self, part: &Part, store: &Store) -> Result<(), ImageError> {
        if store.holds(&part.digest)? {
            return Ok(());
        }
        let pulled = tokio::time::timeout(LARGE, self.pull(part, store)).await;
        pulled.unwrap_or_else(|_| Err(self.slow("pull", LARGE)))
    }

    async fn pull(&self, part: &Part, store: &Store) -> Result<(), ImageError> {
        let image = self.image.to_string();
        // The client asks with credentials only once it was told them, and this call does not.
        self.client
            .store_auth_if_needed(self.image.reference().resolve_registry(), &self.auth)
            .await;
        let asked = self
            .client
            .pull_blob_stream(self.image.reference(), &part.descriptor);
        let mut stream = asked.await.map_err(|e| failure(&image, "pull", &e))?.stream;
        let mut incoming = store.incoming()?;
        loop {
            let next = stream.try_next().await;
            let Some(bytes) = next.map_err(|e| self.broken(part, &e))? else {
                break;
            };
            incoming
                .write(&bytes)
                .map_err(|e| files("write to the store of plugins", store.directory(), e))?;
            if incoming.size() > part.size {
                return Err(self.too_large(incoming.size(), part.size));
            }
        }
        let found = incoming.digest();
        if found != part.digest {
            let found = found.to_string();
            return Err(ImageError::digest(
                &image,
                "a part of it",
                &part.digest,
                &found,
            ));
        }
        store.keep(incoming, &part.digest)
    }

    /// Has the registry say that we may push, before anything is sent.
    pub(crate) async fn authorize_push(&self) -> Result<(), ImageError> {
        let asked = self
            .client
            .auth(self.image.reference(), &self.auth, RegistryOperation::Push);
        self.within(SMALL, "push to", asked).await?;
        Ok(())
    }

    /// Pushes a part, unless the registry has it.
    pub(crate) async fn push(&self, bytes: Vec<u8>) -> Result<(), ImageError> {
        let digest = Digest::of(&bytes).to_string();
        let reference = self.image.reference();
        let there = self.client.blob_exists(reference, &digest);
        if self.within(SMALL, "push to", there).await? {
            return Ok(());
        }
        let pushed = self.client.push_blob(reference, bytes, &digest);
        self.within(LARGE, "push to", pushed).await?;
        Ok(())
    }

    /// Pushes a manifest, after its parts, under the name and as its digest.
    pub(crate) async fn push_manifest(&self, bytes: Vec<u8>) -> Result<Digest, ImageError> {
        let digest = Digest::of(&bytes);
        let to = match self.image.tag() {
            Some(tag) => Reference::with_tag(
                self.image.registry().to_owned(),
                self.image.repository().to_owned(),
                tag.to_owned(),
            ),
            None => self.image.at(&digest),
        };
        let kind = http_value(MANIFEST);
        let pushed = self.client.push_manifest_raw(&to, bytes, kind);
        self.within(SMALL, "push to", pushed).await?;
        Ok(digest)
    }

    async fn within<T>(
        &self,
        time: Duration,
        action: &'static str,
        asked: impl Future<Output = Result<T, OciDistributionError>>,
    ) -> Result<T, ImageError> {
        match tokio::time::timeout(time, asked).await {
            Ok(outcome) => outcome.map_err(|e| failure(&self.image.to_string(), action, &e)),
            Err(_) => Err(self.slow(action, time)),
        }
    }

    fn slow(&self, action: &'static str, time: Duration) -> ImageError {
        ImageError::Registry {
            image: self.image.to_string(),
            action,
            reason: format!("it was not done after {time:?}"),
            temporary: true,
        }
    }

    fn too_large(&self, size: u64, limit: u64) -> ImageError {
        ImageError::TooLarge {
            image: self.image.to_string(),
            size,
            limit,
        }
    }

    /// A transfer that ended: for the wrong content, or because it was cut.
    fn broken(&self, part: &Part, error: &std::io::Error) -> ImageError {
        let image = self.image.to_string();
        let inner = error
            .get_ref()
            .and_then(|it| it.downcast_ref::<DigestError>());
        if let Some(DigestError::VerificationError { actual, .. }) = inner {
            return ImageError::digest(&image, "a part of it", &part.digest, actual);
        }
        ImageError::Registry {
            image,
            action: "pull",
            reason: format!("the transfer was cut: {}", causes(error)),
            temporary: true,
        }
    }
}

fn http_value(text: &'static str) -> http::HeaderValue {
    http::HeaderValue::from_static(text)
}

/// What a registry's answer means for us.
fn failure(image: &str, action: &'static str, error: &OciDistributionError) -> ImageError {
    let image = image.to_owned();
    let failed = |reason: String, temporary| ImageError::Registry {
        image: image.clone(),
        action,
        reason,
        temporary,
    };
    match error {
        OciDistributionError::ImageManifestNotFoundError(_)
        | OciDistributionError::ServerError { code: 404, .. } => ImageError::NotFound { image },
        OciDistributionError::UnauthorizedError { .. } => ImageError::Unauthorized {
            image,
            reason: "it wants other credentials".to_owned(),
        },
        OciDistributionError::AuthenticationFailure(_) => ImageError::Unauthorized {
            image,
            reason: "it gave no token for these credentials".to_owned(),
        },
        OciDistributionError::RegistryError { envelope, .. } => {
            let code = envelope.errors.first().map(|it| &it.code);
            let said: Vec<_> = envelope
                .errors
                .iter()
                .map(|it| it.message.clone())
                .collect();
            match code {
                Some(
                    OciErrorCode::ManifestUnknown
                    | OciErrorCode::NameUnknown
                    | OciErrorCode::BlobUnknown
                    | OciErrorCode::NotFound,
                ) => ImageError::NotFound { image },
                Some(OciErrorCode::Unauthorized | OciErrorCode::Denied) => {
                    ImageError::Unauthorized {
                        image,
                        reason: said.join("; "),
                    }
                }
                code => failed(
                    format!("the registry says: {}", said.join("; ")),
                    matches!(code, Some(OciErrorCode::Toomanyrequests)),
                ),
            }
        }
        OciDistributionError::ServerError { code, .. } => failed(
            format!("the registry answers {code}"),
            *code >= 500 || *code == 429,
        ),
        OciDistributionError::DigestError(DigestError::VerificationError { expected, actual }) => {
            ImageError::Digest {
                image,
                part: "its manifest",
                expected: expected.clone(),
                found: actual.clone(),
            }
        }
        // Before and during the exchange of messages; what was exchanged is covered above.
        OciDistributionError::RequestError(error) => failed(causes(error), !error.is_builder()),
        OciDistributionError::IoError(error) => failed(causes(error), true),
        other => failed(other.to_string(), false),
    }
}

/// An error and what led to it, each once.
fn causes(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        let cause = error.to_string();
        if !text.contains(&cause) {
            text = format!("{text}: {cause}");
        }
        source = error.source();
    }
    text
}
