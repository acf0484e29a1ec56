//! HTTP client settings, wherever they stand.

mod credentials;
mod tls;
mod wire;

use credentials::{read_authorization, read_basic_auth, read_oauth2};
use tls::read_tls;
use wire::{check_proxy, read_headers, take_proxy};

use super::{Context, path, quoted};
use crate::http_client::{Authorization, HttpClientConfig};
use crate::secret::Secret;
use crate::yaml::Fields;

const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// Settings that were read but not yet checked: upstream checks them after the whole structure.
pub(super) struct HttpDraft {
    config: HttpClientConfig,
    bearer_token: Secret,
    bearer_token_file: String,
    basic_auth_refs: (bool, bool),
    credentials_ref: bool,
    oauth2_refs: (bool, bool),
}

/// Takes the settings out of a structure that has them among its own keys.
pub(super) fn take(fields: &mut Fields<'_>, context: &Context<'_>) -> HttpDraft {
    let join = |text: &str| path::join_some(context.directory, text);
    let mut basic_auth_refs = (false, false);
    let basic_auth = fields.read("basic_auth", |value| {
        let (basic_auth, refs) = read_basic_auth(&value, &join)?;
        basic_auth_refs = refs;
        Some(basic_auth)
    });
    let mut credentials_ref = false;
    let authorization = fields.read("authorization", |value| {
        let (authorization, reference) = read_authorization(&value, &join)?;
        credentials_ref = reference;
        Some(authorization)
    });
    let mut oauth2_refs = (false, false);
    let oauth2 = fields.read("oauth2", |value| {
        let (oauth2, refs) = read_oauth2(&value, context)?;
        oauth2_refs = refs;
        Some(oauth2)
    });
    let bearer_token = Secret::new(fields.string("bearer_token"));
    let bearer_token_file = fields.string("bearer_token_file");
    let tls = fields
        .read("tls_config", |value| read_tls(&value, context))
        .unwrap_or_default();
    let follow_redirects = fields.bool("follow_redirects", true);
    let enable_http2 = fields.bool("enable_http2", true);
    let (proxy_url, proxy) = take_proxy(fields);
    let http_headers = fields.read("http_headers", |value| read_headers(&value, context));
    let config = HttpClientConfig {
        basic_auth,
        authorization,
        oauth2,
        tls,
        follow_redirects,
        enable_http2,
        proxy_url,
        proxy,
        http_headers: http_headers.unwrap_or_default(),
        has_refs: [basic_auth_refs, oauth2_refs, (credentials_ref, false)]
            .iter()
            .any(|refs| refs.0 || refs.1),
    };
    HttpDraft {
        config,
        bearer_token,
        bearer_token_file,
        basic_auth_refs,
        credentials_ref,
        oauth2_refs,
    }
}

// === impl HttpDraft ===

impl HttpDraft {
    /// Checks the settings together; gives them with `bearer_token` turned into `authorization`.
    pub(super) fn validate(
        mut self,
        fields: &Fields<'_>,
        context: &Context<'_>,
    ) -> Option<HttpClientConfig> {
        let kind = self
            .config
            .authorization
            .as_ref()
            .map(|it| it.kind.trim().to_owned());
        if let Some((keys, message)) = self.problem(kind.as_deref()) {
            fields.place(keys).error(message);
            return None;
        }
        check_proxy(fields, self.config.proxy_url.as_ref(), &self.config.proxy)?;
        if let Some(name) = wire::reserved_header(&self.config.http_headers) {
            let message = format!("setting header {} is not allowed", quoted(&name));
            fields.place(&["http_headers"]).error(message);
            return None;
        }
        self.settle_authorization(kind, context);
        Some(self.config)
    }

    /// Whether anything is written that differs from the defaults.
    pub(super) fn is_custom(&self) -> bool {
        self.config != HttpClientConfig::default()
            || !self.bearer_token.is_empty()
            || !self.bearer_token_file.is_empty()
    }

    fn settle_authorization(&mut self, kind: Option<String>, context: &Context<'_>) {
        let bearer = || "Bearer".to_owned();
        if let Some(authorization) = &mut self.config.authorization {
            authorization.kind = kind.filter(|kind| !kind.is_empty()).unwrap_or_else(bearer);
        } else if !self.bearer_token.is_empty() || !self.bearer_token_file.is_empty() {
            self.config.authorization = Some(Authorization {
                kind: bearer(),
                credentials: self.bearer_token.clone(),
                credentials_file: path::join_some(context.directory, &self.bearer_token_file),
            });
        }
    }

    /// The first of upstream's objections, with the keys that it is about.
    fn problem(&self, kind: Option<&str>) -> Option<(&'static [&'static str], &'static str)> {
        let config = &self.config;
        let token = !self.bearer_token.is_empty();
        let token_file = !self.bearer_token_file.is_empty();
        let bearer = token || token_file;
        if token && token_file {
            return Some((
                &["bearer_token"],
                "at most one of bearer_token & bearer_token_file must be configured",
            ));
        }
        if (config.basic_auth.is_some() || config.oauth2.is_some()) && bearer {
            return Some((
                &["bearer_token", "bearer_token_file"],
                "at most one of basic_auth, oauth2, bearer_token & bearer_token_file must be configured",
            ));
        }
        if let Some(problem) = self.basic_auth_problem() {
            return Some((&["basic_auth"], problem));
        }
        if let Some(authorization) = &config.authorization {
            let keys = &["authorization"];
            if bearer {
                return Some((
                    keys,
                    "authorization is not compatible with bearer_token & bearer_token_file",
                ));
            }
            let credentials = [
                !authorization.credentials.is_empty(),
                authorization.credentials_file.is_some(),
                self.credentials_ref,
            ];
            if several(credentials) {
                return Some((
                    keys,
                    "at most one of authorization credentials & credentials_file must be configured",
                ));
            }
            if kind.is_some_and(|kind| kind.eq_ignore_ascii_case("basic")) {
                return Some((
                    keys,
                    "authorization type cannot be set to \"basic\", use \"basic_auth\" instead",
                ));
            }
            if config.basic_auth.is_some() || config.oauth2.is_some() {
                return Some((keys, ONE_WAY));
            }
        }
        self.oauth2_problem()
            .map(|problem| (&["oauth2"][..], problem))
    }

    fn basic_auth_problem(&self) -> Option<&'static str> {
        let basic = self.config.basic_auth.as_ref()?;
        let (username_ref, password_ref) = self.basic_auth_refs;
        if several([
            !basic.username.is_empty(),
            basic.username_file.is_some(),
            username_ref,
        ]) {
            return Some(
                "at most one of basic_auth username, username_file & username_ref must be configured",
            );
        }
        if several([
            !basic.password.is_empty(),
            basic.password_file.is_some(),
            password_ref,
        ]) {
            return Some(
                "at most one of basic_auth password, password_file & password_ref must be configured",
            );
        }
        None
    }

    fn oauth2_problem(&self) -> Option<&'static str> {
        let oauth2 = self.config.oauth2.as_ref()?;
        let (secret_ref, key_ref) = self.oauth2_refs;
        if self.config.basic_auth.is_some() {
            return Some(ONE_WAY);
        }
        if oauth2.client_id.is_empty() {
            return Some("oauth2 client_id must be configured");
        }
        if oauth2.token_url.is_empty() {
            return Some("oauth2 token_url must be configured");
        }
        let key = [
            !oauth2.client_certificate_key.is_empty(),
            oauth2.client_certificate_key_file.is_some(),
            key_ref,
        ];
        let secret = [
            !oauth2.client_secret.is_empty(),
            oauth2.client_secret_file.is_some(),
            secret_ref,
        ];
        let algorithm = oauth2.signature_algorithm.as_str();
        if oauth2.grant_type != JWT_BEARER {
            return several(secret).then_some(
                "at most one of oauth2 client_secret, client_secret_file & client_secret_ref must be configured using grant-type=client_credentials",
            );
        }
        if several(key) {
            return Some(
                "at most one of oauth2 client_certificate_key, client_certificate_key_file & client_certificate_key_ref must be configured using grant-type=urn:ietf:params:oauth:grant-type:jwt-bearer",
            );
        }
        (!matches!(algorithm, "" | "RS256" | "RS384" | "RS512"))
            .then_some("valid signature algorithms are RS256, RS384 and RS512")
    }
}

const ONE_WAY: &str = "at most one of basic_auth, oauth2 & authorization must be configured";

fn several<const N: usize>(set: [bool; N]) -> bool {
    set.into_iter().filter(|set| *set).count() > 1
}
