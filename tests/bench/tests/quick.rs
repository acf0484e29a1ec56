//! The benchmarks run, with small numbers. What needs the host's binary or the real API server is left out
//! where these are not built.

#![allow(clippy::unwrap_used, reason = "helpers of tests are tests too")]

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::Value;

const BENCH: &str = env!("CARGO_BIN_EXE_periplus-bench");
const PAGE: &str = "before\n<!-- begin kubernetes -->\n<!-- end kubernetes -->\n\
                    <!-- begin peers -->\nold\n<!-- end peers -->\nafter\n";

/// A file that another command builds; says so where it is missing.
fn built(path: PathBuf) -> Option<PathBuf> {
    if path.is_file() {
        return Some(path);
    }
    // With nobody listening there is nothing to say.
    let _ = writeln!(
        std::io::stderr(),
        "SKIPPED: `{}` is not built",
        path.display()
    );
    None
}

/// What a run prints, which must succeed, and what it writes as JSON.
fn run(arguments: &[&str], json: &Path) -> (String, Value) {
    let mut command = Command::new(BENCH);
    let output = command
        .args(arguments)
        .arg("--json")
        .arg(json)
        .output()
        .unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{errors}");
    let table = String::from_utf8(output.stdout).unwrap();
    let text = std::fs::read_to_string(json).unwrap();
    (table, serde_json::from_str(&text).unwrap())
}

/// The page that is made of results, and its plots by name.
fn page(json: &Path, folder: &Path) -> (String, Vec<(String, String)>) {
    let (page, plots) = (folder.join("page.md"), folder.join("plots"));
    std::fs::write(&page, PAGE).unwrap();
    let mut command = Command::new(BENCH);
    command
        .arg("page")
        .arg("--json")
        .arg(json)
        .arg("--out")
        .arg(&plots);
    let output = command.arg("--page").arg(&page).output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{errors}");
    let files = std::fs::read_dir(plots).unwrap().map(|entry| {
        let path = entry.unwrap().path();
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        (name, std::fs::read_to_string(path).unwrap())
    });
    (std::fs::read_to_string(page).unwrap(), files.collect())
}

#[test]
fn kubernetes_run_measures_each_size_and_makes_a_page() {
    if built(Path::new(BENCH).with_file_name("periplus")).is_none() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("kubernetes.json");
    let arguments = [
        "kubernetes",
        "--quick",
        "--sizes",
        "100,300",
        "--jobs",
        "one,five",
        "--clusters",
        "4",
        "--dead",
        "2",
    ];
    let (table, results) = run(&arguments, &json);
    for run in results["runs"].as_array().unwrap() {
        let pods = run["pods"].as_u64().unwrap();
        assert!(run["targets"].as_u64().unwrap() >= 2 * pods, "{run}");
        assert!(run["resident_bytes"].as_u64().unwrap() > 1_000_000, "{run}");
        assert!(run["costs"].as_array().unwrap().len() >= 6, "{run}");
        assert!(run["rederived"].as_f64().unwrap_or(0.0) == 0.0, "{run}");
    }
    let clusters = results["clusters"].as_array().unwrap();
    let rounds: Vec<_> = clusters
        .iter()
        .map(|round| round["dead"].as_u64())
        .collect();
    assert_eq!(rounds, [Some(0), Some(2)]);
    for round in clusters {
        assert_eq!(round["served"], true, "{round}");
        assert!(round["visible_p50_seconds"].as_f64().unwrap() > 0.0);
    }
    assert!(table.contains("CPU per label change"), "{table}");
    assert!(
        table.contains("memory per further Pod, jobs: one"),
        "{table}"
    );
    let (page, plots) = page(&json, folder.path());
    assert!(
        page.contains("| 300 | one | 600 |") && page.contains("A quick run"),
        "{page}"
    );
    assert!(
        page.ends_with("<!-- begin peers -->\nold\n<!-- end peers -->\nafter\n"),
        "{page}"
    );
    assert_eq!(plots.len(), 2);
}

#[test]
fn peers_run_puts_prometheus_beside_periplus() {
    let parts = Path::new(env!("CARGO_MANIFEST_DIR")).join("../e2e/.build");
    let periplus = Path::new(BENCH).with_file_name("periplus");
    let needed = [parts.join("apiserver"), parts.join("prometheus"), periplus];
    if needed.into_iter().any(|path| built(path).is_none()) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let parts = parts.display().to_string();
    let arguments = [
        "peers", "--quick", "--pods", "100", "--jobs", "one", "--build", &parts,
    ];
    let (table, results) = run(&arguments, &folder.path().join("peers.json"));
    let phases = |run: &Value| run["phases"].as_array().unwrap().len();
    let runs = results["runs"].as_array().unwrap();
    assert_eq!(runs.iter().map(phases).collect::<Vec<_>>(), [5, 5]);
    for latency in results["latencies"].as_array().unwrap() {
        assert_eq!(latency["missed"], 0, "{latency}");
        assert!(latency["p50_seconds"].as_f64().unwrap() > 0.0, "{latency}");
    }
    assert!(table.contains("change to visible, p99"), "{table}");
}

#[test]
fn page_shows_ratios_with_their_bars_and_plots() {
    let folder = tempfile::tempdir().unwrap();
    let json = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/peers.json");
    let (page, plots) = page(&json, folder.path());
    assert!(
        page.starts_with("before\n") && page.ends_with("<!-- end peers -->\nafter\n"),
        "{page}"
    );
    assert!(page.contains("| memory, settled | one |"), "{page}");
    assert!(page.contains("| 0.16 | **missed** |"), "{page}");
    for (name, plot) in &plots {
        assert!(page.contains(&format!("(plots/{name})")), "{name}: {page}");
        assert!(
            plot.starts_with("<svg") && plot.trim_end().ends_with("</svg>"),
            "{name}"
        );
        assert!(
            plot.contains("Prometheus") && plot.contains("Periplus"),
            "{name}"
        );
    }
    assert_eq!(plots.len(), 3);
}

#[test]
fn quick_run_writes_figures_as_json_and_as_a_table() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("figures/bench.json");
    let output = Command::new(BENCH)
        .args(["--quick", "--only", "relabel,pipeline", "--json"])
        .arg(&json)
        .output()
        .unwrap();
    let table = String::from_utf8(output.stdout).unwrap();
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let report: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(json).unwrap()).unwrap();
    assert_eq!(report["quick"], true);
    let figures = report["figures"].as_array().unwrap();
    for name in [
        "rules alone, per target",
        "full pass, per target",
        "rendered bytes, per target",
    ] {
        let figure = figures
            .iter()
            .find(|figure| figure["name"] == name)
            .expect(name);
        assert!(figure["value"].as_f64().unwrap() > 0.0, "{figure}");
        assert!(table.contains(name), "{table}");
    }
}

#[test]
fn missing_host_is_named_with_what_to_do() {
    let output = Command::new(BENCH)
        .args([
            "--quick",
            "--only",
            "cluster",
            "--periplus",
            "/nonexistent/periplus",
        ])
        .output()
        .unwrap();
    assert!(!output.status.success());
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(
        errors.contains("no host at `/nonexistent/periplus`"),
        "{errors}"
    );
    assert!(
        errors.contains("cargo build --release -p periplus"),
        "{errors}"
    );
}
