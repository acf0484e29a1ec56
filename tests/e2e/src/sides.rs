//! What each side is told: the same jobs, seen through Kubernetes, through Periplus and through Periplus' rules.

use std::path::Path;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde_json::{Map, Value, json};

/// One of the three Prometheus servers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Side {
    /// Watches the API server itself.
    Direct,
    /// Reads Periplus at stage `discovered` and relabels itself.
    Discovered,
    /// Takes Periplus' final targets as they are.
    Final,
}

/// All sides, the reference first.
pub const SIDES: [Side; 3] = [Side::Direct, Side::Discovered, Side::Final];

const UNRESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'_')
    .remove(b'.')
    .remove(b'~');

/// Nobody listens there. Should a scrape be tried, it ends here and never leaves the machine.
const REFUSING_PROXY: &str = "http://127.0.0.1:9";

// === impl Side ===

impl Side {
    /// As messages and log files name it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Direct => "direct",
            Self::Discovered => "discovered",
            Self::Final => "final",
        }
    }

    /// Its whole configuration, as YAML (which JSON is).
    pub fn config(self, jobs: &[Value], kubeconfig: &Path, periplus: &str) -> String {
        let jobs: Vec<Value> = jobs
            .iter()
            .map(|job| {
                let mut job = match self {
                    Self::Direct => with_kubeconfig(job, kubeconfig),
                    Self::Discovered => discovered(job, periplus),
                    Self::Final => taken_as_is(job, periplus),
                };
                job["proxy_url"] = REFUSING_PROXY.into();
                job
            })
            .collect();
        text(&json!({ "scrape_configs": jobs }))
    }
}

/// What Periplus is told.
pub fn periplus_config(jobs: &[Value], kubeconfig: &Path) -> String {
    let jobs: Vec<Value> = jobs
        .iter()
        .map(|job| with_kubeconfig(job, kubeconfig))
        .collect();
    text(&json!({ "scrape_configs": jobs }))
}

/// Where Periplus shows a job.
pub fn list_url(periplus: &str, job: &str, stage: &str) -> String {
    format!(
        "{periplus}/sd/{}?stage={stage}",
        utf8_percent_encode(job, UNRESERVED)
    )
}

/// The name of a job.
pub fn job_name(job: &Value) -> &str {
    job["job_name"].as_str().unwrap_or_default()
}

/// The `kubernetes_sd_configs` of a job.
pub fn sections(job: &Value) -> Vec<Value> {
    job["kubernetes_sd_configs"]
        .as_array()
        .cloned()
        .unwrap_or_default()
}

/// The namespaces that a section names.
pub fn namespaces(section: &Value) -> Vec<String> {
    let names = section["namespaces"]["names"].as_array();
    let names = names.into_iter().flatten().filter_map(Value::as_str);
    names.map(str::to_owned).collect()
}

/// The selectors of a section for one role: `(labels, fields)`.
pub fn selectors(section: &Value, role: &str) -> (String, String) {
    let own = section["selectors"].as_array().into_iter().flatten();
    let own = own.filter(|selector| selector["role"] == role);
    let mut found = (String::new(), String::new());
    for selector in own {
        let text = |key: &str| selector[key].as_str().unwrap_or_default().to_owned();
        found = (text("label"), text("field"));
    }
    found
}

/// Whether a section attaches this kind of metadata.
pub fn attaches(section: &Value, what: &str) -> bool {
    section["attach_metadata"][what] == Value::Bool(true)
}

fn with_kubeconfig(job: &Value, kubeconfig: &Path) -> Value {
    let mut job = job.clone();
    for key in ["kubernetes_sd_configs", "kubernetes_resource_sd_configs"] {
        let sections = job.get_mut(key).and_then(Value::as_array_mut);
        for section in sections.into_iter().flatten() {
            section["kubeconfig_file"] = kubeconfig.display().to_string().into();
        }
    }
    job
}

/// Everything stays but where the targets come from.
fn discovered(job: &Value, periplus: &str) -> Value {
    let mut map = job.as_object().cloned().unwrap_or_default();
    map.retain(|key, _| !key.ends_with("_sd_configs") && key != "static_configs");
    map.insert(
        "http_sd_configs".into(),
        http_sd(&list_url(periplus, job_name(job), "discovered")),
    );
    // `http_sd` adds the URL as a label. A rule of the script may match every `__meta_` name.
    let mut rules = vec![json!({"action": "labeldrop", "regex": "__meta_url"})];
    rules.extend(
        job["relabel_configs"]
            .as_array()
            .cloned()
            .unwrap_or_default(),
    );
    map.insert("relabel_configs".into(), rules.into());
    Value::Object(map)
}

/// Nothing is left but the name, and what no label can say: more than one value of a parameter.
fn taken_as_is(job: &Value, periplus: &str) -> Value {
    let mut map = Map::new();
    map.insert("job_name".into(), job["job_name"].clone());
    if let Some(params) = job.get("params") {
        map.insert("params".into(), params.clone());
    }
    map.insert(
        "http_sd_configs".into(),
        http_sd(&list_url(periplus, job_name(job), "final")),
    );
    Value::Object(map)
}

fn http_sd(url: &str) -> Value {
    json!([{"url": url, "refresh_interval": "500ms"}])
}

fn text(value: &Value) -> String {
    // Values made of strings, numbers, lists and maps always serialise.
    serde_json::to_string_pretty(value).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn job() -> Value {
        json!({"job_name": "a/b", "scrape_interval": "7s", "params": {"x": ["1", "2"]},
               "kubernetes_sd_configs": [{"role": "pod"}],
               "relabel_configs": [{"action": "drop", "regex": "x"}]})
    }

    fn parsed(side: Side) -> Value {
        let text = side.config(&[job()], Path::new("/k"), "http://p");
        serde_json::from_str::<Value>(&text).unwrap()["scrape_configs"][0].clone()
    }

    #[test]
    fn the_direct_side_watches_with_the_connection_of_the_harness() {
        let job = parsed(Side::Direct);
        assert_eq!(job["kubernetes_sd_configs"][0]["kubeconfig_file"], "/k");
        assert_eq!(job["relabel_configs"].as_array().unwrap().len(), 1);
    }

    #[test]
    fn the_discovered_side_relabels_by_itself() {
        let job = parsed(Side::Discovered);
        assert_eq!(
            job["http_sd_configs"][0]["url"],
            "http://p/sd/a%2Fb?stage=discovered"
        );
        assert_eq!(job["relabel_configs"].as_array().unwrap().len(), 2);
        assert_eq!(job["scrape_interval"], "7s");
        assert!(job.get("kubernetes_sd_configs").is_none());
    }

    #[test]
    fn the_final_side_knows_nothing_but_where_to_ask() {
        let job = parsed(Side::Final);
        assert!(job.get("relabel_configs").is_none() && job.get("scrape_interval").is_none());
        assert_eq!(
            job["http_sd_configs"][0]["url"],
            "http://p/sd/a%2Fb?stage=final"
        );
    }
}
