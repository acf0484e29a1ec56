//! What `periplus kubernetes rbac` prints, on the real API server: it is enough, and each part of it is needed.
//!
//! For each of several configurations the printed manifests are applied for a service account, and a Periplus
//! that runs as that account becomes ready with targets in every job. Then each permission, one verb on one
//! resource, is taken away in turn: Periplus must not become ready, and must say what it lacks.
//!
//! Two servers are needed for that. One that streams (the gate `WatchList`) gives everything to those who may watch,
//! so what needs `list` shows only on one that does not.

mod cases;
mod grants;

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail, ensure};
use futures::stream::{self, StreamExt};
use reqwest::Client;
use serde_json::{Value, json};
use tokio::process::Command;
use tokio::time::{Instant, sleep};

use self::cases::{Case, NAMESPACE};
use self::grants::Permission;
use crate::kube::Cluster;
use crate::periplus::{List, Periplus, read_list};
use crate::process::{free_port, wait_until};
use crate::runner::Setup;
use crate::say;
use crate::script::ObjectName;
use crate::sides::{job_name, periplus_config};

/// How long a Periplus that may do everything has to become ready.
const PATIENCE: Duration = Duration::from_mins(1);

/// How long one that lacks something must stay as it is after it has said so.
const STAYS: Duration = Duration::from_secs(2);

const EVERY: Duration = Duration::from_millis(100);

/// An API server with some features, and the permissions that are needed there.
struct Server {
    name: &'static str,
    gates: &'static str,
    needs: fn(&Permission) -> bool,
}

/// Each permission is tried on exactly one of them.
const SERVERS: [Server; 2] = [
    Server {
        name: "that streams lists",
        gates: "",
        needs: |permission| !permission.is_to_list(),
    },
    Server {
        name: "without WatchList",
        gates: "WatchList=false",
        needs: Permission::is_to_list,
    },
];

/// Everything that one case needs.
struct Stage<'a> {
    setup: &'a Setup,
    server: &'a Server,
    /// Where this server's cases keep their files.
    directory: &'a Path,
    cluster: &'a Cluster,
    case: &'a Case,
    client: Client,
}

/// Runs all cases, so many processes of Periplus at once; what did not come out as it must.
pub async fn run_all(setup: &Setup, parallel: usize) -> anyhow::Result<Vec<String>> {
    let mut failed = Vec::new();
    for (number, server) in SERVERS.iter().enumerate() {
        let directory = setup.directory.join(format!("rbac-{number}"));
        std::fs::create_dir_all(&directory)?;
        let ports = (free_port()?, free_port()?);
        let mut cluster = Cluster::start(&setup.apiserver, &directory, ports, server.gates).await?;
        let outcome = run_cases(setup, server, (&cluster, &directory), parallel).await;
        cluster.stop().await?;
        failed.extend(outcome.with_context(|| format!("on a server {}", server.name))?);
    }
    Ok(failed)
}

async fn run_cases(
    setup: &Setup,
    server: &Server,
    (cluster, directory): (&Cluster, &Path),
    parallel: usize,
) -> anyhow::Result<Vec<String>> {
    for object in cases::objects() {
        cluster.apply(&object).await?;
    }
    cluster.apply(&cases::definition()).await?;
    // The server takes a moment to serve a kind that it has just learned of.
    wait_until(PATIENCE, "the custom resource", async || {
        Ok(cluster.apply(&cases::route()).await.is_ok())
    })
    .await?;
    let mut failed = Vec::new();
    for case in cases::all() {
        let stage = Stage {
            setup,
            server,
            directory,
            cluster,
            case: &case,
            client: Client::builder()
                .no_proxy()
                .timeout(Duration::from_secs(10))
                .build()?,
        };
        let name = format!("rbac on a server {}: {}", server.name, case.name);
        match stage.run(parallel).await {
            Ok(count) => say(&format!(
                "ok      {name}: enough, and each of {count} permissions is needed"
            )),
            Err(error) => {
                say(&format!("FAILED  {name}"));
                failed.push(format!("{name}: {error:#}"));
            }
        }
    }
    Ok(failed)
}

// === impl Stage ===

impl Stage<'_> {
    /// The number of permissions of which each is needed.
    async fn run(&self, parallel: usize) -> anyhow::Result<usize> {
        let account = self.account();
        let manifests = self.manifests(&account).await?;
        let mut permissions = grants::permissions(&manifests);
        permissions.retain(self.server.needs);
        ensure!(!permissions.is_empty(), "nothing is permitted");
        self.is_enough(&account, &manifests)
            .await
            .context("with all permissions")?;
        let checks =
            stream::iter(permissions.iter().enumerate()).map(|(number, permission)| async move {
                let account = format!("{}-{number}", self.account());
                let checked = self.is_needed(&account, permission).await;
                checked.with_context(|| format!("without {permission}"))
            });
        let outcomes: Vec<anyhow::Result<()>> =
            checks.buffer_unordered(parallel.max(1)).collect().await;
        let failed: Vec<String> = outcomes
            .into_iter()
            .filter_map(|outcome| outcome.err().map(|error| format!("{error:#}")))
            .collect();
        if !failed.is_empty() {
            bail!("{}", failed.join("\n    "));
        }
        Ok(permissions.len())
    }

    fn account(&self) -> String {
        format!("periplus-{}", self.case.name)
    }

    fn directory(&self, account: &str) -> anyhow::Result<PathBuf> {
        let directory = self.directory.join(account);
        std::fs::create_dir_all(&directory)?;
        Ok(directory)
    }

    /// What the command prints for an account of this name.
    async fn manifests(&self, account: &str) -> anyhow::Result<Vec<Value>> {
        let file = self.directory(account)?.join("rbac.yml");
        std::fs::write(
            &file,
            periplus_config(&self.case.jobs, &self.cluster.kubeconfig()),
        )?;
        let output = Command::new(&self.setup.periplus)
            .args([
                "kubernetes",
                "rbac",
                "--namespace",
                NAMESPACE,
                "--name",
                account,
                "--config",
            ])
            .arg(&file)
            .output()
            .await?;
        let error = String::from_utf8_lossy(&output.stderr);
        ensure!(
            output.status.success(),
            "`periplus kubernetes rbac` failed: {error}"
        );
        let text = String::from_utf8(output.stdout)?;
        let documents: Vec<Value> = serde_saphyr::from_multiple(&text)?;
        Ok(documents.into_iter().filter(|d| !d.is_null()).collect())
    }

    /// Starts Periplus as an account that may do what the manifests say.
    async fn start(&self, account: &str, manifests: &[Value]) -> anyhow::Result<Periplus> {
        let object = json!({"apiVersion": "v1", "kind": "ServiceAccount",
                            "metadata": {"name": account, "namespace": NAMESPACE}});
        self.cluster.apply(&object).await?;
        for manifest in manifests {
            self.cluster.apply(manifest).await?;
        }
        let directory = self.directory(account)?;
        let kubeconfig = directory.join("kubeconfig");
        let name = ObjectName::named("ServiceAccount", NAMESPACE, account);
        self.cluster.write_kubeconfig(&name, &kubeconfig).await?;
        let config = periplus_config(&self.case.jobs, &kubeconfig);
        Periplus::start(&self.setup.periplus, &directory, free_port()?, &config).await
    }

    async fn is_enough(&self, account: &str, manifests: &[Value]) -> anyhow::Result<()> {
        let mut periplus = self.start(account, manifests).await?;
        let outcome = self.becomes_ready(&periplus).await;
        periplus.stop().await?;
        outcome
    }

    async fn becomes_ready(&self, periplus: &Periplus) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let (ready, text) = self.readiness(periplus).await?;
            if ready {
                break;
            }
            ensure!(
                Instant::now() < deadline,
                "Periplus does not become ready: {text}"
            );
            sleep(EVERY).await;
        }
        for job in &self.case.jobs {
            let name = job_name(job);
            let list = read_list(&self.client, periplus.url(), name, "discovered").await?;
            let some = matches!(&list, List::Known(entries) if !entries.is_empty());
            ensure!(some, "job `{name}` has no targets: {list:?}");
        }
        Ok(())
    }

    async fn is_needed(&self, account: &str, permission: &Permission) -> anyhow::Result<()> {
        let manifests = self.manifests(account).await?;
        let mut periplus = self
            .start(account, &permission.taken_from(&manifests))
            .await?;
        let outcome = self.says_what_it_lacks(&periplus, permission).await;
        periplus.stop().await?;
        outcome
    }

    async fn says_what_it_lacks(
        &self,
        periplus: &Periplus,
        permission: &Permission,
    ) -> anyhow::Result<()> {
        let mut deadline = Instant::now() + PATIENCE;
        let mut named = false;
        loop {
            let (ready, text) = self.readiness(periplus).await?;
            ensure!(!ready, "Periplus becomes ready all the same: {text}");
            if !named && permission.is_named_in(&text) {
                named = true;
                deadline = Instant::now() + STAYS;
            }
            if Instant::now() > deadline {
                ensure!(named, "Periplus does not say what it lacks: {text}");
                return Ok(());
            }
            sleep(EVERY).await;
        }
    }

    /// Whether it is ready, and what it says of it. Ready in spite of what is missing, since it has waited long
    /// enough, does not count.
    async fn readiness(&self, periplus: &Periplus) -> anyhow::Result<(bool, String)> {
        let url = format!("{}/-/ready", periplus.url());
        let answer = self.client.get(url).send().await?;
        let ready = answer.status().is_success();
        let text = answer.text().await?;
        Ok((ready && !text.contains("does not know"), text))
    }
}
