//! A host with something to show, and a browser in front of it.

use std::any::Any;
use std::path::Path;
use std::time::Duration;

use serde_json::{Value, json};
use tempfile::TempDir;
use tokio::process::Command;
use tokio::time::{Instant, sleep};

use crate::browser::Browser;
use crate::running::{PATIENCE, Running};

/// A value that tries to become markup, and to turn the text around it.
pub(crate) const EVIL: &str = "</td><script>document.title='broken'</script>\u{202e}";
/// Any port.
pub(crate) const ANYWHERE: &str = "127.0.0.1:0";
/// Between two looks at a page.
const LOOK: Duration = Duration::from_millis(50);

/// Everything; stopped when this is dropped.
pub(crate) struct Scene {
    pub(crate) host: Running,
    pub(crate) browser: Browser,
    folder: TempDir,
    /// What the host looks at.
    _around: Box<dyn Any>,
}

// === impl Scene ===

impl Scene {
    /// Something of everything.
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        write_racks(&folder, &["10.0.0.1:9100"]);
        let config = config(&folder);
        let scene = Self::of(folder, &config).await;
        let racks = ["10.0.0.1:9100"];
        scene.host.until_addresses("racks", &racks).await;
        scene
    }

    /// A host with this configuration.
    pub(crate) async fn of(folder: TempDir, config: &Value) -> Self {
        std::fs::write(folder.path().join("prometheus.yml"), config.to_string()).unwrap();
        let host = Running::start(command(folder.path(), "prometheus.yml", ANYWHERE)).await;
        Self::before(host, folder, Box::new(())).await
    }

    /// A host that runs, and what it looks at.
    pub(crate) async fn before(host: Running, folder: TempDir, around: Box<dyn Any>) -> Self {
        Self {
            host,
            browser: Browser::start().await,
            folder,
            _around: around,
        }
    }

    pub(crate) async fn kill(&mut self) {
        self.host.signal("KILL").await;
        self.host.ended().await;
    }

    /// Another host at the address of the one that was killed.
    pub(crate) async fn start_again(&mut self) {
        let address = self.host.url().replace("http://", "");
        self.host = Running::start(command(self.folder.path(), "prometheus.yml", &address)).await;
    }

    /// Lets the file of job `racks` name these targets alone.
    pub(crate) fn write_racks(&self, addresses: &[&str]) {
        write_racks(&self.folder, addresses);
    }

    pub(crate) async fn open(&self, path: &str) {
        let url = format!("{}{path}", self.host.url());
        self.browser.client.goto(&url).await.unwrap();
    }

    /// What a person reads on the page.
    pub(crate) async fn text(&self) -> String {
        let text = self.browser.run("return document.body.innerText").await;
        text.as_str().unwrap().to_owned()
    }

    /// Waits until the page that is open says something, without asking for it again.
    pub(crate) async fn until_says(&self, expected: &str) {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let text = self.text().await;
            if text.contains(expected) {
                return;
            }
            assert!(
                Instant::now() < deadline,
                "never said {expected:?}:\n{text}"
            );
            sleep(LOOK).await;
        }
    }
}

/// The host of this build, or the one that `PERIPLUS_BINARY` names, which measurements want.
pub(crate) fn command(folder: &Path, config: &str, listen: &str) -> Command {
    let binary = std::env::var_os("PERIPLUS_BINARY");
    let mut command = Command::new(binary.unwrap_or_else(|| env!("CARGO_BIN_EXE_periplus").into()));
    command.args(["run", "--config", config, "--listen", listen]);
    command.args(["--admin-listen", ANYWHERE, "--ready-timeout", "1s"]);
    command.current_dir(folder).kill_on_drop(true);
    command
}

fn config(folder: &TempDir) -> Value {
    let racks = folder.path().join("racks.json");
    json!({"scrape_configs": [
        {"job_name": "racks", "file_sd_configs": [{"files": [racks]}]},
        {
            "job_name": "web",
            "static_configs": [{
                "targets": ["web-1:80", "web-2:80"],
                "labels": {"motto": EVIL},
            }],
            "relabel_configs": [
                {"target_label": "site", "replacement": "ams"},
                {"source_labels": ["__address__"], "regex": "web-2.*", "action": "drop"},
            ],
        },
        // Nobody listens there.
        {"job_name": "down", "http_sd_configs": [{"url": "http://127.0.0.1:9/targets"}]},
    ]})
}

/// In one step, as an operator's tool should.
fn write_racks(folder: &TempDir, addresses: &[&str]) {
    let racks = folder.path().join("racks.json");
    let fresh = folder.path().join("racks.new");
    let list = json!([{"targets": addresses, "labels": {"rack": "r7"}}]);
    std::fs::write(&fresh, list.to_string()).unwrap();
    std::fs::rename(fresh, racks).unwrap();
}
