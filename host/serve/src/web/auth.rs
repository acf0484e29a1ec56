//! `basic_auth_users`: passwords against bcrypt hashes.

use std::collections::{BTreeMap, HashSet};
use std::sync::{Mutex, PoisonError};

use axum::body::Body;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use sha2::{Digest, Sha256};
use tokio::sync::Semaphore;

/// The salt and hash of no password that anybody knows, for users that there are not.
const NOBODY: &str = "QOauhQNbBCuQDKes6eFzPeMqBSjb7Mr5DUmpZ/VcEd00UAV/LDeSi";
/// Outcomes kept of each kind, as many as upstream keeps together.
const KEPT: usize = 100;

/// Hashes by user, whose form was checked.
#[derive(Clone, Default)]
pub(super) struct Users {
    hashes: BTreeMap<String, String>,
    /// Takes as long as the dearest real one.
    nobody: String,
}

/// The outcomes of checks of late: bcrypt takes a twentieth of a second by design, and scrapers show
/// the same password each time.
pub(super) struct Checks {
    /// Keeps what is remembered useless to others.
    key: [u8; 32],
    /// One at a time, so that wrong passwords cannot take all processors.
    turn: Semaphore,
    /// Good and bad ones apart: guessing must not drive out those who know.
    good: Mutex<HashSet<Fingerprint>>,
    bad: Mutex<HashSet<Fingerprint>>,
}

/// What stands for user, hash and password together.
type Fingerprint = [u8; 32];

// === impl Users ===

impl Users {
    /// Checks the form of every hash; an error names the user, never the hash.
    pub(super) fn new(written: &BTreeMap<String, String>) -> Result<Self, String> {
        let mut dearest = 4;
        for (user, hash) in written {
            let cost = cost(hash).map_err(|reason| format!("basic_auth_users.{user}: {reason}"))?;
            dearest = dearest.max(cost);
        }
        Ok(Self {
            hashes: written.clone(),
            nobody: format!("$2y${dearest:02}${NOBODY}"),
        })
    }

    pub(super) fn is_empty(&self) -> bool {
        self.hashes.is_empty()
    }
}

/// The cost of a bcrypt hash, or what is wrong with it.
fn cost(hash: &str) -> Result<u32, String> {
    const FORM: &str = "write a bcrypt hash, as `htpasswd -nBC 10 NAME` prints it after the colon";
    if hash.len() < 59 {
        return Err(format!(
            "crypto/bcrypt: hashedSecret too short to be a bcrypted password; {FORM}"
        ));
    }
    let parts: bcrypt::HashParts = hash
        .parse()
        .map_err(|_| format!("it is not a bcrypt hash; {FORM}"))?;
    let cost = parts.get_cost();
    if !(4..=31).contains(&cost) {
        return Err(format!(
            "crypto/bcrypt: cost {cost} is outside allowed inclusive range 4..31"
        ));
    }
    Ok(cost)
}

// === impl Checks ===

impl Default for Checks {
    fn default() -> Self {
        Self {
            key: rand::random(),
            turn: Semaphore::new(1),
            good: Mutex::default(),
            bad: Mutex::default(),
        }
    }
}

impl Checks {
    /// Whether a request with these headers may pass. Without users, every one may.
    pub(super) async fn admits(&self, users: &Users, headers: &HeaderMap) -> bool {
        if users.is_empty() {
            return true;
        }
        let Some((user, password)) = credentials(headers) else {
            return false;
        };
        // An unknown user takes as long as a known one, so that names cannot be found out by time.
        let known = users.hashes.get(&user);
        let hash = known.unwrap_or(&users.nobody);
        let fingerprint = self.fingerprint(&user, hash, &password);
        if known.is_some() && has(&self.good, &fingerprint) {
            return true;
        }
        if has(&self.bad, &fingerprint) {
            return false;
        }
        let matches = self.verify(password, hash.clone()).await && known.is_some();
        let kept = if matches { &self.good } else { &self.bad };
        keep(kept, fingerprint);
        matches
    }

    async fn verify(&self, password: Vec<u8>, hash: String) -> bool {
        let Ok(_turn) = self.turn.acquire().await else {
            return false;
        };
        let check = move || bcrypt::verify(password, &hash).unwrap_or(false);
        tokio::task::spawn_blocking(check).await.unwrap_or(false)
    }

    fn fingerprint(&self, user: &str, hash: &str, password: &[u8]) -> Fingerprint {
        let mut digest = Sha256::new_with_prefix(self.key);
        for part in [user.as_bytes(), hash.as_bytes(), password] {
            digest.update((part.len() as u64).to_le_bytes());
            digest.update(part);
        }
        digest.finalize().into()
    }
}

fn has(kept: &Mutex<HashSet<Fingerprint>>, fingerprint: &Fingerprint) -> bool {
    let kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    kept.contains(fingerprint)
}

fn keep(kept: &Mutex<HashSet<Fingerprint>>, fingerprint: Fingerprint) {
    let mut kept = kept.lock().unwrap_or_else(PoisonError::into_inner);
    if kept.len() >= KEPT {
        // A tenth, whichever: the set's order is random for each process.
        let mut left = KEPT / 10;
        kept.retain(|_| {
            let goes = left > 0;
            left = left.saturating_sub(1);
            !goes
        });
    }
    kept.insert(fingerprint);
}

/// User and password of an `Authorization: Basic` header.
fn credentials(headers: &HeaderMap) -> Option<(String, Vec<u8>)> {
    let value = headers.get(header::AUTHORIZATION)?.as_bytes();
    let (scheme, coded) = value.split_at_checked(6)?;
    if !scheme.eq_ignore_ascii_case(b"basic ") {
        return None;
    }
    let plain = STANDARD.decode(coded).ok()?;
    let colon = plain.iter().position(|byte| *byte == b':')?;
    let (user, password) = plain.split_at(colon);
    let user = String::from_utf8(user.to_vec()).ok()?;
    Some((user, password.get(1..)?.to_vec()))
}

/// 401, in upstream's words.
pub(super) fn unauthorized() -> Response {
    let mut response = plain(StatusCode::UNAUTHORIZED);
    let challenge = HeaderValue::from_static("Basic");
    response
        .headers_mut()
        .insert(header::WWW_AUTHENTICATE, challenge);
    response
}

/// An error that has its status for a text.
pub(super) fn plain(status: StatusCode) -> Response {
    let text = format!("{}\n", status.canonical_reason().unwrap_or_default());
    let headers = [
        (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        (header::CACHE_CONTROL, "no-store"),
    ];
    (status, headers, Body::from(text)).into_response()
}

#[cfg(test)]
mod tests;
