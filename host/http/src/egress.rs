//! The client: one request is a chain of hops, each checked before anything is sent.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use http::header::LOCATION;
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use tokio::sync::Semaphore;
use url::Url;

use crate::address::check_address;
use crate::error::{EgressError, FailureKind};
use crate::origin::{Origin, OriginPattern};
use crate::policy::OriginPolicy;
use crate::resolve::{CheckedResolver, NameResolver, SystemResolver};
use crate::settings::{ClientSettings, SettingsError};
use crate::{body, headers};

/// What bounds every request.
#[derive(Clone, Copy, Debug)]
pub struct EgressLimits {
    /// Time for a whole exchange where the request says nothing.
    pub default_timeout: Duration,
    /// The most that a request may ask for.
    pub max_timeout: Duration,
    /// Bytes of a body, in either direction, encoded and decoded.
    pub max_body: usize,
    /// Bytes of all names and values of a request's headers.
    pub max_headers: usize,
    /// Requests under way at a time; more wait their turn within their own time.
    pub concurrency: usize,
    /// Redirects that are followed.
    pub max_redirects: usize,
}

/// What a client is made from.
pub struct EgressOptions {
    /// What may be asked for.
    pub policy: OriginPolicy,
    /// Client settings of the section.
    pub settings: ClientSettings,
    /// Origins to which the settings' credentials are sent; none: wherever the policy allows.
    pub credential_origins: Vec<OriginPattern>,
    /// Bounds.
    pub limits: EgressLimits,
    /// Who looks names up.
    pub resolver: Arc<dyn NameResolver>,
}

/// A request of a guest.
#[derive(Clone, Debug, Default)]
pub struct EgressRequest {
    /// The method.
    pub method: String,
    /// The absolute URL.
    pub url: String,
    /// Headers, in order.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Option<Vec<u8>>,
    /// Time for the whole exchange.
    pub timeout: Option<Duration>,
}

/// The answer, decoded.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EgressResponse {
    /// The status.
    pub status: u16,
    /// Headers, names in lower case, values as Latin-1.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

/// The one door out, for one instance: its grants, its settings, its connections.
pub struct EgressClient {
    client: reqwest::Client,
    policy: Arc<OriginPolicy>,
    settings: ClientSettings,
    credential_origins: Vec<OriginPattern>,
    limits: EgressLimits,
    slots: Semaphore,
}

/// One exchange of a chain.
struct Hop {
    method: Method,
    url: Url,
    origin: Origin,
    headers: HeaderMap,
    body: Option<Vec<u8>>,
    /// Whether the settings' credentials go along; never again once another origin was reached.
    credentials: bool,
}

// === impl EgressLimits ===

impl Default for EgressLimits {
    fn default() -> Self {
        Self {
            default_timeout: Duration::from_secs(30),
            max_timeout: Duration::from_mins(10),
            max_body: 32 << 20,
            max_headers: 64 << 10,
            concurrency: 16,
            max_redirects: 10,
        }
    }
}

// === impl EgressOptions ===

impl EgressOptions {
    /// The system's resolver, no credentials, the default bounds.
    #[must_use]
    pub fn new(policy: OriginPolicy) -> Self {
        Self {
            policy,
            settings: ClientSettings::default(),
            credential_origins: Vec::new(),
            limits: EgressLimits::default(),
            resolver: Arc::new(SystemResolver),
        }
    }
}

// === impl EgressClient ===

impl EgressClient {
    /// A client with connections of its own.
    pub fn new(options: EgressOptions) -> Result<Self, SettingsError> {
        let EgressOptions {
            policy,
            settings,
            credential_origins,
            limits,
            resolver,
        } = options;
        // Somebody else may have installed one; which is as good.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let policy = Arc::new(policy);
        let resolver = CheckedResolver {
            resolver,
            policy: Arc::clone(&policy),
            proxy_host: settings.proxy_host(),
        };
        let builder = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .referer(false)
            .no_gzip()
            .user_agent(concat!("periplus/", env!("CARGO_PKG_VERSION")))
            .pool_max_idle_per_host(limits.concurrency)
            .dns_resolver(Arc::new(resolver));
        let client = settings
            .apply(builder)?
            .build()
            .map_err(SettingsError::Client)?;
        let slots = Semaphore::new(limits.concurrency);
        Ok(Self {
            client,
            policy,
            settings,
            credential_origins,
            limits,
            slots,
        })
    }

    /// Sends a request and follows where it is led, within its time and its grants.
    pub async fn send(&self, request: EgressRequest) -> Result<EgressResponse, EgressError> {
        let timeout = request
            .timeout
            .unwrap_or(self.limits.default_timeout)
            .clamp(Duration::from_millis(1), self.limits.max_timeout);
        let exchange = async {
            let hop = self.first_hop(request)?;
            let _slot = self.slots.acquire().await.map_err(|_| closed())?;
            self.follow(hop).await
        };
        match tokio::time::timeout(timeout, exchange).await {
            Ok(outcome) => outcome,
            Err(_) => Err(EgressError::new(
                FailureKind::Timeout,
                format!("no complete answer within {timeout:?}"),
            )),
        }
    }

    fn first_hop(&self, request: EgressRequest) -> Result<Hop, EgressError> {
        let invalid = |message: String| EgressError::new(FailureKind::Invalid, message);
        let method = Method::from_bytes(request.method.as_bytes())
            .map_err(|_| invalid(format!("`{}` is not a method", request.method)))?;
        if method == Method::CONNECT || method == Method::TRACE {
            return Err(invalid(format!("method `{method}` is never allowed")));
        }
        if request.url.starts_with("http+unix:") {
            return Err(invalid(
                "`http+unix` is not offered by this host yet".to_owned(),
            ));
        }
        // The parser's text holds no part of the URL.
        let url = Url::parse(&request.url)
            .map_err(|e| invalid(format!("the request's URL cannot be read: {e}")))?;
        if !url.username().is_empty() || url.password().is_some() || url.fragment().is_some() {
            return Err(invalid(
                "the URL may have no user and no fragment".to_owned(),
            ));
        }
        let size: usize = request.headers.iter().map(|(n, v)| n.len() + v.len()).sum();
        let body = request.body.as_ref().map_or(0, Vec::len);
        if size > self.limits.max_headers || body > self.limits.max_body {
            return Err(EgressError::new(
                FailureKind::TooLarge,
                format!(
                    "the request passes the limit of {} bytes of headers or {} bytes of body",
                    self.limits.max_headers, self.limits.max_body
                ),
            ));
        }
        let origin = self.policy.check(&method, &url)?;
        let headers = headers::checked(&request.headers, &self.settings.reserved_headers())?;
        let credentials = self.gets_credentials(&origin);
        Ok(Hop {
            method,
            url,
            origin,
            headers,
            body: request.body,
            credentials,
        })
    }

    async fn follow(&self, mut hop: Hop) -> Result<EgressResponse, EgressError> {
        for _ in 0..=self.limits.max_redirects {
            let response = self.exchange(&hop).await?;
            if !self.next_hop(&mut hop, &response)? {
                return self.finish(response).await;
            }
        }
        let limit = self.limits.max_redirects;
        Err(EgressError::new(
            FailureKind::Other,
            format!("more than {limit} redirects"),
        ))
    }

    async fn exchange(&self, hop: &Hop) -> Result<reqwest::Response, EgressError> {
        // Names are checked where they are resolved; a literal never gets there.
        if let Some(address) = hop.origin.address() {
            check_address(address, self.policy.grants_loopback(&hop.origin))
                .map_err(|e| EgressError::new(FailureKind::Denied, e.to_string()))?;
        }
        let mut headers = hop.headers.clone();
        headers.insert(
            http::header::ACCEPT_ENCODING,
            HeaderValue::from_static("gzip"),
        );
        if hop.credentials {
            for (name, value) in &self.settings.headers().await? {
                headers.append(name, value.clone());
            }
        }
        let mut request = self
            .client
            .request(hop.method.clone(), hop.url.clone())
            .headers(headers);
        if let Some(body) = &hop.body {
            request = request.body(body.clone());
        }
        request
            .send()
            .await
            .map_err(|e| EgressError::from_reqwest(&e).of_request_to(&hop.origin))
    }

    fn gets_credentials(&self, origin: &Origin) -> bool {
        self.credential_origins.is_empty()
            || self
                .credential_origins
                .iter()
                .any(|pattern| pattern.matches(origin))
    }

    /// Turns the hop into the next one if the answer is a redirect that is to be followed.
    fn next_hop(&self, hop: &mut Hop, response: &reqwest::Response) -> Result<bool, EgressError> {
        let status = response.status();
        let redirect = matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308);
        let Some(location) = response.headers().get(LOCATION).filter(|_| redirect) else {
            return Ok(false);
        };
        if !self.settings.follows_redirects() {
            return Ok(false);
        }
        let invalid = || {
            EgressError::new(
                FailureKind::Other,
                "the redirect's location is not a URL".to_owned(),
            )
        };
        let location = location.to_str().map_err(|_| invalid())?;
        let mut url = hop.url.join(location).map_err(|_| invalid())?;
        url.set_fragment(None);
        if !url.username().is_empty() || url.password().is_some() {
            return Err(invalid());
        }
        if becomes_get(status, &hop.method) {
            hop.method = Method::GET;
            hop.body = None;
            hop.headers.remove(http::header::CONTENT_TYPE);
        }
        let origin = self.policy.check(&hop.method, &url).map_err(|error| {
            EgressError::new(error.kind, format!("redirected: {}", error.message))
        })?;
        if origin != hop.origin {
            headers::strip_for_other_origin(&mut hop.headers);
            hop.credentials = false;
        }
        hop.origin = origin;
        hop.url = url;
        Ok(true)
    }

    async fn finish(&self, response: reqwest::Response) -> Result<EgressResponse, EgressError> {
        let status = response.status().as_u16();
        let map = response.headers().clone();
        let (body, decoded) = body::read(response, self.limits.max_body).await?;
        Ok(EgressResponse {
            status,
            headers: headers::readable(&map, decoded),
            body,
        })
    }
}

impl fmt::Debug for EgressClient {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("EgressClient")
            .field("policy", &self.policy)
            .finish_non_exhaustive()
    }
}

fn becomes_get(status: StatusCode, method: &Method) -> bool {
    match status.as_u16() {
        303 => *method != Method::HEAD,
        301 | 302 => *method == Method::POST,
        _ => false,
    }
}

fn closed() -> EgressError {
    EgressError::new(FailureKind::Other, "the client is closed".to_owned())
}
