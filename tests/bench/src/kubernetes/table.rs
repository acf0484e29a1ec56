//! The results as a table for people.

use std::fmt::{self, Write};

use super::{Cost, Results, Run};
use crate::jobs::Jobs;
use crate::report::digits;

/// What 100,000 Pods in one job may take (design, section 13).
const RESIDENT_LIMIT: f64 = 350e6;
const PEAK_LIMIT: f64 = 450e6;
const LIMITS_AT: usize = 100_000;

/// Writes all figures, with what they are to reach where there is such a thing.
pub(crate) fn write(results: &Results) -> Result<String, fmt::Error> {
    let mut text = String::new();
    writeln!(text, "{}", results.machine)?;
    for run in &results.runs {
        write_run(&mut text, run)?;
    }
    slopes(&mut text, results)?;
    clusters(&mut text, results)?;
    Ok(text)
}

fn write_run(text: &mut String, run: &Run) -> fmt::Result {
    let Run {
        pods,
        nodes,
        services,
        targets,
        ..
    } = run;
    let jobs = run.jobs.name();
    writeln!(
        text,
        "\n{pods} Pods, {nodes} nodes, {services} services; jobs: {jobs}; {targets} targets"
    )?;
    row(text, "first sync", run.sync_seconds, "s", "")?;
    row(
        text,
        "first sync, CPU, settled",
        run.sync_cpu_seconds,
        "s",
        "",
    )?;
    let limited = run.jobs == Jobs::One && run.pods == LIMITS_AT;
    let resident = run.resident_bytes as f64;
    let peak = run.peak_bytes as f64;
    row(
        text,
        "memory, settled",
        resident / 1e6,
        "MB",
        &verdict(limited, resident, RESIDENT_LIMIT),
    )?;
    row(
        text,
        "memory, peak",
        peak / 1e6,
        "MB",
        &verdict(limited, peak, PEAK_LIMIT),
    )?;
    let with_lists = run.resident_with_lists_bytes as f64 / 1e6;
    row(text, "memory, every list read once", with_lists, "MB", "")?;
    row(text, "lists, size", run.lists_bytes as f64 / 1e6, "MB", "")?;
    for cost in &run.costs {
        row(
            text,
            &format!("CPU per {}", cost.what),
            cost.each() * 1e6,
            "us",
            "",
        )?;
    }
    match run.rederived {
        Some(groups) => {
            let verdict = if groups == 0.0 {
                "aim: 0, reached"
            } else {
                "aim: 0, MISSED"
            };
            row(
                text,
                "groups derived anew by node heartbeats",
                groups,
                "",
                verdict,
            )?;
        }
        None => writeln!(
            text,
            "  groups derived anew by node heartbeats: this Periplus does not count them"
        )?,
    }
    Ok(())
}

/// Bytes per further Pod, from the smallest size to the largest.
pub(crate) fn slope(results: &Results, jobs: Jobs) -> Option<f64> {
    let of_jobs = || results.runs.iter().filter(|run| run.jobs == jobs);
    let small = of_jobs().min_by_key(|run| run.pods)?;
    let large = of_jobs().max_by_key(|run| run.pods)?;
    let pods = large
        .pods
        .checked_sub(small.pods)
        .filter(|more| *more > 0)?;
    Some((large.resident_bytes as f64 - small.resident_bytes as f64) / pods as f64)
}

fn slopes(text: &mut String, results: &Results) -> fmt::Result {
    writeln!(text, "\nfurther Pods")?;
    for (jobs, aim) in [(Jobs::One, "aim: 3,000"), (Jobs::Five, "aim: 8,000")] {
        if let Some(bytes) = slope(results, jobs) {
            row(
                text,
                &format!("memory per further Pod, jobs: {}", jobs.name()),
                bytes,
                "B",
                aim,
            )?;
        }
    }
    Ok(())
}

fn clusters(text: &mut String, results: &Results) -> fmt::Result {
    for run in &results.clusters {
        writeln!(
            text,
            "\n{} clusters of {} Pods, {} of them dead",
            run.clusters, run.pods_each, run.dead
        )?;
        row(text, "first sync of the living", run.sync_seconds, "s", "")?;
        row(
            text,
            "first sync, CPU, settled",
            run.sync_cpu_seconds,
            "s",
            "",
        )?;
        row(
            text,
            "memory, settled",
            run.resident_bytes as f64 / 1e6,
            "MB",
            "",
        )?;
        row(text, "memory, peak", run.peak_bytes as f64 / 1e6, "MB", "")?;
        row(text, "CPU while nothing happens", run.idle_percent, "%", "")?;
        let visible = [
            ("change to visible, p50", run.visible_p50_seconds),
            ("change to visible, p99", run.visible_p99_seconds),
        ];
        for (name, seconds) in visible {
            if let Some(seconds) = seconds {
                row(text, name, seconds * 1e3, "ms", "")?;
            }
        }
        if !run.served {
            writeln!(text, "  the list is not served: a cluster is not known")?;
        }
    }
    Ok(())
}

fn verdict(limited: bool, value: f64, limit: f64) -> String {
    let reached = if value <= limit { "reached" } else { "MISSED" };
    let aim = format!("aim: <= {} MB, {reached}", limit / 1e6);
    if limited { aim } else { String::new() }
}

fn row(text: &mut String, name: &str, value: f64, unit: &str, note: &str) -> fmt::Result {
    let digits = digits(value);
    let note = if note.is_empty() {
        String::new()
    } else {
        format!("  ({note})")
    };
    writeln!(text, "  {name:<48}  {value:>12.digits$} {unit:<3}{note}")
}

// === impl Cost ===

impl Cost {
    /// CPU seconds for one of them.
    pub(crate) fn each(&self) -> f64 {
        self.cpu_seconds / self.count.max(1) as f64
    }
}
