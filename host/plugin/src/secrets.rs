//! Secrets of a section that the plugin itself puts into requests: it is given stand-ins, and the host replaces them on
//! the way out and hides the secrets on the way back.

use std::fmt::Write as _;

use periplus_http::{
    EgressError, EgressRequest, EgressResponse, FailureKind, Origin, OriginPattern,
};
use serde_json::Value;
use url::Url;

/// How deep a configuration is looked through; a schema may refer to itself.
const MAX_DEPTH: usize = 32;
/// Shorter secrets are not looked for in answers, where they would stand by chance.
const MIN_SCRUBBED: usize = 6;

/// The secrets of one instance.
#[derive(Default)]
pub(crate) struct Secrets(Vec<Pair>);

struct Pair {
    stand_in: String,
    secret: String,
}

/// How a secret is written into a body.
#[derive(Clone, Copy)]
enum Escape {
    Plain,
    Json,
    Form,
    Xml,
}

// === impl Secrets ===

impl Secrets {
    /// Takes the texts that the schema marks `writeOnly` out of a configuration and puts stand-ins there.
    pub(crate) fn take(schema: &Value, config: &mut Value) -> Self {
        let mut secrets = Self::default();
        secrets.take_from(schema, schema, config, 0);
        secrets
    }

    fn take_from(&mut self, root: &Value, schema: &Value, value: &mut Value, depth: usize) {
        if depth > MAX_DEPTH {
            return;
        }
        if schema["writeOnly"] == true {
            self.replace_texts(value, depth);
            return;
        }
        if let Some(target) = schema["$ref"].as_str().and_then(|at| at.strip_prefix('#'))
            && let Some(referred) = root.pointer(target)
        {
            self.take_from(root, referred, value, depth + 1);
        }
        for key in ["allOf", "anyOf", "oneOf"] {
            for part in schema[key].as_array().into_iter().flatten() {
                self.take_from(root, part, value, depth + 1);
            }
        }
        match value {
            Value::Object(fields) => {
                for (name, field) in fields {
                    let own = schema["properties"].get(name);
                    let part = own.unwrap_or(&schema["additionalProperties"]);
                    self.take_from(root, part, field, depth + 1);
                }
            }
            Value::Array(items) => {
                for item in items {
                    self.take_from(root, &schema["items"], item, depth + 1);
                }
            }
            _ => {}
        }
    }

    /// Everything below a secret is secret.
    fn replace_texts(&mut self, value: &mut Value, depth: usize) {
        if depth > MAX_DEPTH {
            *value = Value::Null;
            return;
        }
        match value {
            Value::String(text) if !text.is_empty() && !self.is_stand_in(text) => {
                let stand_in = format!("periplus-secret-{:032x}", rand::random::<u128>());
                let secret = std::mem::replace(text, stand_in.clone());
                self.0.push(Pair { stand_in, secret });
            }
            Value::Array(items) => items
                .iter_mut()
                .for_each(|item| self.replace_texts(item, depth + 1)),
            Value::Object(fields) => fields
                .values_mut()
                .for_each(|field| self.replace_texts(field, depth + 1)),
            _ => {}
        }
    }

    fn is_stand_in(&self, text: &str) -> bool {
        self.0.iter().any(|pair| pair.stand_in == text)
    }

    /// Replaces stand-ins in headers and body of a request to one of the section's origins. Towards any other they
    /// are an error: they would tell nothing there, so the plugin means something else.
    pub(crate) fn put_in(
        &self,
        request: &mut EgressRequest,
        own: &[OriginPattern],
    ) -> Result<(), EgressError> {
        let body = request.body.as_deref().unwrap_or_default();
        let is_used = |pair: &&Pair| {
            let mut headers = request.headers.iter();
            headers.any(|(_, value)| value.contains(&pair.stand_in))
                || find(body, pair.stand_in.as_bytes()).is_some()
        };
        let used: Vec<&Pair> = self.0.iter().filter(is_used).collect();
        if used.is_empty() {
            return Ok(());
        }
        let origin = Url::parse(&request.url).ok().and_then(|it| Origin::of(&it));
        if !origin.is_some_and(|origin| own.iter().any(|it| it.matches(&origin))) {
            let message =
                "a secret of the section goes to the origins that the section names alone";
            return Err(EgressError {
                kind: FailureKind::Denied,
                message: message.to_owned(),
            });
        }
        let escape = Escape::of(&request.headers);
        for pair in used {
            for (_, value) in &mut request.headers {
                *value = value.replace(&pair.stand_in, &pair.secret);
            }
            if let Some(body) = &mut request.body {
                let secret = escape.write(&pair.secret);
                *body = replaced(body, pair.stand_in.as_bytes(), secret.as_bytes());
            }
        }
        request.is_bound = true;
        Ok(())
    }

    /// An outcome in which stand-ins are again where secrets were.
    pub(crate) fn scrub(
        &self,
        outcome: Result<EgressResponse, EgressError>,
    ) -> Result<EgressResponse, EgressError> {
        let mut outcome = outcome;
        for Pair { stand_in, secret } in self.0.iter().filter(|it| it.secret.len() >= MIN_SCRUBBED)
        {
            for escape in [Escape::Plain, Escape::Json, Escape::Form, Escape::Xml] {
                let text = escape.write(secret);
                match &mut outcome {
                    Ok(response) => {
                        if find(&response.body, text.as_bytes()).is_some() {
                            response.body =
                                replaced(&response.body, text.as_bytes(), stand_in.as_bytes());
                        }
                        for (_, value) in &mut response.headers {
                            *value = value.replace(&text, stand_in);
                        }
                    }
                    Err(error) => error.message = error.message.replace(&text, stand_in),
                }
            }
        }
        outcome
    }
}

// === impl Escape ===

impl Escape {
    /// By the content type of a request.
    fn of(headers: &[(String, String)]) -> Self {
        let kind = headers
            .iter()
            .find(|(name, _)| name.eq_ignore_ascii_case("content-type"))
            .map(|(_, value)| value.split(';').next().unwrap_or_default().trim())
            .unwrap_or_default()
            .to_ascii_lowercase();
        match kind.as_str() {
            "application/x-www-form-urlencoded" => Self::Form,
            kind if kind.ends_with("/json") || kind.ends_with("+json") => Self::Json,
            kind if kind.ends_with("/xml") || kind.ends_with("+xml") => Self::Xml,
            _ => Self::Plain,
        }
    }

    fn write(self, secret: &str) -> String {
        match self {
            Self::Plain => secret.to_owned(),
            Self::Json => {
                let quoted = Value::from(secret).to_string();
                quoted[1..quoted.len() - 1].to_owned()
            }
            Self::Form => url::form_urlencoded::byte_serialize(secret.as_bytes()).collect(),
            Self::Xml => secret.chars().fold(String::new(), |mut text, c| {
                if matches!(c, '<' | '>' | '&' | '"' | '\'') {
                    // Writing to a string cannot fail.
                    let _ = write!(text, "&#{};", u32::from(c));
                } else {
                    text.push(c);
                }
                text
            }),
        }
    }
}

fn find(text: &[u8], part: &[u8]) -> Option<usize> {
    text.windows(part.len().max(1)).position(|it| it == part)
}

fn replaced(text: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let (mut rest, mut done) = (text, Vec::with_capacity(text.len()));
    while let Some(at) = find(rest, from) {
        done.extend_from_slice(&rest[..at]);
        done.extend_from_slice(to);
        rest = &rest[at + from.len()..];
    }
    done.extend_from_slice(rest);
    done
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SECRET: &str = r#"s"&<é hush"#;

    fn taken() -> (Secrets, String) {
        let schema =
            json!({"properties": {"token": {"type": "string", "writeOnly": true}, "name": {}}});
        let mut config = json!({"token": SECRET, "name": "n"});
        let secrets = Secrets::take(&schema, &mut config);
        assert_eq!(config["name"], "n");
        let stand_in = config["token"].as_str().unwrap().to_owned();
        assert!(
            !stand_in.contains(SECRET) && stand_in.len() > 40,
            "{stand_in}"
        );
        (secrets, stand_in)
    }

    fn own() -> Vec<OriginPattern> {
        vec![OriginPattern::parse("http://own.example").unwrap()]
    }

    fn request(url: &str, content_type: &str, value: &str) -> EgressRequest {
        EgressRequest {
            url: url.to_owned(),
            headers: vec![
                ("content-type".to_owned(), content_type.to_owned()),
                ("x-token".to_owned(), format!("token={value}")),
            ],
            body: Some(value.as_bytes().to_vec()),
            ..EgressRequest::default()
        }
    }

    #[test]
    fn stand_ins_are_replaced_towards_the_section_s_origins_alone() {
        let (secrets, stand_in) = taken();
        for (content_type, written) in [
            ("application/json; charset=utf-8", r#"s\"&<é hush"#),
            ("application/x-www-form-urlencoded", "s%22%26%3C%C3%A9+hush"),
            ("text/xml", "s&#34;&#38;&#60;é hush"),
            ("text/plain", SECRET),
        ] {
            let mut request = request("http://own.example/x", content_type, &stand_in);
            secrets.put_in(&mut request, &own()).unwrap();
            assert!(request.is_bound);
            assert_eq!(request.headers[1].1, format!("token={SECRET}"));
            assert_eq!(request.body.unwrap(), written.as_bytes(), "{content_type}");
        }
        let mut elsewhere = request("http://other.example/x", "text/plain", &stand_in);
        let error = secrets.put_in(&mut elsewhere, &own()).unwrap_err();
        assert_eq!(error.kind, FailureKind::Denied);
        assert!(!error.message.contains(SECRET));
        assert!(!format!("{:?}", elsewhere.headers).contains("hush"));
    }

    #[test]
    fn a_request_without_a_secret_is_left_as_it_is() {
        let (secrets, _) = taken();
        let mut request = request("http://other.example/", "text/plain", "x");
        secrets.put_in(&mut request, &[]).unwrap();
        assert!(!request.is_bound);
    }

    #[test]
    fn answers_and_errors_hold_no_secret() {
        let (secrets, stand_in) = taken();
        let response = EgressResponse {
            status: 403,
            headers: vec![("x-echo".to_owned(), SECRET.to_owned())],
            body: format!("{} {SECRET}", Escape::Json.write(SECRET)).into_bytes(),
        };
        let response = secrets.scrub(Ok(response)).unwrap();
        assert_eq!(response.headers[0].1, stand_in);
        assert_eq!(response.body, format!("{stand_in} {stand_in}").as_bytes());
        let error = EgressError {
            kind: FailureKind::Other,
            message: format!("no {SECRET}"),
        };
        let error = secrets.scrub(Err(error)).unwrap_err();
        assert_eq!(error.message, format!("no {stand_in}"));
    }

    #[test]
    fn two_instances_have_stand_ins_of_their_own() {
        assert_ne!(taken().1, taken().1);
    }
}
