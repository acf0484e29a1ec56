//! Signed assertions (RFC 7523) for the grant `jwt-bearer`.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use periplus_config::OAuth2;
use rustls::SignatureScheme;
use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::PrivateKeyDer;
use rustls::pki_types::pem::PemObject;
use serde_json::{Map, Value, json};

use crate::settings::SettingsError;

/// How long an assertion holds, in seconds, as upstream.
const LIFETIME: u64 = 600;

/// An assertion for one request, signed with a PEM key.
pub(super) fn sign(config: &OAuth2, key: &str) -> Result<String, SettingsError> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let now = now.map_or(0, |since| since.as_secs());
    let id = uuid(rand::random());
    sign_at(config, key, now, &id)
}

fn sign_at(config: &OAuth2, key: &str, now: u64, id: &str) -> Result<String, SettingsError> {
    let (algorithm, scheme) = match config.signature_algorithm.as_str() {
        "RS384" => ("RS384", SignatureScheme::RSA_PKCS1_SHA384),
        "RS512" => ("RS512", SignatureScheme::RSA_PKCS1_SHA512),
        _ => ("RS256", SignatureScheme::RSA_PKCS1_SHA256),
    };
    let mut header = Map::new();
    header.insert("alg".to_owned(), algorithm.into());
    header.insert("typ".to_owned(), "JWT".into());
    if !config.client_certificate_key_id.is_empty() {
        let id = config.client_certificate_key_id.as_str();
        header.insert("kid".to_owned(), id.into());
    }
    let claims = claims(config, now, id);
    let signed = format!("{}.{}", encoded(header), encoded(claims));
    let signature = signature(key, scheme, signed.as_bytes())?;
    Ok(format!(
        "{signed}.{}",
        BASE64_URL_SAFE_NO_PAD.encode(signature)
    ))
}

/// Those of the settings win, as upstream.
fn claims(config: &OAuth2, now: u64, id: &str) -> Map<String, Value> {
    let or = |text: &str, other: &str| {
        if text.is_empty() {
            other.to_owned()
        } else {
            text.to_owned()
        }
    };
    let mut claims = Map::new();
    let mut set = |name: &str, value: Value| claims.insert(name.to_owned(), value);
    set("iss", or(&config.iss, &config.client_id).into());
    set("sub", config.client_id.as_str().into());
    set("jti", id.into());
    set(
        "aud",
        or(&config.audience, config.token_url.expose()).into(),
    );
    set("iat", json!(now));
    set("exp", json!(now + LIFETIME));
    if !config.scopes.is_empty() {
        set("scope", config.scopes.join(" ").into());
    }
    claims.extend(config.claims.clone());
    claims
}

fn encoded(object: Map<String, Value>) -> String {
    BASE64_URL_SAFE_NO_PAD.encode(Value::Object(object).to_string())
}

fn signature(key: &str, scheme: SignatureScheme, text: &[u8]) -> Result<Vec<u8>, SettingsError> {
    let invalid = |message: &str| SettingsError::invalid("oauth2.client_certificate_key", message);
    let key = PrivateKeyDer::from_pem_slice(key.as_bytes())
        .map_err(|_| invalid("it is not PEM with a private key"))?;
    let key = any_supported_type(&key)
        .map_err(|_| invalid("it is no RSA key of 2048 to 4096 bits that can sign"))?;
    let signer = key
        .choose_scheme(&[scheme])
        .ok_or_else(|| invalid("it is no RSA key"))?;
    signer
        .sign(text)
        .map_err(|_| invalid("signing with it failed"))
}

/// A random UUID, version 4.
fn uuid(random: u128) -> String {
    let bits = random & !(0xf << 76) & !(0x3 << 62) | (0x4 << 76) | (0x2 << 62);
    let hex = format!("{bits:032x}");
    let parts = [
        &hex[..8],
        &hex[8..12],
        &hex[12..16],
        &hex[16..20],
        &hex[20..],
    ];
    parts.join("-")
}

#[cfg(test)]
mod tests;
