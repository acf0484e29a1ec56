//! Providers: sources of target groups.

use std::time::Duration;

use schemars::JsonSchema;
use serde::de::DeserializeOwned;

use crate::{Failure, Problem, config};

/// A source of targets. One instance serves one configuration, one call at a time; its fields live from call to call.
pub trait Provider: Sized + 'static {
    /// One section of `<mechanism>_sd_configs`. Its JSON Schema goes into the manifest; the host fills defaults in.
    type Config: DeserializeOwned + JsonSchema;

    /// Makes an instance, or says what is wrong with its configuration. Nothing is granted yet, so that configurations
    /// can be checked without a network. `mechanism` is the section's key without `_sd_configs`.
    fn configure(mechanism: &str, config: Self::Config) -> Result<Self, Vec<Problem>>;

    /// Asks the source. Called at the interval of the section; `full` asks to trust nothing that is remembered.
    fn refresh(&mut self, full: bool) -> Result<Update, Unavailable>;
}

/// One scrape target: its own labels, `__address__` among them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Target {
    labels: Vec<(String, String)>,
}

/// Targets that the provider knows under one name. A later group with the same source replaces it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Group {
    source: String,
    labels: Vec<(String, String)>,
    targets: Vec<Target>,
}

/// A group that could not be read this time: it stays as it was, and counts as a failure.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lapse {
    /// The group's source.
    pub source: String,
    /// Lower case, no full stop.
    pub message: String,
}

/// The answer to a refresh. Refused as a whole by the host if it breaks a rule: a source twice, a limit passed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Update {
    /// New and changed groups, each source once. A group without targets is gone.
    pub groups: Vec<Group>,
    /// True: a source that is neither in `groups` nor in `lapses` is gone.
    pub complete: bool,
    /// Groups that stay as they were.
    pub lapses: Vec<Lapse>,
    /// When to ask again, if not after the configured interval: at least 1 s, at most a day.
    pub next_after: Option<Duration>,
}

/// No news: the host keeps the last targets and tries again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unavailable {
    /// Lower case, no full stop.
    pub message: String,
    /// When the source said to ask again.
    pub retry_after: Option<Duration>,
}

// === impl Target ===

impl Target {
    /// A target with that `__address__`, for example `10.0.0.1:9100`.
    pub fn new(address: impl Into<String>) -> Self {
        Self {
            labels: vec![("__address__".into(), address.into())],
        }
    }

    /// Sets a label; an earlier one of that name is replaced. Empty: absent, even if the group has it.
    #[must_use]
    pub fn label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        set(&mut self.labels, name.into(), value.into());
        self
    }

    /// The labels, in the order in which they were set.
    pub fn labels(&self) -> &[(String, String)] {
        &self.labels
    }

    /// The value of a label.
    pub fn get(&self, name: &str) -> Option<&str> {
        get(&self.labels, name)
    }

    #[cfg(target_family = "wasm")]
    pub(crate) fn into_labels(self) -> Vec<(String, String)> {
        self.labels
    }
}

impl From<&str> for Target {
    fn from(address: &str) -> Self {
        Self::new(address)
    }
}

impl From<String> for Target {
    fn from(address: String) -> Self {
        Self::new(address)
    }
}

// === impl Group ===

impl Group {
    /// A group without labels and targets.
    pub fn new(source: impl Into<String>) -> Self {
        Self {
            source: source.into(),
            labels: Vec::new(),
            targets: Vec::new(),
        }
    }

    /// Sets a label of every target of the group; an earlier one of that name is replaced.
    #[must_use]
    pub fn label(mut self, name: impl Into<String>, value: impl Into<String>) -> Self {
        set(&mut self.labels, name.into(), value.into());
        self
    }

    /// Adds a target; an address will do for one without labels.
    #[must_use]
    pub fn target(mut self, target: impl Into<Target>) -> Self {
        self.targets.push(target.into());
        self
    }

    /// Adds targets.
    #[must_use]
    pub fn targets<T: Into<Target>>(mut self, targets: impl IntoIterator<Item = T>) -> Self {
        self.targets.extend(targets.into_iter().map(Into::into));
        self
    }

    /// What identifies the group within its provider.
    pub fn source(&self) -> &str {
        &self.source
    }

    /// The labels of every target.
    pub fn labels(&self) -> &[(String, String)] {
        &self.labels
    }

    /// The value of a label of every target.
    pub fn get(&self, name: &str) -> Option<&str> {
        get(&self.labels, name)
    }

    /// The targets added so far.
    pub fn list(&self) -> &[Target] {
        &self.targets
    }

    #[cfg(target_family = "wasm")]
    pub(crate) fn into_parts(self) -> (String, Vec<(String, String)>, Vec<Target>) {
        (self.source, self.labels, self.targets)
    }
}

// === impl Update ===

impl Update {
    /// All that there is: groups of earlier updates that are not among these are gone.
    pub fn complete(groups: impl IntoIterator<Item = Group>) -> Self {
        Self {
            groups: groups.into_iter().collect(),
            complete: true,
            ..Self::default()
        }
    }

    /// Changes: groups of earlier updates that are not among these stay.
    pub fn partial(groups: impl IntoIterator<Item = Group>) -> Self {
        Self {
            groups: groups.into_iter().collect(),
            ..Self::default()
        }
    }

    /// Says that a group could not be read this time and stays.
    #[must_use]
    pub fn lapse(mut self, source: impl Into<String>, message: impl Into<String>) -> Self {
        self.lapses.push(Lapse {
            source: source.into(),
            message: message.into(),
        });
        self
    }

    /// Asks for the next call after that time instead of the configured interval.
    #[must_use]
    pub fn next_after(mut self, time: Duration) -> Self {
        self.next_after = Some(time);
        self
    }
}

// === impl Unavailable ===

impl Unavailable {
    /// The source did not answer, for that reason.
    pub fn new(message: impl Into<String>) -> Self {
        Self {
            message: message.into(),
            retry_after: None,
        }
    }

    /// Passes on when the source said to ask again.
    #[must_use]
    pub fn retry_after(mut self, time: Duration) -> Self {
        self.retry_after = Some(time);
        self
    }
}

impl From<Failure> for Unavailable {
    fn from(failure: Failure) -> Self {
        Self::new(failure.message)
    }
}

/// A provider from the JSON text that the host passes.
pub(crate) fn configure<P: Provider>(mechanism: &str, config: &str) -> Result<P, Vec<Problem>> {
    P::configure(mechanism, config::parse(config)?)
}

fn set(labels: &mut Vec<(String, String)>, name: String, value: String) {
    match labels.iter_mut().find(|(known, _)| *known == name) {
        Some(label) => label.1 = value,
        None => labels.push((name, value)),
    }
}

fn get<'a>(labels: &'a [(String, String)], name: &str) -> Option<&'a str> {
    labels
        .iter()
        .find(|(known, _)| known == name)
        .map(|(_, value)| value.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_label_set_twice_stands_once_with_its_last_value() {
        let target = Target::new("a:1").label("rack", "1").label("rack", "2");
        assert_eq!(target.labels().len(), 2);
        assert_eq!(target.get("rack"), Some("2"));
        let group = Group::new("s").label("zone", "a").label("zone", "b");
        assert_eq!(group.labels(), [("zone".to_owned(), "b".to_owned())]);
    }

    #[test]
    fn updates_say_whether_they_are_everything() {
        assert!(Update::complete([]).complete);
        assert!(!Update::partial([Group::new("a").target("a:1")]).complete);
        let update = Update::complete([])
            .lapse("b", "gone")
            .next_after(Duration::from_secs(5));
        assert_eq!(
            update.lapses,
            [Lapse {
                source: "b".into(),
                message: "gone".into()
            }]
        );
        assert_eq!(update.next_after, Some(Duration::from_secs(5)));
    }
}
