//! OAuth2: tokens for client credentials or a signed assertion, kept until they expire.

mod answer;
mod assertion;

use std::time::Duration;

use futures::future::BoxFuture;
use http::HeaderValue;
use http::header::{ACCEPT, CONTENT_TYPE};
use periplus_config::{HttpClientConfig, OAuth2};
use tokio::sync::Mutex;
use tokio::time::Instant;
use url::Url;
use url::form_urlencoded::{Serializer, byte_serialize};

use self::answer::{Granted, Outcome};
use crate::egress::{EgressClient, EgressLimits, EgressOptions, EgressRequest};
use crate::origin::Origin;
use crate::policy::OriginPolicy;
use crate::settings::{ClientSettings, SettingsError, basic_value, read_text, secret_value};

/// The grant of RFC 7523.
const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";
/// A token counts as expired this long before it does, as upstream.
const EARLY: Duration = Duration::from_secs(10);
/// Bytes of a token's answer, as upstream.
const LONGEST_ANSWER: usize = 1 << 20;

/// Fetches tokens and keeps the last one.
pub(crate) struct TokenSource {
    config: OAuth2,
    url: Url,
    client: EgressClient,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    token: Option<Token>,
    /// How the server wants to know the client; found out by trying.
    style: Option<Style>,
}

struct Token {
    header: HeaderValue,
    /// The secret that it was fetched with: a changed file makes a new token.
    secret: String,
    expires: Option<Instant>,
}

/// Where id and secret of the client stand.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Style {
    Header,
    Parameters,
}

// === impl TokenSource ===

impl TokenSource {
    pub(crate) fn new(config: &OAuth2) -> Result<Self, SettingsError> {
        let invalid = |message: &str| SettingsError::invalid("oauth2.token_url", message);
        if config.token_url.user_info().is_some() {
            return Err(invalid(
                "credentials in it are not used; write `client_id` and `client_secret`",
            ));
        }
        let mut url = Url::parse(config.token_url.expose())
            .map_err(|error| invalid(&format!("it is not a URL: {error}")))?;
        url.set_fragment(None);
        let origin = Origin::of(&url).ok_or_else(|| invalid("it is no `http` or `https` URL"))?;
        let settings = ClientSettings::new(HttpClientConfig {
            tls: config.tls.clone(),
            proxy_url: config.proxy_url.clone(),
            proxy: config.proxy.clone(),
            // The body has the secret, and must not follow a redirect anywhere.
            follow_redirects: false,
            ..HttpClientConfig::default()
        })?;
        let client = EgressClient::new(EgressOptions {
            settings,
            limits: EgressLimits {
                max_body: LONGEST_ANSWER,
                concurrency: 1,
                ..EgressLimits::default()
            },
            ..EgressOptions::new(OriginPolicy::of_source(origin))
        });
        Ok(Self {
            config: config.clone(),
            url,
            client,
            state: Mutex::default(),
        })
    }

    /// `Authorization` for a request. Whoever asks while a token is fetched waits for it.
    ///
    /// Boxed, since fetching is a request of its own.
    pub(crate) fn header(&self) -> BoxFuture<'_, Result<HeaderValue, SettingsError>> {
        Box::pin(async move {
            let secret = self.secret().await?;
            let mut state = self.state.lock().await;
            if let Some(token) = &state.token
                && token.secret == secret
                && token.expires.is_none_or(|at| Instant::now() + EARLY < at)
            {
                return Ok(token.header.clone());
            }
            let granted = self.fetch(&secret, &mut state.style).await?;
            let header = secret_value("oauth2", &granted.authorization())?;
            state.token = Some(Token {
                header: header.clone(),
                secret,
                expires: granted.lifetime.map(|lifetime| Instant::now() + lifetime),
            });
            Ok(header)
        })
    }

    /// Forgets the token if it is the one in `used`; whoever came before has done so otherwise.
    pub(crate) async fn forget(&self, used: &HeaderValue) {
        let mut state = self.state.lock().await;
        state.token.take_if(|token| token.header == *used);
    }

    /// Forgets the token.
    pub(crate) async fn forget_any(&self) {
        self.state.lock().await.token = None;
    }

    /// The client's secret or the key that signs; a file is read each time.
    async fn secret(&self) -> Result<String, SettingsError> {
        let config = &self.config;
        let (inline, file, setting) = if config.grant_type == JWT_BEARER {
            let file = &config.client_certificate_key_file;
            let setting = "oauth2.client_certificate_key_file";
            (&config.client_certificate_key, file, setting)
        } else {
            let file = &config.client_secret_file;
            (&config.client_secret, file, "oauth2.client_secret_file")
        };
        match file {
            Some(path) if inline.is_empty() => read_text(setting, path).await,
            _ => Ok(inline.expose().to_owned()),
        }
    }

    async fn fetch(
        &self,
        secret: &str,
        style: &mut Option<Style>,
    ) -> Result<Granted, SettingsError> {
        if self.config.grant_type == JWT_BEARER {
            let assertion = assertion::sign(&self.config, secret)?;
            let own = [("grant_type", JWT_BEARER), ("assertion", &assertion)];
            return match self.ask(self.form(&own)?, None).await? {
                Outcome::Granted(granted) => Ok(granted),
                Outcome::Refused(message) => Err(self.failed(message)),
            };
        }
        let own = [("grant_type", "client_credentials")];
        let form = self.form(&own)?;
        let styles = match *style {
            Some(known) => vec![known],
            // The header is what the standard wants; not every server does.
            None => vec![Style::Header, Style::Parameters],
        };
        let mut refusal = String::new();
        for tried in styles {
            match self.ask_as(form.clone(), secret, tried).await? {
                Outcome::Granted(granted) => {
                    *style = Some(tried);
                    return Ok(granted);
                }
                Outcome::Refused(message) => refusal = message,
            }
        }
        Err(self.failed(refusal))
    }

    /// The parameters of every request, with those of the settings.
    fn form(&self, own: &[(&str, &str)]) -> Result<Vec<(String, String)>, SettingsError> {
        let config = &self.config;
        let mut form: Vec<(String, String)> = Vec::new();
        form.extend(own.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())));
        if !config.scopes.is_empty() {
            form.push(("scope".to_owned(), config.scopes.join(" ")));
        }
        for (name, value) in &config.endpoint_params {
            match form.iter_mut().find(|(key, _)| key == name) {
                // For servers that want another name for the grant.
                Some((key, old)) if key == "grant_type" => old.clone_from(value),
                Some(_) => {
                    return Err(SettingsError::invalid(
                        "oauth2.endpoint_params",
                        &format!("oauth2: cannot overwrite parameter {name:?}"),
                    ));
                }
                None => form.push((name.clone(), value.clone())),
            }
        }
        Ok(form)
    }

    async fn ask_as(
        &self,
        mut form: Vec<(String, String)>,
        secret: &str,
        style: Style,
    ) -> Result<Outcome, SettingsError> {
        let id = &self.config.client_id;
        if style == Style::Header {
            let value = basic_value("oauth2", &escaped(id), &escaped(secret))?;
            return self.ask(form, Some(value)).await;
        }
        form.push(("client_id".to_owned(), id.clone()));
        if !secret.is_empty() {
            form.push(("client_secret".to_owned(), secret.to_owned()));
        }
        self.ask(form, None).await
    }

    async fn ask(
        &self,
        form: Vec<(String, String)>,
        authorization: Option<HeaderValue>,
    ) -> Result<Outcome, SettingsError> {
        let body = Serializer::new(String::new()).extend_pairs(form).finish();
        let header = |name: http::HeaderName, value: &str| (name.to_string(), value.to_owned());
        let mut headers = vec![
            header(CONTENT_TYPE, "application/x-www-form-urlencoded"),
            header(ACCEPT, "application/json"),
        ];
        if let Some(value) = authorization.as_ref().and_then(|value| value.to_str().ok()) {
            headers.push(header(http::header::AUTHORIZATION, value));
        }
        let request = EgressRequest {
            method: "POST".to_owned(),
            url: self.url.to_string(),
            headers,
            body: Some(body.into_bytes()),
            ..EgressRequest::default()
        };
        let answer = self.client.send(request).await;
        let answer = answer.map_err(|error| self.failed(error.message))?;
        Ok(Outcome::of(&answer))
    }

    fn failed(&self, message: String) -> SettingsError {
        let url = self.config.token_url.for_messages();
        SettingsError::Token { url, message }
    }
}

fn escaped(text: &str) -> String {
    byte_serialize(text.as_bytes()).collect()
}
