//! The plots of the page.

use super::chart::{Bars, Chart, Scale};
use super::figures::{columns, cost, kinds};
use crate::jobs::Jobs;
use crate::{kubernetes, peers};

/// How a figure is read from the latencies of a peer.
type Share = fn(&peers::Latency) -> Option<f64>;

/// Memory after the first sync and at the end, for one job and five.
pub(super) fn memory_beside(results: &peers::Results) -> String {
    let mut groups = Vec::new();
    for jobs in Jobs::ALL {
        for (phase, name) in [
            ("sync", "after the first sync"),
            ("node heartbeats", "at the end"),
        ] {
            let read = |phase: &peers::Phase| phase.resident_bytes as f64 / 1e6;
            groups.push(beside(results, jobs, phase, name, read));
        }
    }
    draw("Memory", "MB", Scale::Linear, peer_names(), groups)
}

/// CPU of each phase, for one job and five.
pub(super) fn cpu_beside(results: &peers::Results) -> String {
    let mut groups = Vec::new();
    for jobs in Jobs::ALL {
        for (phase, name) in [
            ("sync", "first sync"),
            ("label changes", "label changes"),
            ("Pod heartbeats", "Pod heartbeats"),
            ("node heartbeats", "node heartbeats"),
        ] {
            groups.push(beside(results, jobs, phase, name, |phase| {
                phase.cpu_seconds
            }));
        }
    }
    draw(
        "CPU for the same work",
        "s",
        Scale::Logarithmic,
        peer_names(),
        groups,
    )
}

/// How long changes take to be seen.
pub(super) fn latency_beside(results: &peers::Results) -> String {
    let shares: [(&str, Share); 4] = [
        ("p50", |latency| latency.p50_seconds),
        ("p90", |latency| latency.p90_seconds),
        ("p99", |latency| latency.p99_seconds),
        ("slowest", |latency| latency.max_seconds),
    ];
    let groups = shares.map(|(name, read)| Bars {
        name: name.to_owned(),
        values: peers::Peer::ALL
            .map(|peer| {
                let mut all = results.latencies.iter();
                read(all.find(|latency| latency.peer == peer)?).map(|seconds| seconds * 1e3)
            })
            .to_vec(),
    });
    let title = "From the acknowledged change to a list that shows it";
    draw(title, "ms", Scale::Logarithmic, peer_names(), groups.into())
}

fn beside(
    results: &peers::Results,
    jobs: Jobs,
    phase: &str,
    name: &str,
    read: impl Fn(&peers::Phase) -> f64,
) -> Bars {
    let values = peers::Peer::ALL.map(|peer| {
        let mut runs = results.runs.iter();
        let run = runs.find(|run| run.peer == peer && run.jobs == jobs)?;
        let mut phases = run.phases.iter();
        phases.find(|one| one.name == phase).map(&read)
    });
    Bars {
        name: format!(
            "{name}, {} job{}",
            jobs.name(),
            if jobs == Jobs::One { "" } else { "s" }
        ),
        values: values.to_vec(),
    }
}

/// Memory of each run.
pub(super) fn memory_by_size(results: &kubernetes::Results) -> String {
    let group = |run: &kubernetes::Run| Bars {
        name: format!("{} Pods, jobs: {}", run.pods, run.jobs.name()),
        values: [
            run.resident_bytes,
            run.peak_bytes,
            run.resident_with_lists_bytes,
        ]
        .map(|bytes| Some(bytes as f64 / 1e6))
        .to_vec(),
    };
    let groups = results.runs.iter().map(group).collect();
    let series = ["after the first sync", "peak", "all lists read"].map(str::to_owned);
    draw(
        "Memory of Periplus",
        "MB",
        Scale::Linear,
        series.into(),
        groups,
    )
}

/// CPU for one change of each kind, in each run.
pub(super) fn cost_by_size(results: &kubernetes::Results) -> String {
    let group = |what: &str| Bars {
        name: what.to_owned(),
        values: results.runs.iter().map(|run| cost(run, what)).collect(),
    };
    let groups = kinds(results).into_iter().map(group).collect();
    draw(
        "CPU of each",
        "us",
        Scale::Logarithmic,
        columns(results),
        groups,
    )
}

fn draw(title: &str, unit: &str, scale: Scale, series: Vec<String>, groups: Vec<Bars>) -> String {
    let chart = Chart {
        title,
        unit,
        scale,
        series,
        groups,
    };
    chart.draw()
}

fn peer_names() -> Vec<String> {
    peers::Peer::ALL.map(|peer| peer.name().to_owned()).to_vec()
}
