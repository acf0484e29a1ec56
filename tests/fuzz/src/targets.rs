//! What is fed, and what each of them promises.

use std::io::Read;
use std::path::Path;

use anyhow::Context;
use axum::body::Body;
use axum::http::{Request, header};
use clap::ValueEnum;
use flate2::read::MultiGzDecoder;
use periplus_config::{LoadOptions, load_str};
use periplus_core::regex::{Regex, Slots};
use periplus_discovery::native::read_http_list;
use serde_json::Value;

use crate::host::Host;
use crate::words;

/// Recorded inputs that are taken, of each file.
const MOST_RECORDED: usize = 2000;

/// A parser of foreign text.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Target {
    /// `prometheus.yml`
    Config,
    /// Expressions of relabeling
    Regex,
    /// Bodies of `http_sd`
    HttpList,
    /// Requests of MADS clients
    Mads,
    /// Label matchers and other parameters of `GET /sd/{job}`
    Matchers,
}

/// A target with what it needs.
pub(crate) struct Looker {
    target: Target,
    host: Option<Host>,
    recorded: Vec<Vec<u8>>,
}

// === impl Target ===

impl Target {
    pub(crate) const ALL: [Self; 5] = [
        Self::Config,
        Self::Regex,
        Self::HttpList,
        Self::Mads,
        Self::Matchers,
    ];

    pub(crate) fn start(self, goldens: &Path) -> anyhow::Result<Looker> {
        let host = match self {
            Self::Mads | Self::Matchers => Some(Host::start()?),
            _ => None,
        };
        let recorded = match self {
            Self::Config => recorded(goldens, "config.jsonl.gz", "yaml")?,
            Self::Regex => recorded(goldens, "regex.jsonl.gz", "pattern")?,
            _ => Vec::new(),
        };
        Ok(Looker {
            target: self,
            host,
            recorded,
        })
    }
}

/// One field of every recorded case.
fn recorded(folder: &Path, file: &str, field: &str) -> anyhow::Result<Vec<Vec<u8>>> {
    let path = folder.join(file);
    let bytes =
        std::fs::read(&path).with_context(|| format!("failed to read `{}`", path.display()))?;
    let mut text = String::new();
    MultiGzDecoder::new(&bytes[..]).read_to_string(&mut text)?;
    let cases = text.lines().filter_map(|line| {
        let case: Value = serde_json::from_str(line).ok()?;
        Some(case.get(field)?.as_str()?.as_bytes().to_vec())
    });
    Ok(cases.take(MOST_RECORDED).collect())
}

// === impl Looker ===

impl Looker {
    /// What a run begins with.
    pub(crate) fn seeds(&self) -> Vec<Vec<u8>> {
        let written = words::seeds(self.target).iter();
        let written = written.map(|it| it.as_bytes().to_vec());
        self.recorded.iter().cloned().chain(written).collect()
    }

    /// Words that mean something to the target.
    pub(crate) fn words(&self) -> Vec<String> {
        words::of(self.target)
    }

    /// Feeds an input; what became of it, in a few words without what is random in it.
    ///
    /// # Panics
    ///
    /// If a promise is broken.
    pub(crate) fn look(&self, input: &[u8]) -> String {
        let text = String::from_utf8_lossy(input);
        match self.target {
            Target::Config => config(&text),
            Target::Regex => regex(&text),
            Target::HttpList => http_list(input),
            Target::Mads => self.mads(&text),
            Target::Matchers => self.matchers(&text),
        }
    }

    /// No answer but to a question that was understood is a list.
    fn mads(&self, text: &str) -> String {
        let (path, body) = text.split_once(' ').unwrap_or((text, ""));
        // Without a hold: an answer that waits for a change would wait for ever.
        let path = path.split('?').next().unwrap_or_default();
        let request = Request::post(path)
            .header(header::CONTENT_TYPE, "application/json")
            .body(Body::from(body.to_owned()));
        let Ok(request) = request else {
            return "no request".to_owned();
        };
        let (status, body) = self.host().ask(request);
        assert!(status < 500, "{status}: {}", String::from_utf8_lossy(&body));
        if status == 200 {
            let answer: Value = serde_json::from_slice(&body).expect("an answer is JSON");
            assert!(answer["resources"].is_array(), "{answer}");
        }
        outcome(status, &body)
    }

    fn matchers(&self, query: &str) -> String {
        let mut url = url::Url::parse("http://host/sd/web").expect("it is one");
        url.set_query(Some(query));
        let path = format!("/sd/web?{}", url.query().unwrap_or_default());
        let Ok(request) = Request::get(path).body(Body::empty()) else {
            return "no request".to_owned();
        };
        let (status, body) = self.host().ask(request);
        assert!(
            matches!(status, 200 | 400),
            "{status}: {}",
            String::from_utf8_lossy(&body)
        );
        if status == 200 {
            let list: Value = serde_json::from_slice(&body).expect("a list is JSON");
            let list = list.as_array().expect("a list is one");
            assert!(list.len() <= 4, "targets that do not exist");
            return format!("{} of {} bytes", list.len(), body.len());
        }
        outcome(status, &body)
    }

    fn host(&self) -> &Host {
        self.host.as_ref().expect("the target has a host")
    }
}

/// Every error has a place, and a good configuration can be loaded again.
fn config(text: &str) -> String {
    let options = LoadOptions {
        allow_missing: true,
        ..LoadOptions::default()
    };
    match load_str(text, "fuzz.yml".as_ref(), &options) {
        Ok(loaded) => {
            let again = load_str(text, "fuzz.yml".as_ref(), &options).expect("it was good before");
            assert_eq!(again.config.jobs.len(), loaded.config.jobs.len());
            format!("{} jobs", loaded.config.jobs.len())
        }
        Err(errors) => {
            let lines = text
                .split(['\n', '\r', '\u{2028}', '\u{2029}', '\u{85}'])
                .count();
            for error in &errors.0 {
                let line = error.line;
                assert!(line <= lines + 1, "{error}: there are {lines} lines");
                assert!(!error.message.is_empty(), "an error without words");
            }
            let first = errors.0.first().expect("a refusal says why");
            without_names(&first.message)
        }
    }
}

/// What is accepted can be matched, and groups lie within the value.
fn regex(pattern: &str) -> String {
    match Regex::new(pattern) {
        Ok(regex) => {
            let groups = regex.group_names().len();
            let mut slots = Slots::new(groups);
            let mut matches = 0;
            for value in [
                "",
                "a",
                "abc",
                "ABC-123",
                "\u{212a}\u{17f}é日",
                "aaaaaaaaaaaaaaaaaaaaaaaaa\n",
                pattern,
            ] {
                let is_match = regex.is_match(value);
                assert_eq!(
                    is_match,
                    regex.captures(value, &mut slots),
                    "{pattern:?} on {value:?}"
                );
                for group in (0..groups).filter(|_| is_match) {
                    if let Some((from, to)) = slots.span(group) {
                        assert!(value.get(from..to).is_some(), "{pattern:?} on {value:?}");
                    }
                }
                matches += usize::from(is_match);
            }
            format!("{groups} groups, {matches} matches")
        }
        Err(error) => without_names(&error.to_string()),
    }
}

/// Every group has a source of its own, and every target an address label.
fn http_list(body: &[u8]) -> String {
    match read_http_list(body, "http://a.example/") {
        Ok(groups) => {
            let mut sources: Vec<&str> = groups.iter().map(|group| &*group.source).collect();
            sources.sort_unstable();
            sources.dedup();
            assert_eq!(sources.len(), groups.len(), "a source twice");
            let mut targets = groups.iter().flat_map(|group| &group.targets);
            assert!(targets.all(|target| target.get("__address__").is_some()));
            format!("{} groups", groups.len())
        }
        Err(error) => without_names(&error),
    }
}

fn outcome(status: u16, body: &[u8]) -> String {
    let answer: Value = serde_json::from_slice(body).unwrap_or_default();
    let error = answer["error"].as_str().unwrap_or_default();
    format!("{status} {}", without_names(error))
}

/// An error without what it quotes and counts, which is as random as the input.
fn without_names(text: &str) -> String {
    let is_quote = |c| matches!(c, '"' | '`' | '\'');
    let before = text.split(is_quote).next().unwrap_or_default();
    let after = text
        .rsplit(is_quote)
        .next()
        .filter(|_| text.contains(is_quote));
    let is_word = |c: &char| c.is_ascii_alphabetic() || *c == ' ';
    let parts = before.chars().chain(after.unwrap_or_default().chars());
    parts.filter(is_word).take(120).collect()
}
