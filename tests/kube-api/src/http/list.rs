//! LIST: pages of one consistent snapshot.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use flate2::{Compression, write::GzEncoder};
use http::header::{CONTENT_ENCODING, HeaderMap, HeaderValue};

use super::negotiate::{View, partial};
use super::{Call, Response, json_response, takes_gzip};
use crate::faults::Fault;
use crate::object::Object;
use crate::selector::Selector;
use crate::status::Problem;
use crate::store::Snapshot;

/// The real server compresses answers beyond this size.
const GZIP_FROM: usize = 128 * 1024;

/// Where a continue token goes on. Version 0: consistency is lost, take what there is now.
struct Position {
    version: u64,
    namespace: String,
    name: String,
}

pub(super) fn list(call: &Call<'_>, headers: &HeaderMap) -> Result<Response, Problem> {
    let selector = call.selector()?;
    call.check_list_options()?;
    let limit = call.number("limit")?.unwrap_or(0) as usize;
    let version = call.query.get("resourceVersion").map_or("", String::as_str);
    let token = call.query.get("continue").filter(|t| !t.is_empty());
    let (snapshot, start) = match token {
        Some(token) => resume(call, token)?,
        None => {
            let current = call.shared.store.version();
            if let Some(asked) = call
                .number("resourceVersion")?
                .filter(|asked| *asked > current)
            {
                return Err(Problem::too_new(asked, current));
            }
            (call.shared.store.snapshot(&call.resource), 0)
        }
    };
    // At version 0 the answer comes from the watch cache, which knows no pages.
    let limit = if limit == 0 || (version == "0" && token.is_none()) {
        usize::MAX
    } else {
        limit
    };

    let mut page: Vec<&Arc<Object>> = Vec::new();
    let mut rest = snapshot.objects[start..]
        .iter()
        .filter(|o| call.selects(&selector, o))
        .peekable();
    while page.len() < limit {
        let Some(object) = rest.next() else { break };
        page.push(object);
    }
    let more = rest.peek().is_some();
    let next = page
        .last()
        .filter(|_| more)
        .map(|last| token_text(snapshot.version, last));
    let endless = call.faults.iter().any(|f| matches!(f, Fault::EndlessPages));
    let next = next.or_else(|| endless.then(|| encode(snapshot.version, "", "")));
    let remaining = (more && selector.is_empty()).then(|| rest.count());
    let body = body(call, &page, snapshot.version, next.as_deref(), remaining);
    if next.is_some() && !call.keeps(&snapshot) {
        call.shared.store.keep(&call.resource, snapshot.clone());
    }
    Ok(compressed(call, body, headers))
}

fn body(
    call: &Call<'_>,
    page: &[&Arc<Object>],
    version: u64,
    next: Option<&str>,
    remaining: Option<usize>,
) -> Vec<u8> {
    let claimed = call.faults.iter().find_map(|fault| match fault {
        Fault::ListVersion(version) => Some(*version),
        _ => None,
    });
    let size: usize = page.iter().map(|o| o.json.len() + 1).sum();
    let mut text = Vec::with_capacity(size + 256);
    let (kind, api_version) = match call.view {
        View::Whole => (call.resource.kind.as_str(), call.resource.api_version()),
        View::Metadata => ("PartialObjectMetadata", "meta.k8s.io/v1".to_owned()),
    };
    let head = format!(
        r#"{{"kind":"{kind}List","apiVersion":"{api_version}","metadata":{{"resourceVersion":"{}""#,
        claimed.unwrap_or(version),
    );
    text.extend_from_slice(head.as_bytes());
    if let Some(next) = next {
        text.extend_from_slice(format!(r#","continue":"{next}""#).as_bytes());
    }
    if let Some(remaining) = remaining {
        text.extend_from_slice(format!(r#","remainingItemCount":{remaining}"#).as_bytes());
    }
    text.extend_from_slice(br#"},"items":["#);
    for (index, object) in page.iter().enumerate() {
        if index > 0 {
            text.push(b',');
        }
        text.extend_from_slice(&call.shown(object));
    }
    text.extend_from_slice(b"]}\n");
    text
}

fn compressed(call: &Call<'_>, body: Vec<u8>, headers: &HeaderMap) -> Response {
    if call.shared.settings.gzip && body.len() > GZIP_FROM && takes_gzip(headers) {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::new(1));
        // Writing to a vector cannot fail.
        if encoder.write_all(&body).is_ok()
            && let Ok(packed) = encoder.finish()
        {
            let mut response = json_response(Bytes::from(packed));
            response
                .headers_mut()
                .insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            return response;
        }
    }
    json_response(Bytes::from(body))
}

/// The snapshot that a token belongs to, and the index to go on from.
fn resume(call: &Call<'_>, token: &str) -> Result<(Snapshot, usize), Problem> {
    let position = parse_token(token)
        .ok_or_else(|| Problem::bad_request("continue key is not valid: invalid format"))?;
    let store = &call.shared.store;
    let snapshot = if position.version == 0 {
        store.snapshot(&call.resource)
    } else {
        let expired = call.faults.iter().any(|f| matches!(f, Fault::ExpiredToken));
        let lifetime = call.shared.settings.token_lifetime;
        store
            .kept(&call.resource, position.version, lifetime)
            .filter(|_| !expired)
            .ok_or_else(|| Problem::expired_page(&encode(0, &position.namespace, &position.name)))?
    };
    let last = (position.namespace.as_str(), position.name.as_str());
    let start = snapshot
        .objects
        .partition_point(|o| (o.namespace.as_str(), o.name.as_str()) <= last);
    Ok((snapshot, start))
}

fn token_text(version: u64, last: &Object) -> String {
    encode(version, &last.namespace, &last.name)
}

/// Hexadecimal, so that clients treat it as what it is: opaque.
fn encode(version: u64, namespace: &str, name: &str) -> String {
    use std::fmt::Write as _;
    format!("{version}/{namespace}/{name}")
        .bytes()
        .fold(String::new(), |mut text, byte| {
            let _ = write!(text, "{byte:02x}");
            text
        })
}

fn parse_token(token: &str) -> Option<Position> {
    let bytes: Option<Vec<u8>> = (0..token.len())
        .step_by(2)
        .map(|i| u8::from_str_radix(token.get(i..i + 2)?, 16).ok())
        .collect();
    let text = String::from_utf8(bytes?).ok()?;
    let mut parts = text.splitn(3, '/');
    let version = parts.next()?.parse().ok()?;
    let namespace = parts.next()?.to_owned();
    Some(Position {
        version,
        namespace,
        name: parts.next()?.to_owned(),
    })
}

impl Call<'_> {
    pub(super) fn selector(&self) -> Result<Selector, Problem> {
        let text = |key: &str| self.query.get(key).map_or("", String::as_str);
        Selector::parse(text("labelSelector"), text("fieldSelector"), &self.resource)
            .map_err(Problem::bad_request)
    }

    pub(super) fn number(&self, key: &str) -> Result<Option<u64>, Problem> {
        let text = self.query.get(key).filter(|t| !t.is_empty());
        text.map(|t| t.parse().map_err(|_| invalid_number(key, t)))
            .transpose()
    }

    pub(super) fn selects(&self, selector: &Selector, object: &Object) -> bool {
        (self.namespace.is_empty() || self.namespace == object.namespace)
            && selector.matches(object)
    }

    /// An object's JSON as lists of this request show it.
    fn shown(&self, object: &Object) -> Bytes {
        match (self.replaced(object), self.view) {
            (Some(text), _) => Bytes::from(text.to_owned()),
            (None, View::Whole) => object.json.clone(),
            (None, View::Metadata) => Bytes::from(partial(object)),
        }
    }

    /// The text that a fault puts in an object's place.
    fn replaced(&self, object: &Object) -> Option<&str> {
        self.faults.iter().find_map(|f| f.replaces(object))
    }

    fn keeps(&self, snapshot: &Snapshot) -> bool {
        let store = &self.shared.store;
        store
            .kept(&self.resource, snapshot.version, Duration::MAX)
            .is_some()
    }

    /// Parameters that exclude each other, in the words of the real server.
    fn check_list_options(&self) -> Result<(), Problem> {
        let text = |key: &str| self.query.get(key).map_or("", String::as_str);
        let (version, matching) = (text("resourceVersion"), text("resourceVersionMatch"));
        let continues = !text("continue").is_empty();
        if continues && !matches!(version, "" | "0") {
            return Err(Problem::bad_request(
                "specifying resource version is not allowed when using continue",
            ));
        }
        let forbidden = "resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden";
        let mut reasons = Vec::new();
        if !matching.is_empty() && version.is_empty() {
            reasons.push(format!("{forbidden} unless resourceVersion is provided"));
        }
        if !matching.is_empty() && continues {
            reasons.push(format!("{forbidden} when continue is provided"));
        }
        if self.query.contains_key("sendInitialEvents") {
            reasons.push(
                "sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list".to_owned(),
            );
        }
        if reasons.is_empty() {
            Ok(())
        } else {
            Err(Problem::invalid_options(&reasons))
        }
    }
}

fn invalid_number(key: &str, text: &str) -> Problem {
    Problem::bad_request(format!("{key}: Invalid value: \"{text}\": not a number"))
}
