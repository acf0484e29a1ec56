//! What the page says of each benchmark: tables as Markdown, and the plots that belong to them.

use std::fmt::{self, Write};

use super::Part;
use super::chart::{Bars, Chart, Scale};
use crate::jobs::Jobs;
use crate::{kubernetes, peers};

/// How a figure is read from the latencies of a peer.
type Share = fn(&peers::Latency) -> Option<f64>;

/// Prometheus beside Periplus.
pub(super) fn peers(results: &peers::Results, folder: &str) -> Result<Part, fmt::Error> {
    let mut text = String::new();
    let peers::Results {
        machine,
        pods,
        nodes,
        services,
        slices,
        pod_bytes,
        ..
    } = results;
    writeln!(
        text,
        "{pods} Pods of {pod_bytes} bytes, {nodes} nodes, {services} services, {slices} slices; {machine}.{}\n",
        quick(results.quick)
    )?;
    writeln!(
        text,
        "| same work | jobs | Prometheus | Periplus | ratio | bar | |"
    )?;
    writeln!(text, "|---|---|---|---|---|---|---|")?;
    for ratio in &results.ratios {
        let verdict = if ratio.is_within() {
            "reached"
        } else {
            "**missed**"
        };
        writeln!(
            text,
            "| {} | {} | {} {unit} | {} {unit} | {:.4} | {} | {verdict} |",
            ratio.what,
            ratio.jobs.name(),
            figure(ratio.prometheus),
            figure(ratio.periplus),
            ratio.part,
            ratio.bar,
            unit = ratio.unit,
        )?;
    }
    let own = results.latencies.iter().find_map(|one| one.own_p99_seconds);
    if let Some(own) = own {
        let own = figure(own * 1e3);
        writeln!(
            text,
            "\nFrom the event in Periplus' socket to the published snapshot, p99: at most {own} ms."
        )?;
    }
    let derived = results.runs.iter().flat_map(|run| &run.phases);
    let derived = derived.filter(|phase| phase.name == "node heartbeats");
    if let Some(groups) = derived
        .filter_map(|phase| phase.derived_groups)
        .reduce(f64::max)
    {
        writeln!(
            text,
            "\nGroups that Periplus derived anew during the node heartbeats: {groups}."
        )?;
    }
    let plots = vec![
        ("peers-memory.svg", memory_beside(results)),
        ("peers-cpu.svg", cpu_beside(results)),
        ("peers-latency.svg", latency_beside(results)),
    ];
    link(&mut text, folder, &plots)?;
    Ok(Part {
        name: peers::NAME,
        text,
        plots,
    })
}

/// Periplus alone.
pub(super) fn kubernetes(results: &kubernetes::Results, folder: &str) -> Result<Part, fmt::Error> {
    let mut text = format!("{}.{}\n\n", results.machine, quick(results.quick));
    writeln!(
        text,
        "| Pods | jobs | targets | first sync | its CPU | memory | peak | lists read |"
    )?;
    writeln!(text, "|---|---|---|---|---|---|---|---|")?;
    for run in &results.runs {
        writeln!(
            text,
            "| {} | {} | {} | {} s | {} s | {} MB | {} MB | {} MB |",
            run.pods,
            run.jobs.name(),
            run.targets,
            figure(run.sync_seconds),
            figure(run.sync_cpu_seconds),
            megabytes(run.resident_bytes),
            megabytes(run.peak_bytes),
            megabytes(run.resident_with_lists_bytes),
        )?;
    }
    for jobs in Jobs::ALL {
        if let Some(bytes) = kubernetes::slope(results, jobs) {
            let name = jobs.name();
            writeln!(
                text,
                "\nMemory per further Pod, jobs {name}: {bytes:.0} bytes."
            )?;
        }
    }
    write_costs(&mut text, results)?;
    write_clusters(&mut text, results)?;
    let plots = vec![
        ("kubernetes-memory.svg", memory_by_size(results)),
        ("kubernetes-cost.svg", cost_by_size(results)),
    ];
    link(&mut text, folder, &plots)?;
    Ok(Part {
        name: kubernetes::NAME,
        text,
        plots,
    })
}

fn write_costs(text: &mut String, results: &kubernetes::Results) -> fmt::Result {
    writeln!(text, "\n| CPU of each | {} |", columns(results).join(" | "))?;
    writeln!(text, "|---|{}", "---|".repeat(results.runs.len()))?;
    for what in kinds(results) {
        let each = results.runs.iter().map(|run| match cost(run, what) {
            Some(micros) => format!("{} us", figure(micros)),
            None => "-".to_owned(),
        });
        writeln!(
            text,
            "| {what} | {} |",
            each.collect::<Vec<_>>().join(" | ")
        )?;
    }
    let rederived = results.runs.iter().map(|run| match run.rederived {
        Some(groups) => groups.to_string(),
        None => "not counted".to_owned(),
    });
    let rederived = rederived.collect::<Vec<_>>().join(" | ");
    writeln!(
        text,
        "| groups derived anew by node heartbeats | {rederived} |"
    )
}

fn write_clusters(text: &mut String, results: &kubernetes::Results) -> fmt::Result {
    if results.clusters.is_empty() {
        return Ok(());
    }
    writeln!(
        text,
        "\n| clusters | dead | Pods in each | first sync of the living | its CPU | memory | peak | idle | change to visible, p50 / p99 |"
    )?;
    writeln!(text, "|---|---|---|---|---|---|---|---|---|")?;
    for run in &results.clusters {
        let visible = [run.visible_p50_seconds, run.visible_p99_seconds];
        let visible = visible.map(|s| s.map_or_else(|| "-".to_owned(), |s| figure(s * 1e3)));
        writeln!(
            text,
            "| {} | {} | {} | {} s | {} s | {} MB | {} MB | {} % | {} ms |",
            run.clusters,
            run.dead,
            run.pods_each,
            figure(run.sync_seconds),
            figure(run.sync_cpu_seconds),
            megabytes(run.resident_bytes),
            megabytes(run.peak_bytes),
            figure(run.idle_percent),
            visible.join(" / "),
        )?;
    }
    Ok(())
}

fn link(text: &mut String, folder: &str, plots: &[(&str, String)]) -> fmt::Result {
    for (name, _) in plots {
        let about = name.trim_end_matches(".svg").replace('-', ", ");
        writeln!(text, "\n![{about}]({folder}/{name})")?;
    }
    Ok(())
}

fn memory_beside(results: &peers::Results) -> String {
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

fn cpu_beside(results: &peers::Results) -> String {
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

fn latency_beside(results: &peers::Results) -> String {
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

fn memory_by_size(results: &kubernetes::Results) -> String {
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

fn cost_by_size(results: &kubernetes::Results) -> String {
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

/// Kinds of changes in the order in which they were made.
fn kinds(results: &kubernetes::Results) -> Vec<&str> {
    let mut kinds: Vec<&str> = Vec::new();
    // Runs with more jobs know more kinds.
    let longest = results.runs.iter().max_by_key(|run| run.costs.len());
    for cost in longest.into_iter().flat_map(|run| &run.costs) {
        kinds.push(&cost.what);
    }
    kinds
}

/// Microseconds of CPU for one change.
fn cost(run: &kubernetes::Run, what: &str) -> Option<f64> {
    let cost = run.costs.iter().find(|cost| cost.what == what)?;
    Some(cost.each() * 1e6)
}

fn columns(results: &kubernetes::Results) -> Vec<String> {
    let name = |run: &kubernetes::Run| format!("{} Pods, {}", run.pods, run.jobs.name());
    results.runs.iter().map(name).collect()
}

fn peer_names() -> Vec<String> {
    peers::Peer::ALL.map(|peer| peer.name().to_owned()).to_vec()
}

fn quick(quick: bool) -> &'static str {
    if quick {
        " **A quick run: it shows that everything works, and the figures say little.**"
    } else {
        ""
    }
}

fn megabytes(bytes: u64) -> String {
    figure(bytes as f64 / 1e6)
}

fn figure(value: f64) -> String {
    let digits = crate::report::digits(value);
    format!("{value:.digits$}")
}
