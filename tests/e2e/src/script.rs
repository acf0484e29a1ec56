//! Scripts: what a test does to the cluster, step by step.

use std::path::Path;

use anyhow::{Context, bail};
use serde_json::Value;

/// One script file.
#[derive(Clone, Debug)]
pub struct Script {
    /// File name, for messages.
    pub name: String,
    /// The scrape configurations that every side begins with.
    pub jobs: Vec<Value>,
    /// What follows, in order; the first is step 2, since `jobs` is step 1.
    pub steps: Vec<Step>,
}

/// One document of a script.
#[derive(Clone, Debug)]
pub enum Step {
    /// Objects created or replaced, `status` through its subresource.
    Apply(Vec<Value>),
    /// Merge patches.
    Patch(Vec<Patch>),
    /// Objects removed.
    Delete(Vec<ObjectName>),
    /// A process stopped and started again.
    Restart(Part),
    /// New scrape configurations.
    Reload(Vec<Value>),
    /// All sides must come to agree.
    Compare {
        /// Within this many seconds.
        seconds: u64,
        /// That there is nothing at all is fine.
        empty: bool,
    },
}

/// A merge patch of one object.
#[derive(Clone, Debug)]
pub struct Patch {
    /// What is patched.
    pub object: ObjectName,
    /// The patch (RFC 7396).
    pub merge: Value,
    /// Whether it goes to the `status` subresource.
    pub status: bool,
}

/// What names an object.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ObjectName {
    /// Such as `Pod`.
    pub kind: String,
    /// Empty for objects of the cluster.
    pub namespace: String,
    /// Its name.
    pub name: String,
}

/// A process that a script may restart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// etcd and kube-apiserver.
    ApiServer,
    /// Periplus.
    Periplus,
}

const DEFAULT_SECONDS: u64 = 30;

// === impl Script ===

impl Script {
    /// Reads a script file.
    pub fn read(path: &Path) -> anyhow::Result<Self> {
        let name = path
            .file_name()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let text = std::fs::read_to_string(path)
            .with_context(|| format!("failed to read `{}`", path.display()))?;
        Self::parse(&name, &text).with_context(|| format!("in script `{name}`"))
    }

    /// Reads a script.
    pub fn parse(name: &str, text: &str) -> anyhow::Result<Self> {
        // Labels are texts, `yes` and `off` included; of all YAML's words for it, a flag is `true` or `false`.
        let options = serde_saphyr::options! { strict_booleans: true };
        let documents: Vec<Value> = serde_saphyr::from_multiple_with_options(text, options)?;
        let mut documents = documents.into_iter().filter(|d| !d.is_null());
        let first = documents.next().context("the script is empty")?;
        let jobs = first
            .get("jobs")
            .context("the first document must be `jobs:`")?;
        let jobs = list(jobs).context("`jobs`")?;
        let steps = documents
            .enumerate()
            .map(|(index, document)| {
                step(&document).with_context(|| format!("in step {}", index + 2))
            })
            .collect::<anyhow::Result<_>>()?;
        Ok(Self {
            name: name.to_owned(),
            jobs,
            steps,
        })
    }
}

// === impl Step ===

impl Step {
    /// The key of its document.
    pub fn key(&self) -> &'static str {
        match self {
            Self::Apply(_) => "apply",
            Self::Patch(_) => "patch",
            Self::Delete(_) => "delete",
            Self::Restart(_) => "restart",
            Self::Reload(_) => "reload",
            Self::Compare { .. } => "compare",
        }
    }
}

// === impl ObjectName ===

impl ObjectName {
    /// From its parts.
    pub fn named(kind: &str, namespace: &str, name: &str) -> Self {
        Self {
            kind: kind.to_owned(),
            namespace: namespace.to_owned(),
            name: name.to_owned(),
        }
    }

    /// The name of an object.
    pub fn of(object: &Value) -> anyhow::Result<Self> {
        let metadata = object
            .get("metadata")
            .context("an object has no `metadata`")?;
        Ok(Self {
            kind: text(object, "kind")?,
            namespace: text(metadata, "namespace").unwrap_or_default(),
            name: text(metadata, "name")?,
        })
    }
}

impl std::fmt::Display for ObjectName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self {
            kind,
            namespace,
            name,
        } = self;
        if namespace.is_empty() {
            write!(f, "{kind} `{name}`")
        } else {
            write!(f, "{kind} `{namespace}/{name}`")
        }
    }
}

fn step(document: &Value) -> anyhow::Result<Step> {
    let map = document
        .as_object()
        .context("a step is a mapping with one key")?;
    let Some((key, value)) = map.iter().next().filter(|_| map.len() == 1) else {
        bail!("a step has exactly one key, this one has {}", map.len());
    };
    Ok(match key.as_str() {
        "apply" => Step::Apply(list(value)?),
        "patch" => Step::Patch(
            list(value)?
                .iter()
                .map(patch)
                .collect::<anyhow::Result<_>>()?,
        ),
        "delete" => Step::Delete(
            list(value)?
                .iter()
                .map(object_name)
                .collect::<anyhow::Result<_>>()?,
        ),
        "restart" => Step::Restart(match value.as_str() {
            Some("apiserver") => Part::ApiServer,
            Some("periplus") => Part::Periplus,
            _ => bail!("`restart` is `apiserver` or `periplus`"),
        }),
        "reload" => Step::Reload(list(value.get("jobs").unwrap_or(value))?),
        "compare" => compare(value)?,
        other => bail!("unknown step `{other}`"),
    })
}

fn compare(value: &Value) -> anyhow::Result<Step> {
    let seconds = match value {
        Value::Null => Some(DEFAULT_SECONDS),
        Value::Number(_) => value.as_u64(),
        Value::Object(map) => {
            if let Some(key) = map
                .keys()
                .find(|k| !matches!(k.as_str(), "seconds" | "empty"))
            {
                bail!("`compare` knows `seconds` and `empty`, not `{key}`");
            }
            map.get("seconds")
                .map_or(Some(DEFAULT_SECONDS), Value::as_u64)
        }
        _ => None,
    };
    let seconds = seconds.context("`compare` takes a whole number of seconds")?;
    let empty = value.get("empty").is_some_and(|e| e == &Value::Bool(true));
    Ok(Step::Compare { seconds, empty })
}

fn patch(value: &Value) -> anyhow::Result<Patch> {
    Ok(Patch {
        object: object_name(value)?,
        merge: value
            .get("merge")
            .context("`patch` has no `merge`")?
            .clone(),
        status: value.get("status").is_some_and(|s| s == &Value::Bool(true)),
    })
}

fn object_name(value: &Value) -> anyhow::Result<ObjectName> {
    Ok(ObjectName {
        kind: text(value, "kind")?,
        namespace: text(value, "namespace").unwrap_or_default(),
        name: text(value, "name")?,
    })
}

/// A list, or one thing in place of a list of one.
fn list(value: &Value) -> anyhow::Result<Vec<Value>> {
    match value {
        Value::Array(items) => Ok(items.clone()),
        Value::Object(_) => Ok(vec![value.clone()]),
        _ => bail!("a list is missing"),
    }
}

fn text(value: &Value, key: &str) -> anyhow::Result<String> {
    let found = value.get(key).and_then(Value::as_str);
    found
        .map(str::to_owned)
        .with_context(|| format!("`{key}` is missing"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_kind_of_step_is_read() {
        let text = "jobs: [{job_name: a}]\n---\napply: [{kind: Pod, metadata: {name: x}}]\n---\n\
                    patch: {kind: Pod, namespace: n, name: x, merge: {a: 1}, status: true}\n---\n\
                    delete: {kind: Node, name: x}\n---\nrestart: apiserver\n---\n\
                    reload: [{job_name: b}]\n---\ncompare:\n---\ncompare: {seconds: 5, empty: true}\n";
        let script = Script::parse("s", text).unwrap();
        let keys: Vec<_> = script.steps.iter().map(Step::key).collect();
        assert_eq!(
            keys,
            [
                "apply", "patch", "delete", "restart", "reload", "compare", "compare"
            ]
        );
        assert!(matches!(
            script.steps[5],
            Step::Compare {
                seconds: 30,
                empty: false
            }
        ));
        assert!(matches!(
            script.steps[6],
            Step::Compare {
                seconds: 5,
                empty: true
            }
        ));
        assert!(matches!(&script.steps[1], Step::Patch(p) if p[0].status));
    }

    #[test]
    fn words_that_look_like_flags_are_texts() {
        let text = "jobs: []\n---\napply: [{kind: Pod, metadata: {name: off, labels: {a: y}}}]\n";
        let script = Script::parse("s", text).unwrap();
        let Step::Apply(objects) = &script.steps[0] else {
            panic!()
        };
        assert_eq!(objects[0]["metadata"]["name"], "off");
        assert_eq!(objects[0]["metadata"]["labels"]["a"], "y");
    }

    #[test]
    fn what_is_not_understood_is_refused_with_the_number_of_the_step() {
        let error = Script::parse("s", "jobs: []\n---\nfrobnicate: 1\n").unwrap_err();
        assert_eq!(format!("{error:#}"), "in step 2: unknown step `frobnicate`");
        assert!(Script::parse("s", "apply: []\n").is_err());
        assert!(Script::parse("s", "jobs: []\n---\ncompare: soon\n").is_err());
    }
}
