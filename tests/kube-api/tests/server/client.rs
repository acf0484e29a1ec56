//! A plain client, and objects to write.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client;
use hyper_util::client::legacy::connect::HttpConnector;
use hyper_util::rt::TokioExecutor;
use periplus_kube_api::{KubeApi, Options};
use serde_json::{Value, json};

pub(crate) const PATIENCE: Duration = Duration::from_secs(10);

pub(crate) struct Http(
    pub(crate) Client<HttpConnector, Full<Bytes>>,
    pub(crate) String,
);

impl Http {
    pub(crate) fn new(api: &KubeApi) -> Self {
        Self::to(&api.url())
    }

    pub(crate) fn to(url: &str) -> Self {
        Self(
            Client::builder(TokioExecutor::new()).build_http(),
            url.to_owned(),
        )
    }

    pub(crate) async fn send(
        &self,
        method: Method,
        path: &str,
        body: &Value,
    ) -> http::Response<Incoming> {
        let answer = self.try_send(method, path, body);
        tokio::time::timeout(PATIENCE, answer)
            .await
            .unwrap()
            .unwrap()
    }

    pub(crate) async fn try_send(
        &self,
        method: Method,
        path: &str,
        body: &Value,
    ) -> Result<http::Response<Incoming>, hyper_util::client::legacy::Error> {
        let text = if body.is_null() {
            String::new()
        } else {
            body.to_string()
        };
        let kind = match method {
            Method::PATCH => "application/merge-patch+json",
            _ => "application/json",
        };
        let request = Request::builder()
            .method(method)
            .uri(format!("{}{path}", self.1))
            .header("content-type", kind)
            .body(Full::from(text))
            .unwrap();
        self.0.request(request).await
    }

    pub(crate) async fn json(
        &self,
        method: Method,
        path: &str,
        body: &Value,
    ) -> (StatusCode, Value) {
        let response = self.send(method, path, body).await;
        let code = response.status();
        let bytes = response.into_body().collect().await.unwrap().to_bytes();
        (code, serde_json::from_slice(&bytes).unwrap_or_default())
    }

    pub(crate) async fn get(&self, path: &str) -> (StatusCode, Value) {
        self.json(Method::GET, path, &Value::Null).await
    }

    pub(crate) async fn watch(&self, path: &str) -> Watch {
        let response = self.send(Method::GET, path, &Value::Null).await;
        assert_eq!(response.status(), StatusCode::OK);
        Watch::new(response)
    }
}

pub(crate) struct Watch {
    pub(crate) body: Incoming,
    pub(crate) rest: BytesMut,
}

impl Watch {
    pub(crate) fn new(response: http::Response<Incoming>) -> Self {
        Self {
            body: response.into_body(),
            rest: BytesMut::new(),
        }
    }

    /// The next line; `Ok(None)` at an orderly end, an error if the connection was cut.
    pub(crate) async fn line(&mut self) -> Result<Option<String>, hyper::Error> {
        loop {
            if let Some(end) = self.rest.iter().position(|b| *b == b'\n') {
                let line = self.rest.split_to(end + 1);
                return Ok(Some(String::from_utf8(line[..end].to_vec()).unwrap()));
            }
            match tokio::time::timeout(PATIENCE, self.body.frame())
                .await
                .expect("a line in time")
            {
                Some(Ok(frame)) => self.rest.extend_from_slice(&frame.into_data().unwrap()),
                Some(Err(error)) => return Err(error),
                None => return Ok(None),
            }
        }
    }

    pub(crate) async fn event(&mut self) -> (String, Value) {
        let line = self.line().await.unwrap().expect("an event");
        let mut event: Value = serde_json::from_str(&line).unwrap();
        (
            event["type"].as_str().unwrap().to_owned(),
            event["object"].take(),
        )
    }

    pub(crate) async fn expect(&mut self, kind: &str, name: &str) -> Value {
        let (got, object) = self.event().await;
        assert_eq!(
            (got.as_str(), object["metadata"]["name"].as_str()),
            (kind, Some(name))
        );
        object
    }
}

pub(crate) fn pod(namespace: &str, name: &str, app: &str) -> Value {
    json!({"apiVersion": "v1", "kind": "Pod",
           "metadata": {"namespace": namespace, "name": name, "labels": {"app": app}},
           "spec": {"nodeName": "n1"}, "status": {"phase": "Running", "podIP": "10.0.0.1"}})
}

pub(crate) async fn server() -> (KubeApi, Http) {
    let api = KubeApi::start(Options::default()).await.unwrap();
    let http = Http::new(&api);
    (api, http)
}

pub(crate) fn names(list: &Value) -> Vec<&str> {
    let items = list["items"].as_array().unwrap();
    items
        .iter()
        .map(|i| i["metadata"]["name"].as_str().unwrap())
        .collect()
}
