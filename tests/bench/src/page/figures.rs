//! What the page says of each benchmark: tables as Markdown, and the plots that belong to them.

use std::fmt::{self, Write};

use super::{Part, plots};
use crate::jobs::Jobs;
use crate::{kubernetes, peers};

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
        ("peers-memory.svg", plots::memory_beside(results)),
        ("peers-cpu.svg", plots::cpu_beside(results)),
        ("peers-latency.svg", plots::latency_beside(results)),
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
        ("kubernetes-memory.svg", plots::memory_by_size(results)),
        ("kubernetes-cost.svg", plots::cost_by_size(results)),
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

/// Kinds of changes in the order in which they were made.
pub(super) fn kinds(results: &kubernetes::Results) -> Vec<&str> {
    let mut kinds: Vec<&str> = Vec::new();
    // Runs with more jobs know more kinds.
    let longest = results.runs.iter().max_by_key(|run| run.costs.len());
    for cost in longest.into_iter().flat_map(|run| &run.costs) {
        kinds.push(&cost.what);
    }
    kinds
}

/// Microseconds of CPU for one change.
pub(super) fn cost(run: &kubernetes::Run, what: &str) -> Option<f64> {
    let cost = run.costs.iter().find(|cost| cost.what == what)?;
    Some(cost.each() * 1e6)
}

pub(super) fn columns(results: &kubernetes::Results) -> Vec<String> {
    let name = |run: &kubernetes::Run| format!("{} Pods, {}", run.pods, run.jobs.name());
    results.runs.iter().map(name).collect()
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
