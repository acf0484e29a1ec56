//! A running binary: what it serves, what it logs, and how it ends.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStderr, Command};
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep, timeout};

/// A deadline that only a hang reaches.
pub(crate) const PATIENCE: Duration = Duration::from_secs(45);
/// Between two looks at a condition that nothing announces.
const LOOK: Duration = Duration::from_millis(20);
/// Between two readings of a steady reader.
const BETWEEN_READINGS: Duration = Duration::from_millis(3);

/// The process; killed when this is dropped.
pub(crate) struct Running {
    child: Child,
    address: SocketAddr,
    client: Client,
    log: Log,
}

/// Every line that the process wrote to standard error.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<String>>>);

/// A reader at work.
pub(crate) struct Readings {
    stop: oneshot::Sender<()>,
    task: JoinHandle<Vec<Answer>>,
}

/// An HTTP answer, read whole.
#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: reqwest::header::HeaderMap,
    pub(crate) body: Vec<u8>,
}

// === impl Running ===

impl Running {
    /// Starts the command and waits until it says where it serves.
    pub(crate) async fn start(mut command: Command) -> Self {
        // The client insists on one, although it never speaks TLS here. There may be one already.
        let _ = rustls::crypto::ring::default_provider().install_default();
        command.stdout(Stdio::null()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let log = Log::default();
        let (sender, address) = oneshot::channel();
        tokio::spawn(log.clone().follow(child.stderr.take().unwrap(), sender));
        let Ok(Ok(address)) = timeout(PATIENCE, address).await else {
            panic!("it never began to serve; it said:\n{}", log.text());
        };
        Self {
            child,
            address,
            client: Client::builder().no_proxy().no_gzip().build().unwrap(),
            log,
        }
    }

    /// Everything logged so far.
    pub(crate) fn log(&self) -> String {
        self.log.text()
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn request(&self, method: Method, path: &str) -> RequestBuilder {
        let url = format!("http://{}{path}", self.address);
        self.client.request(method, url)
    }

    /// Reads a path over and over until [`Readings::end`].
    pub(crate) fn read_steadily(&self, path: &str) -> Readings {
        let (stop, mut stopped) = oneshot::channel();
        let request = self.request(Method::GET, path);
        let reader = async move {
            let mut readings = Vec::new();
            loop {
                readings.push(Answer::to(request.try_clone().unwrap()).await);
                if timeout(BETWEEN_READINGS, &mut stopped).await.is_ok() {
                    // What the test saw before it stopped this must be among the readings.
                    readings.push(Answer::to(request).await);
                    return readings;
                }
            }
        };
        Readings {
            stop,
            task: tokio::spawn(reader),
        }
    }

    pub(crate) async fn get(&self, path: &str) -> Answer {
        Answer::to(self.request(Method::GET, path)).await
    }

    /// `POST /-/reload`, on the listener for administration.
    pub(crate) async fn reload(&self) -> Answer {
        let line = self.until_logged(&["Serving administration"]).await;
        let url = logged_field(&line, "url=");
        Answer::to(self.client.post(format!("{url}/-/reload"))).await
    }

    /// Waits until a job has exactly these addresses.
    pub(crate) async fn until_addresses(&self, job: &str, expected: &[&str]) {
        let expected: BTreeSet<String> = expected.iter().map(|&it| it.to_owned()).collect();
        self.until_job(&format!("exactly {expected:?}"), job, |answer| {
            answer.status == 200 && answer.addresses() == expected
        })
        .await;
    }

    /// Waits until the answer for a job (with a query, if need be) is as `condition` says.
    pub(crate) async fn until_job(
        &self,
        what: &str,
        job: &str,
        condition: impl Fn(&Answer) -> bool,
    ) -> Answer {
        self.until(what, &format!("/sd/{job}"), condition).await
    }

    /// Waits until the answer to a GET is as `condition` says; that answer.
    pub(crate) async fn until(
        &self,
        what: &str,
        path: &str,
        condition: impl Fn(&Answer) -> bool,
    ) -> Answer {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.get(path).await;
            if condition(&answer) {
                return answer;
            }
            assert!(
                Instant::now() < deadline,
                "`{path}` never had {what}; last it answered {} {}\nlog:\n{}",
                answer.status,
                answer.text(),
                self.log()
            );
            sleep(LOOK).await;
        }
    }

    /// Waits until a provider (`sockets/0`, or a mechanism's only one) is as `condition` says.
    pub(crate) async fn until_provider(
        &self,
        what: &str,
        mechanism: &str,
        condition: impl Fn(&Value) -> bool,
    ) -> Value {
        let answer = self
            .until(what, "/api/v1/providers", |answer| {
                condition(&provider(&answer.json(), mechanism))
            })
            .await;
        provider(&answer.json(), mechanism)
    }

    /// The provider of a mechanism that has only one.
    pub(crate) async fn provider(&self, mechanism: &str) -> Value {
        provider(&self.get("/api/v1/providers").await.json(), mechanism)
    }

    /// The status of a plugin.
    pub(crate) async fn plugin(&self, name: &str) -> Value {
        let answer = self.get("/api/v1/plugins").await.json();
        let plugins = answer["data"]["plugins"].as_array().unwrap();
        let named = plugins.iter().find(|plugin| plugin["name"] == name);
        named
            .unwrap_or_else(|| panic!("no plugin `{name}` in {answer}"))
            .clone()
    }

    /// Waits until a line of the log holds all of these.
    pub(crate) async fn until_logged(&self, parts: &[&str]) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let found = self.log.find(parts);
            if let Some(line) = found {
                return line;
            }
            assert!(
                Instant::now() < deadline,
                "never logged {parts:?}; log:\n{}",
                self.log()
            );
            sleep(LOOK).await;
        }
    }

    /// Sends a signal, such as `HUP`.
    pub(crate) async fn signal(&self, name: &str) {
        let id = self.child.id().expect("it runs").to_string();
        let sent = Command::new("kill").args(["-s", name, &id]).status().await;
        assert!(sent.unwrap().success());
    }

    /// Waits for the end.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let ended = timeout(PATIENCE, self.child.wait()).await;
        ended
            .unwrap_or_else(|error| panic!("it does not end: {error}; log:\n{}", self.log()))
            .unwrap()
    }
}

// === impl Log ===

impl Log {
    async fn follow(self, stderr: ChildStderr, address: oneshot::Sender<SocketAddr>) {
        let mut lines = BufReader::new(stderr).lines();
        let mut address = Some(address);
        while let Ok(Some(line)) = lines.next_line().await {
            if let Some(served) = served_address(&line)
                && let Some(address) = address.take()
            {
                // Nobody waits any more if the test has failed already.
                let _ = address.send(served);
            }
            self.lines().push(line);
        }
    }

    fn lines(&self) -> std::sync::MutexGuard<'_, Vec<String>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn text(&self) -> String {
        self.lines().join("\n")
    }

    fn find(&self, parts: &[&str]) -> Option<String> {
        let lines = self.lines();
        let has_all = |line: &&String| parts.iter().all(|part| line.contains(part));
        lines.iter().find(has_all).cloned()
    }
}

// === impl Readings ===

impl Readings {
    /// Everything that was read, which is a lot.
    pub(crate) async fn end(self) -> Vec<Answer> {
        // The reader only ends when it is told to, or panics, which `task` tells.
        let _ = self.stop.send(());
        let readings = within(self.task).await.unwrap();
        assert!(readings.len() > 10, "only {} readings", readings.len());
        readings
    }
}

/// The value of a field in a line of the log.
pub(crate) fn logged_field<'a>(line: &'a str, name: &str) -> &'a str {
    let (_, after) = line.split_once(name).unwrap();
    let value = after.split_whitespace().next().unwrap();
    value.trim_matches('"')
}

/// From `... Serving address=127.0.0.1:40001 jobs=2 ...`.
fn served_address(line: &str) -> Option<SocketAddr> {
    let (_, after) = line.split_once("Serving address=")?;
    after.split_whitespace().next()?.parse().ok()
}

// === impl Answer ===

impl Answer {
    pub(crate) async fn to(request: RequestBuilder) -> Self {
        let response = within(request.send()).await.unwrap();
        Self {
            status: response.status().as_u16(),
            headers: response.headers().clone(),
            body: within(response.bytes()).await.unwrap().to_vec(),
        }
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body)
            .unwrap_or_else(|error| panic!("{error}: {}", self.text()))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers
            .get(name)
            .map_or("", |value| value.to_str().unwrap())
    }

    /// The addresses in a list of targets.
    pub(crate) fn addresses(&self) -> BTreeSet<String> {
        let list = self.json();
        let targets = list
            .as_array()
            .unwrap()
            .iter()
            .flat_map(|group| group["targets"].as_array().unwrap());
        targets
            .map(|address| address.as_str().unwrap().to_owned())
            .collect()
    }

    /// The labels of the target with this address.
    pub(crate) fn labels(&self, address: &str) -> Option<Value> {
        let list = self.json();
        let targets = list.as_array().unwrap().iter();
        let mut found = targets.filter(|group| group["targets"][0] == address);
        found.next().map(|group| group["labels"].clone())
    }
}

fn provider(answer: &Value, mechanism: &str) -> Value {
    let providers = answer["data"]["providers"].as_array().unwrap();
    let mut found = providers
        .iter()
        .filter(|provider| provider["mechanism"] == mechanism);
    found.next().cloned().unwrap_or(Value::Null)
}

/// Waits for a condition that nothing announces.
pub(crate) async fn until(mut condition: impl FnMut() -> bool) {
    within(async {
        while !condition() {
            sleep(LOOK).await;
        }
    })
    .await;
}

/// The result of what only a hang keeps from ending.
pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    timeout(PATIENCE, future)
        .await
        .expect("it took far too long")
}
