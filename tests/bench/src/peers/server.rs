//! The real API server: starting it, filling it, and changing objects in it.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, ensure};
use futures::stream::{self, StreamExt, TryStreamExt};
use periplus_e2e::process::{free_port, wait_until};
use periplus_kube_api::load::{Change, Cluster, Name};
use reqwest::{Certificate, Client, Method, StatusCode};
use serde_json::{Value, json};

use crate::process::{Daemon, Usage};

const START: Duration = Duration::from_mins(2);
/// Writes under way at a time while the server is filled: enough to keep two cores busy.
const PARALLEL: usize = 24;
/// On a machine that is busy otherwise, etcd does not always answer in time.
const ATTEMPTS: u32 = 8;
const PAUSE: Duration = Duration::from_millis(500);

/// etcd and kube-apiserver in one process, and an administrator's client that keeps its connections.
pub(super) struct Server {
    daemon: Daemon,
    folder: std::path::PathBuf,
    url: String,
    client: Client,
    token: String,
}

// === impl Server ===

impl Server {
    /// Starts it with an empty store.
    pub(super) async fn start(program: &Path, folder: &Path) -> anyhow::Result<Arc<Self>> {
        let directory = folder.join("cluster");
        let port = free_port()?;
        let arguments = [
            format!("--dir={}", directory.display()),
            format!("--port={port}"),
            format!("--etcd-port={}", free_port()?),
        ];
        let mut daemon = Daemon::start("apiserver", program, &arguments, folder)?;
        let kubeconfig = directory.join("kubeconfig");
        wait_until(START, "kube-apiserver", async || {
            daemon.check()?;
            Ok(kubeconfig.exists())
        })
        .await?;
        let certificate = std::fs::read(directory.join("certs/apiserver.crt"))?;
        let client = Client::builder()
            .no_proxy()
            .tls_certs_only(Certificate::from_pem_bundle(&certificate)?)
            .timeout(Duration::from_mins(1))
            .build()?;
        let token = std::fs::read_to_string(directory.join("token"))?;
        Ok(Arc::new(Self {
            daemon,
            folder: directory,
            url: format!("https://127.0.0.1:{port}"),
            client,
            token: token.trim().to_owned(),
        }))
    }

    /// What a section says to get here.
    pub(super) fn section(&self) -> String {
        format!(
            "kubeconfig_file: {}",
            self.folder.join("kubeconfig").display()
        )
    }

    pub(super) fn usage(&self) -> anyhow::Result<Usage> {
        self.daemon.usage()
    }

    /// Creates all objects of a cluster, kind after kind.
    pub(super) async fn fill(&self, cluster: &Cluster) -> anyhow::Result<()> {
        let mut objects = cluster.objects().peekable();
        while let Some(first) = objects.peek() {
            let kind = first["kind"].clone();
            let same = std::iter::from_fn(|| objects.next_if(|object| object["kind"] == kind));
            let writes = stream::iter(same).map(|object| async move { self.apply(object).await });
            let done = writes.buffer_unordered(PARALLEL);
            done.try_for_each(|()| std::future::ready(Ok(()))).await?;
        }
        Ok(())
    }

    /// The size of a Pod's JSON.
    pub(super) async fn pod_bytes(&self, cluster: &Cluster) -> anyhow::Result<usize> {
        let (namespace, name) = cluster.pod_name(0.into());
        let path = format!("/api/v1/namespaces/{namespace}/pods/{name}");
        let pod = self.send(Method::GET, &path, &Value::Null).await?;
        Ok(pod.1.to_string().len())
    }

    /// Makes a change; returns when the server has acknowledged it.
    pub(super) async fn make(&self, change: Change) -> anyhow::Result<()> {
        match change {
            Change::Patch {
                object,
                status,
                patch,
            } => {
                let path = path_of(&object) + if status { "/status" } else { "" };
                self.expect(Method::PATCH, &path, &patch).await
            }
            Change::Apply(object) => self.apply(object).await,
            Change::Delete(object) => {
                let options =
                    json!({"apiVersion": "v1", "kind": "DeleteOptions", "gracePeriodSeconds": 0});
                self.expect(Method::DELETE, &path_of(&object), &options)
                    .await
            }
        }
    }

    /// Creates an object or replaces it. The server begins each Pod with a status of its own, so that is
    /// written apart.
    async fn apply(&self, mut object: Value) -> anyhow::Result<()> {
        let metadata = object["metadata"].as_object_mut();
        let metadata = metadata.context("an object without metadata")?;
        // These are the server's to say.
        for field in ["uid", "creationTimestamp", "managedFields"] {
            metadata.shift_remove(field);
        }
        let (collection, path, has_status) = place(&object)?;
        let (code, answer) = self.send(Method::POST, &collection, &object).await?;
        if code == StatusCode::CONFLICT {
            self.expect(Method::PUT, &path, &object).await?;
        } else {
            checked(&path, code, &answer)?;
        }
        if has_status {
            let status = format!("{path}/status");
            self.expect(Method::PUT, &status, &object).await?;
        }
        Ok(())
    }

    async fn expect(&self, method: Method, path: &str, body: &Value) -> anyhow::Result<()> {
        let (code, answer) = self.send(method, path, body).await?;
        checked(path, code, &answer)
    }

    /// Sends a request, and again while the server says that it has failed itself.
    async fn send(
        &self,
        method: Method,
        path: &str,
        body: &Value,
    ) -> anyhow::Result<(StatusCode, Value)> {
        let mut attempt = 1;
        loop {
            let answer = self.send_once(method.clone(), path, body).await?;
            if !answer.0.is_server_error() || attempt == ATTEMPTS {
                return Ok(answer);
            }
            attempt += 1;
            tokio::time::sleep(PAUSE).await;
        }
    }

    async fn send_once(
        &self,
        method: Method,
        path: &str,
        body: &Value,
    ) -> anyhow::Result<(StatusCode, Value)> {
        let kind = match method {
            Method::PATCH => "application/merge-patch+json",
            _ => "application/json",
        };
        let url = format!("{}{path}", self.url);
        let mut request = self.client.request(method, url).bearer_auth(&self.token);
        if !body.is_null() {
            request = request.header("content-type", kind).body(body.to_string());
        }
        let response = request.send().await;
        let response = response.context("the API server did not answer")?;
        let code = response.status();
        Ok((code, response.json().await.unwrap_or_default()))
    }
}

fn checked(path: &str, code: StatusCode, answer: &Value) -> anyhow::Result<()> {
    let message = answer["message"].as_str().unwrap_or("no message");
    ensure!(code.is_success(), "`{path}`: {code}: {message}");
    Ok(())
}

/// The paths of an object's collection and of itself, and whether its status is written apart.
fn place(object: &Value) -> anyhow::Result<(String, String, bool)> {
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let kind = text(&object["kind"]);
    let (resource, has_status) = match kind.as_str() {
        "Namespace" => ("v1/namespaces", false),
        "Node" => ("v1/nodes", true),
        "Pod" => ("v1/pods", true),
        "Service" => ("v1/services", false),
        "ReplicaSet" => ("apps/v1/replicasets", false),
        "EndpointSlice" => ("discovery.k8s.io/v1/endpointslices", false),
        _ => anyhow::bail!("objects of kind `{kind}` are unknown to the benchmark"),
    };
    let mut name = Name {
        resource,
        namespace: text(&object["metadata"]["namespace"]),
        name: String::new(),
    };
    let collection = path_of(&name).trim_end_matches('/').to_owned();
    name.name = text(&object["metadata"]["name"]);
    Ok((collection, path_of(&name), has_status))
}

fn path_of(name: &Name) -> String {
    let Name {
        resource,
        namespace,
        name,
    } = name;
    let (version, plural) = resource.rsplit_once('/').unwrap_or(("v1", resource));
    let base = if version == "v1" { "/api" } else { "/apis" };
    let namespace = if namespace.is_empty() {
        String::new()
    } else {
        format!("/namespaces/{namespace}")
    };
    format!("{base}/{version}{namespace}/{plural}/{name}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn objects_are_where_the_api_has_them() {
        let cluster = Cluster::of_pods(1);
        let mut paths = Vec::new();
        for object in cluster.objects().filter(|o| o["kind"] != "Namespace") {
            let (collection, path, _) = place(&object).unwrap();
            assert!(path.starts_with(&format!("{collection}/")), "{path}");
            paths.push(collection);
        }
        let expected = [
            "/api/v1/nodes",
            "/apis/apps/v1/namespaces/team-00/replicasets",
            "/api/v1/namespaces/team-00/services",
            "/api/v1/namespaces/team-00/pods",
            "/apis/discovery.k8s.io/v1/namespaces/team-00/endpointslices",
        ];
        assert_eq!(paths, expected);
    }
}
