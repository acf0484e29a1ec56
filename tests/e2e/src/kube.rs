//! The real API server: starting it, and changing objects in it.

mod place;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use reqwest::{Certificate, Client, Method, StatusCode};
use serde_json::{Value, json};

use self::place::{defaulted, path};
use crate::history::History;
use crate::process::{POLL, Process, wait_until};
use crate::script::{ObjectName, Patch};
use crate::sides::{namespaces, selectors};

/// etcd and kube-apiserver in one process, with an administrator's client.
#[derive(Debug)]
pub struct Cluster {
    program: PathBuf,
    directory: PathBuf,
    port: u16,
    flags: Vec<String>,
    process: Process,
    client: Client,
    token: String,
    history: History,
}

/// How an object came to its new state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Applied {
    /// It was not there.
    Created,
    /// It was there and has been changed in place.
    Updated,
    /// The server does not allow the change: it was removed and made anew.
    Recreated,
}

const START: Duration = Duration::from_mins(2);

fn arguments(directory: &Path, ports: (u16, u16), gates: &str) -> Vec<String> {
    let (port, etcd_port) = ports;
    vec![
        format!("--dir={}", directory.join("cluster").display()),
        format!("--port={port}"),
        format!("--etcd-port={etcd_port}"),
        format!("--feature-gates={gates}"),
    ]
}

// === impl Cluster ===

impl Cluster {
    /// Starts the server with an empty store in `directory`, with its default features but for `gates`
    /// (`NAME=BOOL`, separated by commas; empty for none).
    pub async fn start(
        program: &Path,
        directory: &Path,
        ports: (u16, u16),
        gates: &str,
    ) -> anyhow::Result<Self> {
        let flags = arguments(directory, ports, gates);
        let mut process = Process::start("apiserver", program, &flags, directory)?;
        ready(&mut process, directory).await?;
        let cluster = directory.join("cluster");
        let certificate = std::fs::read(cluster.join("certs/apiserver.crt"))?;
        let client = Client::builder()
            .no_proxy()
            .tls_certs_only(Certificate::from_pem_bundle(&certificate)?)
            .timeout(Duration::from_secs(30))
            .build()?;
        let token = std::fs::read_to_string(cluster.join("token"))?
            .trim()
            .to_owned();
        Ok(Self {
            program: program.to_owned(),
            directory: directory.to_owned(),
            port: ports.0,
            flags,
            process,
            client,
            token,
            history: History::default(),
        })
    }

    /// What leads to it.
    pub fn kubeconfig(&self) -> PathBuf {
        self.directory.join("cluster/kubeconfig")
    }

    /// Writes a kubeconfig for a service account.
    pub async fn write_kubeconfig(&self, account: &ObjectName, file: &Path) -> anyhow::Result<()> {
        let request = json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenRequest",
                             "spec": {"expirationSeconds": 3600}});
        let path = path(account, true, "/token")?;
        let (code, answer) = self.send(Method::POST, &path, &request).await?;
        let token = answer["status"]["token"].as_str();
        let token = token.with_context(|| format!("{code}: no token: {}", message(&answer)))?;
        let certificate = self.directory.join("cluster/certs/apiserver.crt");
        let server = format!("https://127.0.0.1:{}", self.port);
        let kubeconfig = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "test",
            "clusters": [{"name": "test", "cluster": {
                "server": server, "certificate-authority": certificate.display().to_string()}}],
            "contexts": [{"name": "test", "context": {"cluster": "test", "user": "account"}}],
            "users": [{"name": "account", "user": {"token": token}}],
        });
        std::fs::write(file, kubeconfig.to_string())?;
        Ok(())
    }

    /// Stops it and starts it again with what it had stored.
    pub async fn restart(&mut self) -> anyhow::Result<()> {
        self.process.stop().await?;
        self.process = Process::start("apiserver", &self.program, &self.flags, &self.directory)?;
        let deadline = tokio::time::Instant::now() + START;
        // The kubeconfig stays in place for those who read it, so it says nothing here.
        while !matches!(self.send(Method::GET, "/readyz", &Value::Null).await, Ok((c, _)) if c.is_success())
        {
            self.process.check()?;
            anyhow::ensure!(
                tokio::time::Instant::now() < deadline,
                "kube-apiserver is not ready"
            );
            tokio::time::sleep(POLL).await;
        }
        Ok(())
    }

    /// Fails if it has ended.
    pub fn check(&mut self) -> anyhow::Result<()> {
        self.process.check()
    }

    /// Ends it.
    pub async fn stop(&mut self) -> anyhow::Result<()> {
        self.process.stop().await
    }

    /// Creates or replaces an object, and its status.
    pub async fn apply(&self, object: &Value) -> anyhow::Result<Applied> {
        let mut object = object.clone();
        let name = defaulted(&ObjectName::of(&object)?);
        self.apply_named(&mut object, &name)
            .await
            .with_context(|| format!("applying {name}"))
    }

    async fn apply_named(&self, object: &mut Value, name: &ObjectName) -> anyhow::Result<Applied> {
        let status = object
            .as_object_mut()
            .and_then(|map| map.shift_remove("status"));
        let mut applied = Applied::Created;
        if let Some(current) = self.get(name).await? {
            applied = Applied::Updated;
            object["metadata"]["resourceVersion"] = current["metadata"]["resourceVersion"].clone();
            let (code, answer) = self
                .send(Method::PUT, &path(name, true, "")?, object)
                .await?;
            if code == StatusCode::UNPROCESSABLE_ENTITY {
                applied = Applied::Recreated;
                self.delete(name).await?;
            } else if code.is_success() {
                self.history.record(name, Some(answer));
            } else {
                bail!("{code}: {}", message(&answer));
            }
        }
        if applied != Applied::Updated {
            self.create(object, name).await?;
        }
        if let Some(status) = status {
            self.put_status(name, status).await.context("its status")?;
        }
        Ok(applied)
    }

    async fn create(&self, object: &mut Value, name: &ObjectName) -> anyhow::Result<()> {
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata.shift_remove("resourceVersion");
        }
        let path = path(name, false, "")?;
        let (mut code, mut answer) = self.send(Method::POST, &path, object).await?;
        if code == StatusCode::NOT_FOUND && !name.namespace.is_empty() {
            self.create_namespace(&name.namespace).await?;
            (code, answer) = self.send(Method::POST, &path, object).await?;
        }
        if !code.is_success() {
            bail!("{code}: {}", message(&answer));
        }
        self.history.record(name, Some(answer));
        Ok(())
    }

    /// Scripts need not make the namespaces of their objects.
    async fn create_namespace(&self, namespace: &str) -> anyhow::Result<()> {
        let object =
            json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": namespace}});
        let (code, answer) = self
            .send(Method::POST, "/api/v1/namespaces", &object)
            .await?;
        if code.is_success() {
            let name = ObjectName::named("Namespace", "", namespace);
            self.history.record(&name, Some(answer));
        } else if code != StatusCode::CONFLICT {
            bail!("namespace `{namespace}`: {code}: {}", message(&answer));
        }
        Ok(())
    }

    async fn put_status(&self, name: &ObjectName, status: Value) -> anyhow::Result<()> {
        let mut current = self.get(name).await?.context("it is gone")?;
        current["status"] = status;
        let (code, answer) = self
            .send(Method::PUT, &path(name, true, "/status")?, &current)
            .await?;
        if !code.is_success() {
            bail!("{code}: {}", message(&answer));
        }
        self.history.record(name, Some(answer));
        Ok(())
    }

    /// Applies a merge patch.
    pub async fn patch(&self, patch: &Patch) -> anyhow::Result<()> {
        let name = defaulted(&patch.object);
        let subresource = if patch.status { "/status" } else { "" };
        let path = path(&name, true, subresource)?;
        let (code, answer) = self.send(Method::PATCH, &path, &patch.merge).await?;
        if !code.is_success() {
            bail!("patching {name}: {code}: {}", message(&answer));
        }
        self.history.record(&name, Some(answer));
        Ok(())
    }

    /// Removes an object at once: there is no kubelet that would confirm the end of a Pod.
    pub async fn delete(&self, name: &ObjectName) -> anyhow::Result<()> {
        let name = defaulted(name);
        let options = json!({
            "apiVersion": "v1", "kind": "DeleteOptions",
            "gracePeriodSeconds": 0, "propagationPolicy": "Background",
        });
        let (code, answer) = self
            .send(Method::DELETE, &path(&name, true, "")?, &options)
            .await?;
        if !code.is_success() {
            bail!("deleting {name}: {code}: {}", message(&answer));
        }
        if name.kind == "Namespace" {
            self.finalize_namespace(&name).await?;
        }
        self.history.record(&name, None);
        if name.kind == "Service" {
            // The server takes the endpoints of that name along.
            let endpoints = ObjectName::named("Endpoints", &name.namespace, &name.name);
            let left = self.get(&endpoints).await?;
            self.history.record(&endpoints, left);
        }
        Ok(())
    }

    /// Lets a deleted namespace go, as its controller would once it had emptied it; what is in it stays.
    async fn finalize_namespace(&self, name: &ObjectName) -> anyhow::Result<()> {
        let Some(mut object) = self.get(name).await? else {
            return Ok(());
        };
        object["spec"]["finalizers"] = json!([]);
        let path = path(name, true, "/finalize")?;
        let (code, answer) = self.send(Method::PUT, &path, &object).await?;
        if !code.is_success() {
            bail!("finalizing {name}: {code}: {}", message(&answer));
        }
        Ok(())
    }

    /// The name with the namespace that the server takes it to have.
    pub fn full_name(name: &ObjectName) -> ObjectName {
        defaulted(name)
    }

    /// What the harness has written so far.
    pub fn history(&self) -> &History {
        &self.history
    }

    /// An object, if it is there.
    pub async fn get(&self, name: &ObjectName) -> anyhow::Result<Option<Value>> {
        let (code, answer) = self
            .send(Method::GET, &path(name, true, "")?, &Value::Null)
            .await?;
        match code {
            StatusCode::NOT_FOUND => Ok(None),
            code if code.is_success() => Ok(Some(answer)),
            code => bail!("reading {name}: {code}: {}", message(&answer)),
        }
    }

    /// Whether a section of a job lets an object through that it watches as `role`: the server itself is asked.
    pub async fn selects(
        &self,
        section: &Value,
        role: &str,
        object: &ObjectName,
    ) -> anyhow::Result<bool> {
        let names = namespaces(section);
        if !object.namespace.is_empty() && !names.is_empty() && !names.contains(&object.namespace) {
            return Ok(false);
        }
        let (labels, fields) = selectors(section, role);
        let encode = |text: &str| utf8_percent_encode(text, NON_ALPHANUMERIC).to_string();
        let query = format!(
            "?labelSelector={}&fieldSelector={}",
            encode(&labels),
            encode(&fields)
        );
        let path = path(object, false, "")? + &query;
        let (code, answer) = self.send(Method::GET, &path, &Value::Null).await?;
        if !code.is_success() {
            bail!(
                "listing with the selectors of a section: {code}: {}",
                message(&answer)
            );
        }
        let mut items = answer["items"].as_array().into_iter().flatten();
        Ok(items.any(|item| item["metadata"]["name"] == object.name.as_str()))
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: &Value,
    ) -> anyhow::Result<(StatusCode, Value)> {
        let url = format!("https://127.0.0.1:{}{path}", self.port);
        let kind = match method {
            Method::PATCH => "application/merge-patch+json",
            _ => "application/json",
        };
        let mut request = self.client.request(method, url).bearer_auth(&self.token);
        if !body.is_null() {
            request = request.header("content-type", kind).body(body.to_string());
        }
        let response = request
            .send()
            .await
            .context("the API server did not answer")?;
        let code = response.status();
        Ok((code, response.json().await.unwrap_or_default()))
    }
}

async fn ready(process: &mut Process, directory: &Path) -> anyhow::Result<()> {
    let kubeconfig = directory.join("cluster/kubeconfig");
    wait_until(START, "kube-apiserver", async || {
        process.check()?;
        Ok(kubeconfig.exists())
    })
    .await
}

fn message(answer: &Value) -> &str {
    answer["message"].as_str().unwrap_or("no message")
}
