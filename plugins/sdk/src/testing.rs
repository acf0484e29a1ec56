//! Tests of a plugin without a host: a fake of what the host offers, and ways to call a plugin as the host does.
//!
//! ```
//! # use periplus_sdk::{files, testing::FakeHost};
//! let host = FakeHost::new().file("/etc/racks", "a 10.0.0.1").install();
//! assert_eq!(files::read_to_string("/etc/racks").unwrap(), "a 10.0.0.1");
//! host.set_file("/etc/racks", "");
//! ```

use std::cell::RefCell;
use std::collections::{BTreeMap, VecDeque};
use std::marker::PhantomData;

use serde_json::Value;

use crate::http::{Request, Response, Ticket};
use crate::log::Level;
use crate::{
    Batch, Edit, Failure, FailureKind, Interest, Manifest, Problem, Provider, Transformer,
};
use crate::{provider, transformer};

pub(crate) mod host;

thread_local! {
    static HOST: RefCell<State> = RefCell::default();
}

/// What the fake host will answer; everything else is denied, as a real host does.
#[derive(Clone, Debug, Default)]
pub struct FakeHost {
    state: State,
}

/// The fake host of this thread, until this is dropped.
#[derive(Debug)]
pub struct Installed {
    /// The host is this thread's own.
    _thread: PhantomData<*const ()>,
}

/// A line that the plugin wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// Its level.
    pub level: Level,
    /// Its message.
    pub message: String,
    /// Its fields.
    pub fields: Vec<(String, String)>,
}

/// A row after its edits.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Edited {
    /// The row's labels; none if it was dropped.
    pub labels: Option<BTreeMap<String, String>>,
    /// Targets added beside it.
    pub added: Vec<BTreeMap<String, String>>,
}

#[derive(Clone, Debug, Default)]
struct State {
    files: BTreeMap<String, Result<Vec<u8>, Failure>>,
    answers: BTreeMap<String, Result<Response, Failure>>,
    names: BTreeMap<(String, String), Vec<crate::dns::Record>>,
    requests: Vec<Request>,
    started: VecDeque<(Ticket, Request)>,
    tickets: u32,
    log: Vec<LogLine>,
}

/// A provider configured as the host does it.
pub fn configure<P: Provider>(mechanism: &str, config: Value) -> Result<P, Vec<Problem>> {
    provider::configure(mechanism, &config.to_string())
}

/// A transformer configured as the host does it.
pub fn configure_transformer<T: Transformer>(config: Value) -> Result<(T, Interest), Vec<Problem>> {
    transformer::configure(&config.to_string())
}

/// Passes one row to a transformer and applies its edits as the host does.
pub fn edit<T: Transformer>(transformer: &T, labels: &[(&str, &str)]) -> Edited {
    let row: BTreeMap<String, String> = labels
        .iter()
        .map(|(name, value)| ((*name).to_owned(), (*value).to_owned()))
        .collect();
    let edits =
        transformer::transform(transformer, &batch(&row)).expect("the batch is well formed");
    let mut edited = Edited {
        labels: Some(row.clone()),
        added: Vec::new(),
    };
    for edit in edits {
        match edit {
            Edit::Set { name, value, .. } => {
                if let Some(labels) = &mut edited.labels {
                    set(labels, name, value);
                }
            }
            Edit::Drop(_) => edited.labels = None,
            Edit::Add { labels, .. } => {
                let mut copy = row.clone();
                for (name, value) in labels {
                    set(&mut copy, name, value);
                }
                edited.added.push(copy);
            }
        }
    }
    edited
}

#[doc(hidden)]
pub const fn provider_in_use<P: Provider>(manifest: fn() -> Manifest) -> fn() -> Manifest {
    manifest
}

#[doc(hidden)]
pub const fn transformer_in_use<T: Transformer>(manifest: fn() -> Manifest) -> fn() -> Manifest {
    manifest
}

fn set(labels: &mut BTreeMap<String, String>, name: String, value: String) {
    if value.is_empty() {
        labels.remove(&name);
    } else {
        labels.insert(name, value);
    }
}

/// A batch of one row.
fn batch(row: &BTreeMap<String, String>) -> Batch {
    let mut batch = Batch::default();
    for text in row.iter().flat_map(|(name, value)| [name, value]) {
        batch.text.extend_from_slice(text.as_bytes());
        batch.cells.push(batch.ends.len() as u32);
        batch.ends.push(batch.text.len() as u32);
    }
    batch.rows.push(batch.cells.len() as u32);
    batch
}

// === impl FakeHost ===

impl FakeHost {
    /// A host that grants nothing.
    pub fn new() -> Self {
        Self::default()
    }

    /// Grants a file with that content.
    #[must_use]
    pub fn file(mut self, path: &str, content: impl AsRef<[u8]>) -> Self {
        self.state
            .files
            .insert(path.to_owned(), Ok(content.as_ref().to_vec()));
        self
    }

    /// Grants a file that cannot be read.
    #[must_use]
    pub fn file_failure(mut self, path: &str, kind: FailureKind, message: &str) -> Self {
        self.state
            .files
            .insert(path.to_owned(), Err(Failure::new(kind, message)));
        self
    }

    /// Answers requests for a URL, whatever their method.
    #[must_use]
    pub fn http(self, url: &str, status: u16, body: impl AsRef<[u8]>) -> Self {
        let body = body.as_ref().to_vec();
        self.http_response(
            url,
            Response {
                status,
                headers: Vec::new(),
                body,
            },
        )
    }

    /// Answers requests for a URL with headers too.
    #[must_use]
    pub fn http_response(mut self, url: &str, response: Response) -> Self {
        self.state.answers.insert(url.to_owned(), Ok(response));
        self
    }

    /// Answers a look-up.
    #[must_use]
    pub fn name(mut self, name: &str, kind: &str, data: &[&str]) -> Self {
        let record = |data: &&str| crate::dns::Record {
            name: name.to_owned(),
            kind: kind.to_owned(),
            ttl: 60,
            data: (*data).to_owned(),
        };
        let key = (name.to_owned(), kind.to_owned());
        self.state
            .names
            .insert(key, data.iter().map(record).collect());
        self
    }

    /// Makes it the host of this thread until the result is dropped.
    pub fn install(self) -> Installed {
        HOST.replace(self.state);
        Installed {
            _thread: PhantomData,
        }
    }
}

// === impl Installed ===

impl Installed {
    /// Changes a file.
    pub fn set_file(&self, path: &str, content: impl AsRef<[u8]>) {
        let content = Ok(content.as_ref().to_vec());
        HOST.with_borrow_mut(|state| state.files.insert(path.to_owned(), content));
    }

    /// Changes the answer to a URL.
    pub fn set_http(&self, url: &str, status: u16, body: impl AsRef<[u8]>) {
        let response = Response {
            status,
            headers: Vec::new(),
            body: body.as_ref().to_vec(),
        };
        HOST.with_borrow_mut(|state| state.answers.insert(url.to_owned(), Ok(response)));
    }

    /// The requests made so far.
    pub fn requests(&self) -> Vec<Request> {
        HOST.with_borrow(|state| state.requests.clone())
    }

    /// The lines written so far.
    pub fn log(&self) -> Vec<LogLine> {
        HOST.with_borrow(|state| state.log.clone())
    }
}

impl Drop for Installed {
    fn drop(&mut self) {
        HOST.take();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{dns, files};

    #[test]
    fn what_is_not_granted_is_denied() {
        let _host = FakeHost::new()
            .file("/a/x.json", "1")
            .file("/a/y.txt", "2")
            .install();
        assert_eq!(files::read("/a/x.json").unwrap(), b"1");
        assert_eq!(files::glob("/a/*.json").unwrap(), ["/a/x.json"]);
        assert_eq!(files::read("/b").unwrap_err().kind, FailureKind::Denied);
        assert_eq!(
            crate::http::get("http://x/").unwrap_err().kind,
            FailureKind::Denied
        );
        assert_eq!(
            dns::resolve("x", "A").unwrap_err().kind,
            FailureKind::Denied
        );
    }

    #[test]
    fn text_must_be_utf8() {
        let _host = FakeHost::new().file("/a", [0xff]).install();
        assert!(
            files::read_to_string("/a")
                .unwrap_err()
                .message
                .contains("`/a` is not UTF-8")
        );
    }

    #[test]
    fn names_are_answered_in_the_order_of_the_questions() {
        let data = ["10 5 8080 h.example."];
        let _host = FakeHost::new()
            .name("s.example", "SRV", &data)
            .name("a", "A", &[])
            .install();
        let answers = dns::resolve_all(&[("a", "A"), ("s.example", "SRV")]);
        assert_eq!(answers[0], Ok(Vec::new()));
        assert_eq!(answers[1].as_ref().unwrap()[0].data, data[0]);
    }

    #[test]
    fn a_fake_host_ends_when_it_is_dropped() {
        drop(FakeHost::new().file("/a", "1").install());
        assert!(files::read("/a").is_err());
    }
}
