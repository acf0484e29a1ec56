//! What a token server answers.

use std::time::Duration;

use http::StatusCode;
use serde::Deserialize;

use crate::egress::EgressResponse;

/// An answer that was understood.
pub(super) enum Outcome {
    Granted(Granted),
    /// Why not, without anything that the server made up.
    Refused(String),
}

/// A token.
pub(super) struct Granted {
    access_token: String,
    token_type: String,
    /// How long it holds from now on; none: for ever.
    pub(super) lifetime: Option<Duration>,
}

/// RFC 6749, sections 5.1 and 5.2.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Answer {
    access_token: Option<String>,
    token_type: Option<String>,
    expires_in: Option<Seconds>,
    error: Option<String>,
}

/// Some servers write the number as a text.
#[derive(Deserialize)]
#[serde(untagged)]
enum Seconds {
    Number(f64),
    Text(String),
}

// === impl Outcome ===

impl Outcome {
    pub(super) fn of(response: &EgressResponse) -> Self {
        let status = StatusCode::from_u16(response.status).ok();
        let is_success = status.is_some_and(|status| status.is_success());
        let answer = Answer::parse(response);
        let code = answer.as_ref().and_then(|answer| answer.error.as_deref());
        if !is_success || code.is_some_and(|code| !code.is_empty()) {
            let status = status.map_or("no status".to_owned(), |status| status.to_string());
            // Whatever else it says may repeat the request.
            let code = code.filter(|code| is_code(code));
            let code = code.map(|code| format!(" (`{code}`)")).unwrap_or_default();
            return Self::Refused(format!("{status}{code}"));
        }
        let Some(answer) = answer else {
            return Self::Refused("the answer is neither JSON nor a form".to_owned());
        };
        let Some(access_token) = answer.access_token.filter(|token| !token.is_empty()) else {
            return Self::Refused("server response missing access_token".to_owned());
        };
        let seconds = answer.expires_in.and_then(|seconds| match seconds {
            Seconds::Number(number) => Some(number),
            Seconds::Text(text) => text.trim().parse().ok(),
        });
        let lifetime = seconds.filter(|seconds| *seconds > 0.0);
        Self::Granted(Granted {
            access_token,
            token_type: answer.token_type.unwrap_or_default(),
            // A century is for ever, and does not overflow a clock.
            lifetime: lifetime.map(|seconds| Duration::from_secs_f64(seconds.min(3e9))),
        })
    }
}

// === impl Granted ===

impl Granted {
    /// The value of `Authorization`.
    pub(super) fn authorization(&self) -> String {
        let kind = match self.token_type.to_ascii_lowercase().as_str() {
            "" | "bearer" => "Bearer",
            "mac" => "MAC",
            "basic" => "Basic",
            _ => &self.token_type,
        };
        format!("{kind} {}", self.access_token)
    }
}

// === impl Answer ===

impl Answer {
    fn parse(response: &EgressResponse) -> Option<Self> {
        let kind = response
            .headers
            .iter()
            .find(|(name, _)| name == "content-type")
            .map_or("", |(_, value)| value);
        let kind = kind.split(';').next().unwrap_or_default().trim();
        let is_form = ["application/x-www-form-urlencoded", "text/plain"]
            .iter()
            .any(|form| kind.eq_ignore_ascii_case(form));
        if !is_form {
            return serde_json::from_slice(&response.body).ok();
        }
        let mut answer = Self::default();
        for (name, value) in url::form_urlencoded::parse(&response.body) {
            let value = value.into_owned();
            match name.as_ref() {
                "access_token" => answer.access_token = Some(value),
                "token_type" => answer.token_type = Some(value),
                "expires_in" => answer.expires_in = Some(Seconds::Text(value)),
                "error" => answer.error = Some(value),
                _ => {}
            }
        }
        Some(answer)
    }
}

/// Whether this is one of the short codes of the standard and its extensions.
fn is_code(text: &str) -> bool {
    text.len() <= 40
        && text
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}
