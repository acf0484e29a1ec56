//! One HTTP/1.1 connection that is kept.

use std::net::SocketAddr;

use anyhow::Context;
use bytes::Bytes;
use http_body_util::{BodyExt, Empty};
use hyper::client::conn::http1::{self, SendRequest};
use hyper::{HeaderMap, Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

/// A connection to the host.
pub(crate) struct Client {
    sender: SendRequest<Empty<Bytes>>,
    address: SocketAddr,
}

/// An answer, read to its end.
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: Bytes,
}

// === impl Client ===

impl Client {
    pub(crate) async fn connect(address: SocketAddr) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
        tokio::spawn(connection);
        Ok(Self { sender, address })
    }

    pub(crate) async fn get(
        &mut self,
        path: &str,
        headers: &[(&'static str, &str)],
    ) -> anyhow::Result<Answer> {
        let mut request = Request::get(path).header("host", self.address.to_string());
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.sender.ready().await?;
        let response = self
            .sender
            .send_request(request.body(Empty::new())?)
            .await?;
        let (head, body) = response.into_parts();
        let body = body.collect().await?.to_bytes();
        Ok(Answer {
            status: head.status,
            headers: head.headers,
            body,
        })
    }

    /// The tag of a list as it is now, without its body: `*` matches whatever there is.
    pub(crate) async fn tag(&mut self, path: &str) -> anyhow::Result<String> {
        let answer = self.get(path, &[("if-none-match", "*")]).await?;
        anyhow::ensure!(
            answer.status == StatusCode::NOT_MODIFIED,
            "`{path}` answered {}: {}",
            answer.status,
            String::from_utf8_lossy(&answer.body)
        );
        let tag = answer
            .headers
            .get("etag")
            .context("the answer has no tag")?;
        Ok(tag.to_str()?.to_owned())
    }
}
