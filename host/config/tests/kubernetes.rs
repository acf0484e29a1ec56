//! Sections that read Kubernetes, and the clusters that they name: what is refused, in which words,
//! and what the rest becomes.

#[path = "kubernetes/clusters.rs"]
mod clusters;
#[path = "kubernetes/documentation.rs"]
mod documentation;
#[path = "kubernetes/resources.rs"]
mod resources;
#[path = "kubernetes/upstream.rs"]
mod upstream;

use std::path::Path;

use periplus_config::{
    Config, ConfigErrors, KubernetesSection, LoadOptions, Loaded, Section, SectionKind, load_str,
};

fn try_load(text: &str) -> Result<Loaded, ConfigErrors> {
    load_str(text, Path::new("conf/p.yml"), &LoadOptions::default())
}

fn load(text: &str) -> Loaded {
    try_load(text).unwrap_or_else(|errors| panic!("refused:\n{errors}\n{text}"))
}

fn config(text: &str) -> Config {
    Config::clone(&load(text).config)
}

/// The errors of a text, each as `place key: message`, without hints.
fn errors(text: &str) -> Vec<String> {
    let Err(errors) = try_load(text) else {
        panic!("accepted:\n{text}");
    };
    let shown = errors.0.iter().map(|error| {
        format!(
            "{}:{} {}: {}",
            error.line, error.column, error.key_path, error.message
        )
    });
    shown.collect()
}

/// A configuration of one job with one section; `clusters` may be empty.
fn text_of(clusters: &str, mechanism: &str, section: &str) -> String {
    let clusters = if clusters.is_empty() {
        String::new()
    } else {
        format!("clusters: {clusters}\n")
    };
    format!("{clusters}scrape_configs: [{{job_name: j, {mechanism}_sd_configs: [{section}]}}]\n")
}

fn section(clusters: &str, section: &str) -> Section {
    let config = config(&text_of(clusters, "kubernetes", section));
    config.jobs[0].sections[0].clone()
}

fn content(section: &Section) -> &KubernetesSection {
    match &section.kind {
        SectionKind::Kubernetes(content) => content,
        other => panic!("{other:?}"),
    }
}
