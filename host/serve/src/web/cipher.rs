//! Go's names of versions, cipher suites and curves, as far as rustls has them.

use rustls::crypto::{CryptoProvider, SupportedKxGroup, ring};
use rustls::{CipherSuite, SupportedProtocolVersion};

use super::file::TlsServer;

/// What a handshake may agree on.
pub(super) struct Offer {
    pub(super) provider: CryptoProvider,
    pub(super) versions: Vec<&'static SupportedProtocolVersion>,
    pub(super) notes: Vec<String>,
}

/// Suites of Go; those of TLS 1.3 are always on, there as here.
const SUITES: &[(&str, Option<CipherSuite>)] = &[
    (
        "TLS_AES_128_GCM_SHA256",
        Some(CipherSuite::TLS13_AES_128_GCM_SHA256),
    ),
    (
        "TLS_AES_256_GCM_SHA384",
        Some(CipherSuite::TLS13_AES_256_GCM_SHA384),
    ),
    (
        "TLS_CHACHA20_POLY1305_SHA256",
        Some(CipherSuite::TLS13_CHACHA20_POLY1305_SHA256),
    ),
    (
        ECDSA_128,
        Some(CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256),
    ),
    (
        "TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384",
        Some(CipherSuite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384),
    ),
    (
        "TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256",
        Some(CipherSuite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256),
    ),
    (
        RSA_128,
        Some(CipherSuite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256),
    ),
    (
        "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
        Some(CipherSuite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384),
    ),
    (
        "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
        Some(CipherSuite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256),
    ),
    // Known to Go alone: their padding is hard to check in constant time.
    ("TLS_ECDHE_ECDSA_WITH_AES_128_CBC_SHA", None),
    ("TLS_ECDHE_ECDSA_WITH_AES_256_CBC_SHA", None),
    ("TLS_ECDHE_RSA_WITH_AES_128_CBC_SHA", None),
    ("TLS_ECDHE_RSA_WITH_AES_256_CBC_SHA", None),
];
const ECDSA_128: &str = "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256";
const RSA_128: &str = "TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256";

// === impl Offer ===

impl Offer {
    /// Errors are in upstream's words where it has the same check.
    pub(super) fn new(tls: &TlsServer, http2: bool) -> Result<Self, String> {
        let mut notes = Vec::new();
        let versions = versions(tls, &mut notes)?;
        let mut provider = ring::default_provider();
        let suites = tls.cipher_suites.as_deref().unwrap_or_default();
        if !suites.is_empty() {
            let needs_http2 = http2 && versions.contains(&&rustls::version::TLS12);
            let wanted = wanted_suites(suites, needs_http2)?;
            // In our order, whatever that of the file is: so does Go.
            provider
                .cipher_suites
                .retain(|suite| suite.tls13().is_some() || wanted.contains(&suite.suite()));
        }
        let curves = tls.curve_preferences.as_deref().unwrap_or_default();
        if !curves.is_empty() {
            let groups: Result<Vec<_>, _> = curves.iter().map(|name| curve(name)).collect();
            provider.kx_groups = groups?;
        }
        if tls.prefer_server_cipher_suites.is_some() {
            notes.push("prefer_server_cipher_suites has no effect, as upstream".into());
        }
        Ok(Self {
            provider,
            versions,
            notes,
        })
    }
}

fn versions(
    tls: &TlsServer,
    notes: &mut Vec<String>,
) -> Result<Vec<&'static SupportedProtocolVersion>, String> {
    let min = version(tls.min_version.as_deref().unwrap_or("TLS12"))?;
    let max = version(tls.max_version.as_deref().unwrap_or("TLS13"))?;
    if min > max {
        return Err("no supported versions satisfy MinVersion and MaxVersion".into());
    }
    if max < 12 {
        return Err(format!(
            "max_version TLS{max} is not supported: this host speaks TLS12 and TLS13 alone"
        ));
    }
    if min < 12 {
        notes.push(format!(
            "min_version TLS{min} means TLS12: this host speaks nothing older"
        ));
    }
    let all = [(12, &rustls::version::TLS12), (13, &rustls::version::TLS13)];
    let wanted = all.into_iter().filter(|(it, _)| (min..=max).contains(it));
    Ok(wanted.map(|(_, version)| version).collect())
}

fn version(name: &str) -> Result<u8, String> {
    match name {
        "TLS10" => Ok(10),
        "TLS11" => Ok(11),
        "TLS12" => Ok(12),
        "TLS13" => Ok(13),
        _ => Err(format!(
            "unknown TLS version: {name} (there are TLS10, TLS11, TLS12 and TLS13)"
        )),
    }
}

fn wanted_suites(names: &[String], needs_http2: bool) -> Result<Vec<CipherSuite>, String> {
    let mut wanted = Vec::new();
    for name in names {
        match SUITES.iter().find(|(known, _)| known == name) {
            Some((_, Some(suite))) => wanted.push(*suite),
            Some((_, None)) => {
                return Err(format!(
                    "cipher {name} is not supported: it is a CBC suite, and this host has those \
                     with AES-GCM and ChaCha20-Poly1305 alone; leave it out"
                ));
            }
            None => return Err(format!("unknown cipher: {name}")),
        }
    }
    let is_required = |name: &String| name == RSA_128 || name == ECDSA_128;
    if needs_http2 && !names.iter().any(is_required) {
        return Err(format!(
            "http2: TLSConfig.CipherSuites is missing an HTTP/2-required AES_128_GCM_SHA256 cipher \
             (need at least one of {RSA_128} or {ECDSA_128})"
        ));
    }
    Ok(wanted)
}

fn curve(name: &str) -> Result<&'static dyn SupportedKxGroup, String> {
    match name {
        "X25519" => Ok(ring::kx_group::X25519),
        "CurveP256" => Ok(ring::kx_group::SECP256R1),
        "CurveP384" => Ok(ring::kx_group::SECP384R1),
        "CurveP521" => Err(
            "curve CurveP521 is not supported: this host has X25519, CurveP256 and CurveP384; \
             leave it out"
                .into(),
        ),
        _ => Err(format!("unknown curve: {name}")),
    }
}
