//! The client: one request is a chain of hops, each checked before anything is sent.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{ACCEPT_ENCODING, AUTHORIZATION, LOCATION, PROXY_AUTHORIZATION, USER_AGENT};
use http::{HeaderMap, HeaderValue, Method, Request, Response, StatusCode};
use http_body_util::Full;
use hyper::body::Incoming;
use tokio::sync::Semaphore;
use url::Url;

use crate::error::{EgressError, FailureKind};
use crate::origin::{Origin, OriginPattern};
use crate::policy::OriginPolicy;
use crate::resolve::{NameResolver, SystemResolver};
use crate::settings::ClientSettings;
use crate::transport::Transport;
use crate::{body, headers};

const AGENT: &str = concat!("periplus/", env!("CARGO_PKG_VERSION"));

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
    /// Whether headers or body hold secrets that are for the origin of `url` alone: a redirect to
    /// another one is an error.
    pub is_bound: bool,
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
    transport: Transport,
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
    /// Where the chain began.
    first: Origin,
    headers: HeaderMap,
    body: Option<Bytes>,
    /// Whether a redirect must stay with the first origin.
    is_bound: bool,
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
    /// A client with connections of its own. Files are read when a request needs them.
    #[must_use]
    pub fn new(options: EgressOptions) -> Self {
        let EgressOptions {
            policy,
            settings,
            credential_origins,
            limits,
            resolver,
        } = options;
        let policy = Arc::new(policy);
        let transport = Transport::new(
            settings.clone(),
            Arc::clone(&policy),
            resolver,
            limits.concurrency,
        );
        Self {
            transport,
            policy,
            settings,
            credential_origins,
            limits,
            slots: Semaphore::new(limits.concurrency),
        }
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
        let reserved = if self.policy.is_of_source() {
            // The host itself asks, and settings add to what it says.
            Vec::new()
        } else {
            self.settings.reserved_headers()
        };
        let headers = headers::checked(&request.headers, &reserved)?;
        let credentials = self.gets_credentials(&origin);
        Ok(Hop {
            method,
            url,
            first: origin.clone(),
            origin,
            headers,
            body: request.body.map(Bytes::from),
            is_bound: request.is_bound,
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

    async fn exchange(&self, hop: &Hop) -> Result<Response<Incoming>, EgressError> {
        // Names are checked where they are resolved; what is behind a proxy never gets there.
        if let Some(address) = hop.origin.address() {
            let rule = self.policy.addresses(&hop.origin);
            rule.check(address)
                .map_err(|e| EgressError::new(FailureKind::Denied, e.to_string()))?;
        }
        let headers = self.headers_of(hop).await?;
        let response = self.send_once(hop, headers.clone()).await?;
        let is_refused = response.status() == StatusCode::UNAUTHORIZED && hop.credentials;
        if is_refused && self.settings.refused(&headers).await {
            // The token was withdrawn before its time: once more with a new one.
            let headers = self.headers_of(hop).await?;
            return self.send_once(hop, headers).await;
        }
        Ok(response)
    }

    async fn headers_of(&self, hop: &Hop) -> Result<HeaderMap, EgressError> {
        let mut headers = hop.headers.clone();
        headers.insert(ACCEPT_ENCODING, HeaderValue::from_static("gzip"));
        headers
            .entry(USER_AGENT)
            .or_insert(HeaderValue::from_static(AGENT));
        if !hop.credentials {
            return Ok(headers);
        }
        // As upstream: what the URL says of the user goes before all but a token.
        let has_own = headers.contains_key(AUTHORIZATION);
        let has_token = self.settings.config().oauth2.is_some();
        for (name, value) in &self.settings.headers().await? {
            if name != AUTHORIZATION {
                headers.append(name, value.clone());
            } else if has_token || !has_own {
                headers.insert(AUTHORIZATION, value.clone());
            }
        }
        Ok(headers)
    }

    async fn send_once(
        &self,
        hop: &Hop,
        headers: HeaderMap,
    ) -> Result<Response<Incoming>, EgressError> {
        let body = Full::new(hop.body.clone().unwrap_or_default());
        let mut request = Request::new(body);
        let uri = hop.url.as_str().parse().map_err(|_| {
            let message = "the request's URL cannot be sent".to_owned();
            EgressError::new(FailureKind::Invalid, message)
        })?;
        *request.uri_mut() = uri;
        *request.method_mut() = hop.method.clone();
        *request.headers_mut() = headers;
        let proxies = self.settings.proxies();
        if let Some(value) = proxies.forward_authorization(request.uri()) {
            request.headers_mut().insert(PROXY_AUTHORIZATION, value);
        }
        let response = self.transport.send(request).await;
        response.map_err(|error| error.of_request_to(&hop.origin))
    }

    fn gets_credentials(&self, origin: &Origin) -> bool {
        self.credential_origins.is_empty()
            || self
                .credential_origins
                .iter()
                .any(|pattern| pattern.matches(origin))
    }

    /// Turns the hop into the next one if the answer is a redirect that is to be followed.
    fn next_hop(&self, hop: &mut Hop, response: &Response<Incoming>) -> Result<bool, EgressError> {
        let status = response.status();
        let redirect = matches!(status.as_u16(), 301 | 302 | 303 | 307 | 308);
        let Some(location) = response.headers().get(LOCATION).filter(|_| redirect) else {
            return Ok(false);
        };
        if !self.settings.config().follow_redirects {
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
        if hop.is_bound && origin != hop.first {
            let message =
                format!("redirected to `{origin}`, which the secrets of the request are not for");
            return Err(EgressError::new(FailureKind::Denied, message));
        }
        if !self.policy.keeps_credentials(&hop.first, &origin) {
            headers::strip_for_other_origin(&mut hop.headers);
            hop.credentials = false;
        }
        hop.origin = origin;
        hop.url = url;
        Ok(true)
    }

    async fn finish(&self, response: Response<Incoming>) -> Result<EgressResponse, EgressError> {
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
