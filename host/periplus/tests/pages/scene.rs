//! A host with something of everything to show, and a browser in front of it.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Map, Value, json};
use tempfile::TempDir;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use crate::running::{PATIENCE, Running};

/// A value that tries to become markup, and to turn the text around it.
pub(crate) const EVIL: &str = "</td><script>document.title='broken'</script>\u{202e}";
/// Between two looks at a page.
const LOOK: Duration = Duration::from_millis(50);

/// Everything; stopped when this is dropped.
pub(crate) struct Scene {
    pub(crate) host: Running,
    pub(crate) browser: Client,
    folder: TempDir,
    _driver: Child,
}

// === impl Scene ===

impl Scene {
    pub(crate) async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("prometheus.yml");
        std::fs::write(&config, self::config(&folder).to_string()).unwrap();
        write_racks(&folder, &["10.0.0.1:9100"]);
        let mut command = Command::new(env!("CARGO_BIN_EXE_periplus"));
        command.arg("run").arg("--config").arg(config);
        command.args(["--listen", "127.0.0.1:0", "--admin-listen", "127.0.0.1:0"]);
        command.args(["--ready-timeout", "1s"]).kill_on_drop(true);
        let host = Running::start(command).await;
        host.until_addresses("racks", &["10.0.0.1:9100"]).await;
        let (driver, browser) = browse().await;
        Self {
            host,
            browser,
            folder,
            _driver: driver,
        }
    }

    /// Lets the file of job `racks` name these targets alone.
    pub(crate) fn write_racks(&self, addresses: &[&str]) {
        write_racks(&self.folder, addresses);
    }

    pub(crate) async fn open(&self, path: &str) {
        let url = format!("{}{path}", self.host.url());
        self.browser.goto(&url).await.unwrap();
    }

    /// What a person reads on the page.
    pub(crate) async fn text(&self) -> String {
        let text = self.run("return document.body.innerText").await;
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

    pub(crate) async fn run(&self, script: &str) -> Value {
        self.browser.execute(script, Vec::new()).await.unwrap()
    }

    /// What is shown at a width, in light or dark.
    pub(crate) async fn picture(&self, width: u32, is_dark: bool) -> Vec<u8> {
        let scheme = if is_dark { "dark" } else { "light" };
        self.devtools(
            "Emulation.setDeviceMetricsOverride",
            json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false}),
        )
        .await;
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.devtools("Emulation.setEmulatedMedia", json!({"features": features}))
            .await;
        self.browser.screenshot().await.unwrap()
    }

    async fn devtools(&self, command: &str, parameters: Value) {
        let command = Devtools(json!({"cmd": command, "params": parameters}));
        self.browser.issue_cmd(command).await.unwrap();
    }
}

/// A command of Chromium's own.
#[derive(Debug)]
struct Devtools(Value);

impl fantoccini::wd::WebDriverCompatibleCommand for Devtools {
    fn endpoint(
        &self,
        base: &url::Url,
        session: Option<&str>,
    ) -> Result<url::Url, url::ParseError> {
        base.join(&format!(
            "session/{}/goog/cdp/execute",
            session.unwrap_or_default()
        ))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(self.0.to_string()))
    }
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

/// A driver on a port of its own, and a browser behind it.
async fn browse() -> (Child, Client) {
    let mut driver = Command::new("chromedriver");
    driver
        .arg("--port=0")
        .stdout(Stdio::piped())
        .kill_on_drop(true);
    let mut driver = driver
        .spawn()
        .expect("chromedriver: install chromium-driver");
    let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
    let port = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if let Some((_, port)) = line.split_once("successfully on port ") {
                return port.trim_end_matches('.').parse::<u16>().unwrap();
            }
        }
        panic!("chromedriver ended");
    };
    let port = timeout(PATIENCE, port).await.expect("no chromedriver");
    // It would stop at a full pipe.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    let arguments = [
        "--headless",
        "--no-sandbox",
        "--disable-gpu",
        "--hide-scrollbars",
    ];
    let mut capabilities = Map::new();
    capabilities.insert("goog:chromeOptions".to_owned(), json!({"args": arguments}));
    let browser = ClientBuilder::new(HttpConnector::new())
        .capabilities(capabilities)
        .connect(&format!("http://127.0.0.1:{port}"))
        .await
        .unwrap();
    (driver, browser)
}

/// Where pictures go.
pub(crate) fn pictures() -> PathBuf {
    let folder = std::env::var_os("PERIPLUS_PICTURES").map(PathBuf::from);
    let folder = folder.unwrap_or_else(|| std::env::temp_dir().join("periplus-pictures"));
    std::fs::create_dir_all(&folder).unwrap();
    folder
}
