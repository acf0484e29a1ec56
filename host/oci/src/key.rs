//! Keys on the curve P-256, as `openssl` and `cosign` write them.

use std::fmt;
use std::path::{Path, PathBuf};

use ring::rand::SystemRandom;
use ring::signature::{
    ECDSA_P256_SHA256_ASN1, ECDSA_P256_SHA256_ASN1_SIGNING, EcdsaKeyPair, UnparsedPublicKey,
};
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{PrivateKeyDer, SubjectPublicKeyInfoDer};
use x509_parser::prelude::FromDer;
use x509_parser::x509::SubjectPublicKeyInfo;

use crate::error::ImageError;

/// Bytes of an uncompressed point: its kind, and two coordinates.
const POINT: usize = 65;

/// A key that signatures are checked with.
#[derive(Clone, PartialEq, Eq)]
pub struct PublicKey {
    path: PathBuf,
    point: Vec<u8>,
}

/// A key to sign with.
pub struct PrivateKey {
    pair: EcdsaKeyPair,
    random: SystemRandom,
    path: PathBuf,
}

// === impl PublicKey ===

impl PublicKey {
    /// Reads a file with a `PUBLIC KEY` in PEM, such as `cosign.pub`.
    pub fn read(path: &Path) -> Result<Self, ImageError> {
        let failed = |reason: String| ImageError::Key {
            path: path.to_owned(),
            reason,
        };
        let text = std::fs::read(path).map_err(|e| failed(e.to_string()))?;
        let der = SubjectPublicKeyInfoDer::from_pem_slice(&text)
            .map_err(|_| failed("it holds no `PUBLIC KEY` in PEM".to_owned()))?;
        let (_, info) = SubjectPublicKeyInfo::from_der(&der)
            .map_err(|_| failed("its content is damaged".to_owned()))?;
        let point = info.subject_public_key.data.to_vec();
        if point.len() != POINT || point[0] != 4 {
            return Err(failed(
                "it is not an ECDSA key on the curve P-256".to_owned(),
            ));
        }
        Ok(Self {
            path: path.to_owned(),
            point,
        })
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whether it made a signature.
    pub(crate) fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &self.point)
            .verify(message, signature)
            .is_ok()
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", self.path.display())
    }
}

// === impl PrivateKey ===

impl PrivateKey {
    /// Reads a file with a `PRIVATE KEY` (PKCS #8) in PEM. Encrypted keys, such as those of
    /// `cosign generate-key-pair`, are refused: nobody is there to be asked for a password.
    pub fn read(path: &Path) -> Result<Self, ImageError> {
        let failed = |reason: &str| ImageError::Key {
            path: path.to_owned(),
            reason: reason.to_owned(),
        };
        let text = std::fs::read(path).map_err(|e| failed(&e.to_string()))?;
        if text.windows(9).any(|it| it == b"ENCRYPTED") {
            return Err(failed(
                "it is encrypted; sign with `cosign sign --key`, or use a key in PKCS #8",
            ));
        }
        let der = PrivateKeyDer::from_pem_slice(&text)
            .map_err(|_| failed("it holds no `PRIVATE KEY` in PEM"))?;
        let PrivateKeyDer::Pkcs8(der) = der else {
            return Err(failed(
                "it is not in PKCS #8; convert it with `openssl pkcs8 -topk8 -nocrypt`",
            ));
        };
        let random = SystemRandom::new();
        let bytes = der.secret_pkcs8_der();
        let pair = EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, bytes, &random)
            .map_err(|_| failed("it is not an ECDSA key on the curve P-256"))?;
        Ok(Self {
            pair,
            random,
            path: path.to_owned(),
        })
    }

    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, ImageError> {
        let signature = self.pair.sign(&self.random, message);
        let signature = signature.map_err(|_| ImageError::Key {
            path: self.path.clone(),
            reason: "signing failed".to_owned(),
        })?;
        Ok(signature.as_ref().to_vec())
    }
}

impl fmt::Debug for PrivateKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PrivateKey({})", self.path.display())
    }
}
