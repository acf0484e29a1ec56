//! The benchmark runs: the parts that need neither the host's binary nor built plugins.

use std::process::Command;

#[test]
fn quick_run_writes_figures_as_json_and_as_a_table() {
    let folder = tempfile::tempdir().unwrap();
    let json = folder.path().join("figures/bench.json");
    let output = Command::new(env!("CARGO_BIN_EXE_periplus-bench"))
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
    let output = Command::new(env!("CARGO_BIN_EXE_periplus-bench"))
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
