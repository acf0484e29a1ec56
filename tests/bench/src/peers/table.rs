//! The results side by side, as ratios against what the design promises (section 13).

use std::fmt::{self, Write};

use serde::{Deserialize, Serialize};

use super::peer::Peer;
use super::{Phase, Results, Run};
use crate::jobs::Jobs;
use crate::report::digits;

/// One figure of both, and what their ratio may be at most.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Ratio {
    pub(crate) what: String,
    pub(crate) jobs: Jobs,
    pub(crate) unit: String,
    pub(crate) prometheus: f64,
    pub(crate) periplus: f64,
    /// Periplus' part of Prometheus' figure.
    pub(crate) part: f64,
    pub(crate) bar: f64,
}

/// What is compared: the name, how it is read, its unit, and the bars for one job and for five.
type Row = (
    &'static str,
    fn(&Run) -> Option<f64>,
    &'static str,
    [Option<f64>; 2],
);

const ROWS: [Row; 5] = [
    ("memory, settled", memory, "MB", [Some(0.16), Some(0.09)]),
    (
        "first sync, CPU",
        |run| cpu(run, "sync"),
        "s",
        [Some(0.2), Some(0.1)],
    ),
    (
        "label changes, CPU",
        |run| cpu(run, "label changes"),
        "s",
        [Some(0.06), Some(0.03)],
    ),
    (
        "Pod heartbeats, CPU",
        |run| cpu(run, "Pod heartbeats"),
        "s",
        [Some(0.04), Some(0.02)],
    ),
    (
        "node heartbeats, CPU",
        |run| cpu(run, "node heartbeats"),
        "s",
        [None, Some(0.002)],
    ),
];
const LATENCY_BAR: f64 = 0.005;
/// From an event to the published snapshot, at the 99th percentile.
const OWN_BAR_SECONDS: f64 = 0.010;

// === impl Ratio ===

impl Ratio {
    /// Whether it is within its bar.
    pub(crate) fn is_within(&self) -> bool {
        self.part <= self.bar
    }
}

/// All ratios that the results allow.
pub(super) fn ratios(results: &Results) -> Vec<Ratio> {
    let mut ratios = Vec::new();
    for (what, read, unit, bars) in ROWS {
        for (jobs, bar) in Jobs::ALL.into_iter().zip(bars) {
            let of = |peer| run_of(results, peer, jobs).and_then(read);
            let both = of(Peer::Prometheus).zip(of(Peer::Periplus));
            if let Some(((prometheus, periplus), bar)) = both.zip(bar) {
                ratios.push(ratio(what, jobs, unit, (prometheus, periplus), bar));
            }
        }
    }
    let of = |peer| {
        results
            .latencies
            .iter()
            .find(|latency| latency.peer == peer)
    };
    if let Some((prometheus, periplus)) = of(Peer::Prometheus).zip(of(Peer::Periplus)) {
        let shares = [
            (
                "change to visible, p50",
                prometheus.p50_seconds,
                periplus.p50_seconds,
            ),
            (
                "change to visible, p99",
                prometheus.p99_seconds,
                periplus.p99_seconds,
            ),
        ];
        for (what, theirs, ours) in shares {
            if let Some(both) = theirs.zip(ours) {
                ratios.push(ratio(what, Jobs::One, "s", both, LATENCY_BAR));
            }
        }
    }
    ratios
}

fn ratio(what: &str, jobs: Jobs, unit: &str, both: (f64, f64), bar: f64) -> Ratio {
    let (prometheus, periplus) = both;
    Ratio {
        what: what.to_owned(),
        jobs,
        unit: unit.to_owned(),
        prometheus,
        periplus,
        part: periplus / prometheus,
        bar,
    }
}

fn run_of(results: &Results, peer: Peer, jobs: Jobs) -> Option<&Run> {
    let mut runs = results.runs.iter();
    runs.find(|run| run.peer == peer && run.jobs == jobs)
}

fn phase<'a>(run: &'a Run, name: &str) -> Option<&'a Phase> {
    run.phases.iter().find(|phase| phase.name == name)
}

fn memory(run: &Run) -> Option<f64> {
    Some(phase(run, "sync")?.resident_bytes as f64 / 1e6)
}

fn cpu(run: &Run, name: &str) -> Option<f64> {
    Some(phase(run, name)?.cpu_seconds)
}

/// Writes the ratios, and below them every figure.
pub(crate) fn write(results: &Results) -> Result<String, fmt::Error> {
    let mut text = String::new();
    let Results {
        machine,
        pods,
        nodes,
        services,
        slices,
        pod_bytes,
        fill_seconds,
        ..
    } = results;
    writeln!(text, "{machine}")?;
    writeln!(
        text,
        "{pods} Pods of {pod_bytes} bytes, {nodes} nodes, {services} services, {slices} slices; created in \
         {fill_seconds:.0} s"
    )?;
    if results.quick {
        writeln!(text, "quick: the figures say little")?;
    }
    write_ratios(&mut text, results)?;
    for run in &results.runs {
        write_run(&mut text, run)?;
    }
    write_latencies(&mut text, results)?;
    Ok(text)
}

fn write_ratios(text: &mut String, results: &Results) -> fmt::Result {
    if results.ratios.is_empty() {
        return Ok(());
    }
    writeln!(
        text,
        "\n{:<24} {:<5} {:>12} {:>12}    {:>8} {:>8}",
        "", "jobs", "Prometheus", "Periplus", "ratio", "bar"
    )?;
    for ratio in &results.ratios {
        let Ratio {
            what,
            unit,
            prometheus,
            periplus,
            bar,
            ..
        } = ratio;
        let (theirs, ours) = (digits(*prometheus), digits(*periplus));
        let verdict = if ratio.is_within() { "" } else { "  MISSED" };
        writeln!(
            text,
            "{what:<24} {:<5} {prometheus:>12.theirs$} {periplus:>12.ours$} {unit:<2} {:>8.4} {bar:>8}{verdict}",
            ratio.jobs.name(),
            ratio.part,
        )?;
    }
    Ok(())
}

fn write_run(text: &mut String, run: &Run) -> fmt::Result {
    writeln!(
        text,
        "\n{}, jobs: {}; all targets after {:.2} s",
        run.peer.name(),
        run.jobs.name(),
        run.sync_seconds
    )?;
    writeln!(
        text,
        "  {:<16} {:>8} {:>6} {:>9} {:>8} {:>8} {:>8} {:>10} {:>9}",
        "", "changes", "in s", "CPU s", "% core", "RSS MB", "peak MB", "API CPU s", "other s"
    )?;
    for phase in &run.phases {
        let Phase {
            name,
            changes,
            seconds,
            cpu_seconds,
            api_server_cpu_seconds,
            other_cpu_seconds,
            ..
        } = phase;
        let share = 100.0 * cpu_seconds / seconds;
        let (resident, peak) = (
            phase.resident_bytes as f64 / 1e6,
            phase.peak_bytes as f64 / 1e6,
        );
        write!(
            text,
            "  {name:<16} {changes:>8} {seconds:>6.0} {cpu_seconds:>9.2} {share:>8.1} {resident:>8.0} {peak:>8.0} \
             {api_server_cpu_seconds:>10.1} {other_cpu_seconds:>9.1}"
        )?;
        match phase.derived_groups {
            Some(groups) => writeln!(text, "  {groups} groups derived")?,
            None => writeln!(text)?,
        }
    }
    Ok(())
}

fn write_latencies(text: &mut String, results: &Results) -> fmt::Result {
    writeln!(
        text,
        "\n{:<24} {:>8} {:>7} {:>9} {:>9} {:>9} {:>9}",
        "change to visible", "changes", "missed", "p50 ms", "p90 ms", "p99 ms", "max ms"
    )?;
    for latency in &results.latencies {
        let shares = [
            latency.p50_seconds,
            latency.p90_seconds,
            latency.p99_seconds,
            latency.max_seconds,
        ];
        let shares = shares.map(|share| {
            share.map_or_else(|| format!("{:>9}", "-"), |s| format!("{:>9.1}", s * 1e3))
        });
        writeln!(
            text,
            "{:<24} {:>8} {:>7} {}",
            latency.peer.name(),
            latency.changes,
            latency.missed,
            shares.join(" ")
        )?;
        if let Some(own) = latency.own_p99_seconds {
            let verdict = if own <= OWN_BAR_SECONDS {
                "reached"
            } else {
                "MISSED"
            };
            writeln!(
                text,
                "  from the event to the snapshot, p99: <= {:.1} ms (aim: 10 ms, {verdict})",
                own * 1e3
            )?;
        }
    }
    Ok(())
}
