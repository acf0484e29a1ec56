//! Signatures in cosign's format: what is signed names the digest of a manifest.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use crate::digest::Digest;
use crate::error::ImageError;
use crate::key::{PrivateKey, PublicKey};
use crate::reference::ImageName;

/// What kind of statement it is.
const KIND: &str = "cosign container image signature";

/// A statement with its signature.
#[derive(Debug)]
pub(crate) struct Signed {
    pub(crate) payload: Vec<u8>,
    /// In base64.
    pub(crate) signature: String,
}

// === impl Signed ===

impl Signed {
    /// States that an image has a digest.
    pub(crate) fn new(
        image: &ImageName,
        digest: &Digest,
        key: &PrivateKey,
    ) -> Result<Self, ImageError> {
        let payload = json!({
            "critical": {
                "identity": {"docker-reference": image.name()},
                "image": {"docker-manifest-digest": digest.to_string()},
                "type": KIND,
            },
            "optional": null,
        });
        let payload = payload.to_string().into_bytes();
        let signature = STANDARD.encode(key.sign(&payload)?);
        Ok(Self { payload, signature })
    }

    /// Whether one of the keys signed this very digest. The signature comes first: what nobody
    /// signed is not even parsed.
    fn check(&self, digest: &Digest, keys: &[PublicKey]) -> Result<(), &'static str> {
        let signature = STANDARD.decode(self.signature.trim());
        let signature = signature.map_err(|_| "it is not in base64")?;
        let trusted = keys.iter().any(|it| it.verifies(&self.payload, &signature));
        if !trusted {
            return Err("it was not made with one of the keys, or what was signed was changed");
        }
        let statement: Value =
            serde_json::from_slice(&self.payload).map_err(|_| "what was signed is not JSON")?;
        let critical = &statement["critical"];
        if critical["type"] != KIND {
            return Err("what was signed is not about an image");
        }
        if critical["image"]["docker-manifest-digest"] != digest.to_string() {
            return Err("it was made for another digest");
        }
        Ok(())
    }
}

/// Whether one of these statements makes a digest trusted.
pub(crate) fn verify(
    image: &ImageName,
    digest: &Digest,
    signed: &[Signed],
    keys: &[PublicKey],
) -> Result<(), ImageError> {
    let image = image.at(digest).to_string();
    if signed.is_empty() {
        return Err(ImageError::Unsigned { image });
    }
    let mut reasons = Vec::new();
    for one in signed {
        match one.check(digest, keys) {
            Ok(()) => return Ok(()),
            Err(reason) if reasons.contains(&reason) => {}
            Err(reason) => reasons.push(reason),
        }
    }
    let keys: Vec<_> = keys
        .iter()
        .map(|it| it.path().display().to_string())
        .collect();
    Err(ImageError::Signature {
        image,
        reason: format!("{} (keys: {})", reasons.join("; "), keys.join(", ")),
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384};

    use super::*;

    fn keys(folder: &Path, name: &str) -> (PrivateKey, PublicKey) {
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        let (private, public) = (folder.join(name), folder.join(format!("{name}.pub")));
        std::fs::write(&private, pair.serialize_pem()).unwrap();
        std::fs::write(&public, pair.public_key_pem()).unwrap();
        (
            PrivateKey::read(&private).unwrap(),
            PublicKey::read(&public).unwrap(),
        )
    }

    fn image() -> ImageName {
        "localhost/a:1".parse().unwrap()
    }

    fn refused(signed: Signed, digest: &Digest, keys: &[PublicKey]) -> String {
        let error = verify(&image(), digest, &[signed], keys).unwrap_err();
        error.to_string()
    }

    #[test]
    fn only_the_digest_that_a_trusted_key_signed_is_trusted() {
        let home = tempfile::tempdir().unwrap();
        let (ours, ours_public) = keys(home.path(), "ours");
        let (_, other_public) = keys(home.path(), "other");
        let digest = Digest::of(b"manifest");
        let sign = || Signed::new(&image(), &digest, &ours).unwrap();
        let trusted = [other_public.clone(), ours_public.clone()];
        verify(&image(), &digest, &[sign()], &trusted).unwrap();

        let error = refused(sign(), &digest, &[other_public]);
        assert!(
            error.contains("not made with one of the keys") && error.contains("other.pub"),
            "{error}"
        );
        let error = refused(sign(), &Digest::of(b"another"), &trusted);
        assert!(error.contains("made for another digest"), "{error}");
        let mut changed = sign();
        let last = changed.payload.len() - 2;
        changed.payload[last] ^= 1;
        let error = refused(changed, &digest, &trusted);
        assert!(error.contains("what was signed was changed"), "{error}");
        let garbage = Signed {
            signature: "%".into(),
            ..sign()
        };
        assert!(refused(garbage, &digest, &trusted).contains("base64"));
        let error = verify(&image(), &digest, &[], &trusted).unwrap_err();
        assert!(error.to_string().contains("is not signed"), "{error}");
        // One good signature among others is enough.
        let foreign = Signed::new(&image(), &Digest::of(b"another"), &ours).unwrap();
        verify(&image(), &digest, &[foreign, sign()], &trusted).unwrap();
    }

    #[test]
    fn a_signed_text_that_is_no_statement_counts_for_nothing() {
        let home = tempfile::tempdir().unwrap();
        let (ours, public) = keys(home.path(), "ours");
        let digest = Digest::of(b"manifest");
        for (text, expected) in [("{}", "not about an image"), ("hello", "not JSON")] {
            let signed = Signed {
                payload: text.into(),
                signature: STANDARD.encode(ours.sign(text.as_bytes()).unwrap()),
            };
            let error = refused(signed, &digest, std::slice::from_ref(&public));
            assert!(error.contains(expected), "{error}");
        }
    }

    #[test]
    fn keys_that_cannot_be_used_are_told_apart() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("key");
        let other = KeyPair::generate_for(&PKCS_ECDSA_P384_SHA384).unwrap();
        let said = |content: &str| {
            std::fs::write(&path, content).unwrap();
            (
                PrivateKey::read(&path).unwrap_err().to_string(),
                PublicKey::read(&path).unwrap_err().to_string(),
            )
        };
        assert!(said(&other.serialize_pem()).0.contains("P-256"));
        assert!(said(&other.public_key_pem()).1.contains("P-256"));
        let (private, public) = said("hello");
        assert!(private.contains("`PRIVATE KEY`") && public.contains("`PUBLIC KEY`"));
        let encrypted = "-----BEGIN ENCRYPTED SIGSTORE PRIVATE KEY-----";
        assert!(said(encrypted).0.contains("cosign sign --key"));
    }
}
