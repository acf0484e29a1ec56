//! HTTP client settings, wherever they stand.

use std::collections::BTreeMap;

use super::{Context, path, url};
use crate::http_client::{
    Authorization, BasicAuth, HeaderValues, HttpClientConfig, OAuth2, ProxyConfig, TlsConfig,
    TlsVersion,
};
use crate::secret::Secret;
use crate::yaml::{Fields, Value};

const JWT_BEARER: &str = "urn:ietf:params:oauth:grant-type:jwt-bearer";

/// Headers that nobody may set.
const RESERVED_HEADERS: [&str; 18] = [
    "Authorization",
    "Host",
    "Content-Encoding",
    "Content-Length",
    "Content-Type",
    "User-Agent",
    "Connection",
    "Keep-Alive",
    "Proxy-Authenticate",
    "Proxy-Authorization",
    "Www-Authenticate",
    "Accept-Encoding",
    "X-Prometheus-Remote-Write-Version",
    "X-Prometheus-Remote-Read-Version",
    "X-Prometheus-Scrape-Timeout-Seconds",
    "X-Amz-Date",
    "X-Amz-Security-Token",
    "X-Amz-Content-Sha256",
];

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
        check_proxy(fields, self.config.proxy_url.as_deref(), &self.config.proxy)?;
        for name in self.config.http_headers.keys() {
            let canonical = canonical_header(name);
            if RESERVED_HEADERS.contains(&canonical.as_str()) {
                fields
                    .place(&["http_headers"])
                    .error(format!("setting header {canonical:?} is not allowed"));
                return None;
            }
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

type Join<'j> = &'j dyn Fn(&str) -> Option<std::path::PathBuf>;

fn read_basic_auth(value: &Value<'_>, join: Join<'_>) -> Option<(BasicAuth, (bool, bool))> {
    if value.is_null() {
        return None;
    }
    let mut fields = value.fields("config.plain")?;
    let basic_auth = BasicAuth {
        username: fields.string("username"),
        username_file: join(&fields.string("username_file")),
        password: Secret::new(fields.string("password")),
        password_file: join(&fields.string("password_file")),
    };
    let username_ref = take_ref(&mut fields, "username_ref");
    let password_ref = take_ref(&mut fields, "password_ref");
    fields.finish();
    Some((basic_auth, (username_ref, password_ref)))
}

fn read_authorization(value: &Value<'_>, join: Join<'_>) -> Option<(Authorization, bool)> {
    if value.is_null() {
        return None;
    }
    let mut fields = value.fields("config.Authorization")?;
    let authorization = Authorization {
        kind: fields.string("type"),
        credentials: Secret::new(fields.string("credentials")),
        credentials_file: join(&fields.string("credentials_file")),
    };
    let reference = take_ref(&mut fields, "credentials_ref");
    fields.finish();
    Some((authorization, reference))
}

/// A reference into a secret manager, which Prometheus accepts here and fails on later.
fn take_ref(fields: &mut Fields<'_>, key: &'static str) -> bool {
    let is_set = !fields.string(key).is_empty();
    if is_set {
        fields.place(&[key]).warn_with(
            "cannot use secret ref without manager",
            "write the secret itself, or a file with it",
        );
    }
    is_set
}

fn read_oauth2(value: &Value<'_>, context: &Context<'_>) -> Option<(OAuth2, (bool, bool))> {
    if value.is_null() {
        return None;
    }
    let mut fields = value.fields("config.plain")?;
    let fields = &mut fields;
    let key_file = fields.string("client_certificate_key_file");
    let mut oauth2 = OAuth2 {
        client_id: fields.string("client_id"),
        client_secret: Secret::new(fields.string("client_secret")),
        client_secret_file: path::join_some(
            context.directory,
            &fields.string("client_secret_file"),
        ),
        client_certificate_key_id: fields.string("client_certificate_key_id"),
        client_certificate_key: Secret::new(fields.string("client_certificate_key")),
        client_certificate_key_file: (!key_file.is_empty()).then(|| key_file.into()),
        grant_type: fields.string("grant_type"),
        signature_algorithm: fields.string("signature_algorithm"),
        iss: fields.string("iss"),
        audience: fields.string("audience"),
        claims: fields
            .read("claims", |value| value.json_object())
            .unwrap_or_default(),
        scopes: fields
            .read("scopes", |value| value.strings())
            .unwrap_or_default(),
        token_url: fields.string("token_url"),
        endpoint_params: fields
            .read("endpoint_params", |v| read_text_map(&v))
            .unwrap_or_default(),
        tls: fields
            .read("tls_config", |value| read_tls(&value, context))
            .unwrap_or_default(),
        proxy_url: None,
        proxy: ProxyConfig::default(),
    };
    (oauth2.proxy_url, oauth2.proxy) = take_proxy(fields);
    let refs = (
        take_ref(fields, "client_secret_ref"),
        take_ref(fields, "client_certificate_key_ref"),
    );
    if fields.finish() {
        check_proxy(fields, oauth2.proxy_url.as_deref(), &oauth2.proxy);
    }
    Some((oauth2, refs))
}

fn read_text_map(value: &Value<'_>) -> Option<BTreeMap<String, String>> {
    let pairs = value.map("map[string]string")?;
    Some(
        pairs
            .iter()
            .filter_map(|(key, value)| Some((key.string()?, value.string()?)))
            .collect(),
    )
}

fn read_tls(value: &Value<'_>, context: &Context<'_>) -> Option<TlsConfig> {
    if value.is_null() {
        return None;
    }
    let join = |text: &str| path::join_some(context.directory, text);
    let mut fields = value.fields("config.plain")?;
    let fields = &mut fields;
    let tls = TlsConfig {
        ca: fields.string("ca"),
        ca_file: join(&fields.string("ca_file")),
        cert: fields.string("cert"),
        cert_file: join(&fields.string("cert_file")),
        key: Secret::new(fields.string("key")),
        key_file: join(&fields.string("key_file")),
        server_name: fields.string("server_name"),
        insecure_skip_verify: fields.bool("insecure_skip_verify", false),
        min_version: fields.read("min_version", |value| read_tls_version(&value)),
        max_version: fields.read("max_version", |value| read_tls_version(&value)),
    };
    let ca_ref = take_ref(fields, "ca_ref");
    let cert_ref = take_ref(fields, "cert_ref");
    let key_ref = take_ref(fields, "key_ref");
    if !fields.finish() {
        return Some(tls);
    }
    if let Some((key, message)) = tls_problem(&tls, ca_ref, cert_ref, key_ref) {
        fields.place(&[key]).error(message);
    }
    Some(tls)
}

fn tls_problem(
    tls: &TlsConfig,
    ca_ref: bool,
    cert_ref: bool,
    key_ref: bool,
) -> Option<(&'static str, &'static str)> {
    let cert = [!tls.cert.is_empty(), tls.cert_file.is_some(), cert_ref];
    let key = [!tls.key.is_empty(), tls.key_file.is_some(), key_ref];
    let (has_cert, has_key) = (cert.contains(&true), key.contains(&true));
    if several([!tls.ca.is_empty(), tls.ca_file.is_some(), ca_ref]) {
        return Some((
            "ca",
            "at most one of ca, ca_file & ca_ref must be configured",
        ));
    }
    if several(cert) {
        return Some((
            "cert",
            "at most one of cert, cert_file & cert_ref must be configured",
        ));
    }
    if several(key) {
        return Some(("key", "at most one of key and key_file must be configured"));
    }
    if has_cert && !has_key {
        return Some((
            if tls.cert.is_empty() {
                "cert_file"
            } else {
                "cert"
            },
            "exactly one of key or key_file must be configured when a client certificate is configured",
        ));
    }
    (has_key && !has_cert).then_some((
        if tls.key.is_empty() {
            "key_file"
        } else {
            "key"
        },
        "exactly one of cert or cert_file must be configured when a client key is configured",
    ))
}

fn read_tls_version(value: &Value<'_>) -> Option<TlsVersion> {
    if value.is_null() {
        return None;
    }
    Some(match value.string()?.as_str() {
        "TLS10" => TlsVersion::Tls10,
        "TLS11" => TlsVersion::Tls11,
        "TLS12" => TlsVersion::Tls12,
        "TLS13" => TlsVersion::Tls13,
        other => {
            value.error_with(
                format!("unknown TLS version: {other}"),
                "write `TLS10`, `TLS11`, `TLS12` or `TLS13`",
            );
            return None;
        }
    })
}

fn take_proxy(fields: &mut Fields<'_>) -> (Option<String>, ProxyConfig) {
    let proxy_url = fields
        .read("proxy_url", |value| url::read(&value))
        .map(|url| url.text);
    let proxy = ProxyConfig {
        no_proxy: fields.string("no_proxy"),
        from_environment: fields.bool("proxy_from_environment", false),
        connect_header: fields
            .read("proxy_connect_header", |value| read_connect_header(&value))
            .unwrap_or_default(),
    };
    (proxy_url, proxy)
}

fn read_connect_header(value: &Value<'_>) -> Option<BTreeMap<String, Vec<Secret>>> {
    let pairs = value.map("config.ProxyHeader")?;
    let header = pairs.iter().filter_map(|(key, value)| {
        let values = value.list("[]config.Secret", |item| item.string().map(Secret::new))?;
        Some((key.string()?, values))
    });
    Some(header.collect())
}

fn check_proxy(fields: &Fields<'_>, proxy_url: Option<&str>, proxy: &ProxyConfig) -> Option<()> {
    let has_url = proxy_url.is_some_and(|url| !url.is_empty());
    let problem = if !proxy.connect_header.is_empty() && !proxy.from_environment && !has_url {
        Some((
            "proxy_connect_header",
            "if proxy_connect_header is configured, proxy_url or proxy_from_environment must also be configured",
        ))
    } else if proxy.from_environment && has_url {
        Some((
            "proxy_url",
            "if proxy_from_environment is configured, proxy_url must not be configured",
        ))
    } else if proxy.from_environment && !proxy.no_proxy.is_empty() {
        Some((
            "no_proxy",
            "if proxy_from_environment is configured, no_proxy must not be configured",
        ))
    } else if proxy_url.is_none() && !proxy.no_proxy.is_empty() {
        Some((
            "no_proxy",
            "if no_proxy is configured, proxy_url must also be configured",
        ))
    } else {
        None
    };
    match problem {
        Some((key, message)) => {
            fields.place(&[key]).error(message);
            None
        }
        None => Some(()),
    }
}

fn read_headers(
    value: &Value<'_>,
    context: &Context<'_>,
) -> Option<BTreeMap<String, HeaderValues>> {
    if value.is_null() {
        return None;
    }
    let pairs = value.map("config.Headers")?;
    let headers = pairs.iter().filter_map(|(key, value)| {
        let mut fields = value.fields("config.Header")?;
        let files = fields
            .read("files", |value| value.strings())
            .unwrap_or_default();
        let secrets = fields.read("secrets", |value| {
            value.list("[]config.Secret", |item| item.string().map(Secret::new))
        });
        let header = HeaderValues {
            values: fields
                .read("values", |value| value.strings())
                .unwrap_or_default(),
            secrets: secrets.unwrap_or_default(),
            files: files
                .iter()
                .map(|file| path::join(context.directory, file))
                .collect(),
        };
        fields.finish();
        Some((key.string()?, header))
    });
    Some(headers.collect())
}

/// Go's `http.CanonicalHeaderKey`: a name with characters that no header has stays as it is.
fn canonical_header(name: &str) -> String {
    let is_token = |byte: u8| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte);
    if !name.bytes().all(is_token) {
        return name.to_owned();
    }
    let mut upper = true;
    let canonical = name.chars().map(|character| {
        let mapped = if upper {
            character.to_ascii_uppercase()
        } else {
            character.to_ascii_lowercase()
        };
        upper = character == '-';
        mapped
    });
    canonical.collect()
}
