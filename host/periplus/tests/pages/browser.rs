//! A Chromium without a screen, driven by its own driver.

use std::process::Stdio;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use fantoccini::wd::WebDriverCompatibleCommand;
use fantoccini::{Client, ClientBuilder};
use hyper_util::client::legacy::connect::HttpConnector;
use serde_json::{Map, Value, json};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};
use tokio::time::timeout;

use crate::running::PATIENCE;

/// A browser with one window; it ends with its driver, when this is dropped.
pub(crate) struct Browser {
    pub(crate) client: Client,
    _driver: Child,
}

/// A command of Chromium's own.
#[derive(Debug)]
struct Devtools(Value);

// === impl Browser ===

impl Browser {
    /// A driver on a port of its own, and a browser behind it.
    pub(crate) async fn start() -> Self {
        let mut driver = Command::new("chromedriver");
        driver
            .arg("--port=0")
            .stdout(Stdio::piped())
            .kill_on_drop(true);
        let mut driver = driver
            .spawn()
            .expect("chromedriver: install chromium-driver");
        let port = port_of(&mut driver).await;
        let arguments = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
        ];
        let mut capabilities = Map::new();
        capabilities.insert("goog:chromeOptions".to_owned(), json!({"args": arguments}));
        let client = ClientBuilder::new(HttpConnector::new())
            .capabilities(capabilities)
            .connect(&format!("http://127.0.0.1:{port}"))
            .await
            .unwrap();
        Self {
            client,
            _driver: driver,
        }
    }

    /// What the page's own script would see as this expression.
    pub(crate) async fn run(&self, script: &str) -> Value {
        self.client.execute(script, Vec::new()).await.unwrap()
    }

    /// Gives the window a width, and the person who looks a preference.
    pub(crate) async fn look(&self, width: u32, scheme: &str) {
        let size = json!({"width": width, "height": 900, "deviceScaleFactor": 1, "mobile": false});
        self.devtools("Emulation.setDeviceMetricsOverride", size)
            .await;
        let features = json!([{"name": "prefers-color-scheme", "value": scheme}]);
        self.devtools("Emulation.setEmulatedMedia", json!({"features": features}))
            .await;
    }

    /// What is in the window, as WebP.
    pub(crate) async fn picture(&self) -> Vec<u8> {
        let format = json!({"format": "webp", "quality": 80});
        let answer = self.devtools("Page.captureScreenshot", format).await;
        STANDARD.decode(answer["data"].as_str().unwrap()).unwrap()
    }

    /// Ends the browser in order.
    pub(crate) async fn close(&self) {
        self.client.clone().close().await.unwrap();
    }

    async fn devtools(&self, command: &str, parameters: Value) -> Value {
        let command = Devtools(json!({"cmd": command, "params": parameters}));
        self.client.issue_cmd(command).await.unwrap()
    }
}

async fn port_of(driver: &mut Child) -> u16 {
    let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
    let port = async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if let Some((_, port)) = line.split_once("successfully on port ") {
                return port.trim_end_matches('.').parse().unwrap();
            }
        }
        panic!("chromedriver ended");
    };
    let port = timeout(PATIENCE, port).await.expect("no chromedriver");
    // It would stop at a full pipe.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    port
}

// === impl Devtools ===

impl WebDriverCompatibleCommand for Devtools {
    fn endpoint(
        &self,
        base: &url::Url,
        session: Option<&str>,
    ) -> Result<url::Url, url::ParseError> {
        let session = session.unwrap_or_default();
        base.join(&format!("session/{session}/goog/cdp/execute"))
    }

    fn method_and_body(&self, _: &url::Url) -> (http::Method, Option<String>) {
        (http::Method::POST, Some(self.0.to_string()))
    }
}
