//! Plugins that cannot be loaded, and plugins that misbehave when they run: each is named with
//! the reason, and costs nobody but itself.

use serde_json::Value;

use crate::lab::{Lab, hostile, shipped, shipped_bytes};
use crate::running::Running;

/// An empty core module.
const MODULE: &str = "(module)";
/// A component that exports nothing.
const COMPONENT: &str = "(component)";
/// A component for another host.
const FOREIGN: &str = r#"(component (import "wasi:http/types@0.2.0" (instance)))"#;

/// Places in the configuration, what is said of the plugin there, and the hint below.
const UNLOADABLE: [(&str, &str, &str); 8] = [
    (
        "3:1: plugins[0]",
        "`DIR/missing.wasm`: No such file",
        "build it, or correct `source`",
    ),
    (
        "4:1: plugins[1]",
        "`DIR/truncated.wasm` is not a WebAssembly component: it is damaged or truncated",
        "build or copy it again",
    ),
    (
        "5:1: plugins[2]",
        "`DIR/text.wasm` is not a WebAssembly component: it does not begin with",
        "build or copy it again",
    ),
    (
        "6:1: plugins[3]",
        "`DIR/module.wasm` is not a WebAssembly component: it is a core module; build it for `wasm32-wasip2`",
        "build or copy it again",
    ),
    (
        "7:1: plugins[4]",
        "`DIR/nothing.wasm` does not fit this host: it exports nothing, but a plugin exports `periplus:discovery/plugin@0.1.0`",
        "build it against the contract",
    ),
    (
        "8:1: plugins[5]",
        "`DIR/foreign.wasm` does not fit this host: it needs `wasi:http/types@0.2.0`",
        "build it against the contract",
    ),
    (
        "9:1: plugins[6]",
        "has sha256 `",
        "write its digest under `sha256`",
    ),
    (
        "11:1: plugins[7]",
        "more than its limit of 65536",
        "raise it under `limits`",
    ),
];

#[tokio::test(flavor = "multi_thread")]
async fn every_plugin_that_cannot_be_loaded_is_named_with_the_reason() {
    let lab = Lab::new(&format!(
        "
plugins:
  - source: file:missing.wasm
  - source: file:truncated.wasm
  - source: file:text.wasm
  - source: file:module.wasm
  - source: file:nothing.wasm
  - source: file:foreign.wasm
  - source: file:{sockets}
    sha256: {digest}
  - name: small
    source: file:{sockets}
    limits: {{memory: 64KiB}}
scrape_configs:
  - job_name: local
    sockets_sd_configs: [{{}}]
",
        sockets = shipped("sockets").display(),
        digest = "0".repeat(64),
    ));
    let component = shipped_bytes("sockets");
    lab.write("truncated.wasm", &component[..component.len() / 2]);
    lab.write("text.wasm", "scrape_configs: []");
    lab.write("module.wasm", wat::parse_str(MODULE).unwrap());
    lab.write("nothing.wasm", wat::parse_str(COMPONENT).unwrap());
    lab.write("foreign.wasm", wat::parse_str(FOREIGN).unwrap());

    let checked = lab.check(&[]).await;
    assert_eq!(checked.code, Some(1));
    let sockets = shipped("sockets").display().to_string();
    for (place, expected, hint) in UNLOADABLE {
        let text = checked.shown(&lab).replace(&sockets, "SOCKETS");
        let mut lines = text.lines().skip_while(|line| !line.contains(place));
        let line = lines.next();
        let line = line.unwrap_or_else(|| panic!("no `{place}` in:\n{text}"));
        let next = lines.next().unwrap_or_default();
        assert!(
            next.starts_with("  hint: ") && next.contains(hint),
            "{text}"
        );
        assert!(line.contains(expected), "{line}");
        assert!(
            line.contains("plugin `DIR/") || line.contains("plugin `SOCKETS`"),
            "{line}"
        );
    }

    // `run` refuses to start for the same reasons.
    let ended = lab.run_in_vain(&[]).await;
    assert!(
        ended
            .stderr
            .contains("module.wasm` is not a WebAssembly component"),
        "{ended:?}"
    );
}

/// A host with the hostile guest: a job for each mode, and one that is fine.
async fn misbehaving(modes: &[&str]) -> (Lab, Running) {
    let job = |mode: &&str| {
        format!(
            "  - job_name: {mode}\n    hostile_sd_configs: [{{mode: {mode}, refresh_interval: 1s}}]\n"
        )
    };
    let jobs: String = modes.iter().map(job).collect();
    let lab = Lab::new(&format!(
        "
plugins:
  - source: file:hostile.wasm
    limits: {{memory: 24MiB, cpu: 500ms, wall: 2s}}
scrape_configs:
  - job_name: fine
    hostile_sd_configs: [{{mode: fine, refresh_interval: 1s}}]
{jobs}"
    ));
    lab.write("hostile.wasm", hostile());
    let host = lab.run(&["--ready-timeout", "1s"]).await;
    (lab, host)
}

/// Waits until the provider of a mode fails for this reason, and says which plugin it is.
async fn until_failing(host: &Running, mode: &str, reason: &str) {
    let failing = |provider: &Value| {
        let message = provider["last_error"]["message"]
            .as_str()
            .unwrap_or_default();
        provider["config"]["config"]["mode"] == mode
            && provider["state"] == "failing"
            && message.contains("`hostile`")
            && message.contains(reason)
    };
    let what = format!("mode `{mode}` failing with `{reason}`");
    host.until(&what, "/api/v1/providers", |answer| {
        let providers = answer.json()["data"]["providers"].clone();
        providers.as_array().unwrap().iter().any(failing)
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_that_passes_a_limit_costs_itself() {
    let modes = [
        ("trap", "it trapped: "),
        ("memory", "more than its limit of 25165824"),
        ("loop", "more than its 500ms of CPU time"),
        ("sleep", "it did not return within 2s"),
        ("stack", "it trapped: "),
        ("configure-trap", "failed to start: it trapped"),
        ("configure-refuse", "it does not like it"),
        ("foreign-label", "label `__param_target` is not among those"),
    ];
    let (_lab, host) = misbehaving(&modes.map(|(mode, _)| mode)).await;
    for (mode, reason) in modes {
        until_failing(&host, mode, reason).await;
        // Unknown, with the reason, and never an empty list.
        let answer = host.get(&format!("/sd/{mode}")).await;
        assert_eq!(answer.status, 503, "{mode}: {}", answer.text());
        assert!(answer.text().contains("hostile/"), "{}", answer.text());
    }
    host.until_addresses("fine", &["a:1", "c:3"]).await;
    assert!(host.plugin("hostile").await["traps"].as_u64() > Some(0));
    let ready = host.until("readiness", "/-/ready", |answer| answer.status == 200);
    let ready = ready.await.text();
    for (mode, _) in modes {
        assert!(ready.contains(&format!("- {mode}: ")), "{ready}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn ten_million_targets_are_refused() {
    let lab = Lab::new(
        "
plugins:
  - source: file:hostile.wasm
scrape_configs:
  - job_name: many
    hostile_sd_configs: [{mode: many}]
",
    );
    lab.write("hostile.wasm", hostile());
    let host = lab.run(&[]).await;
    until_failing(
        &host,
        "many",
        "more than its limit of 134217728 bytes in one call",
    )
    .await;
    assert_eq!(host.get("/sd/many").await.status, 503);
}

#[tokio::test(flavor = "multi_thread")]
async fn targets_stay_when_a_plugin_fails_later() {
    let (_lab, host) = misbehaving(&["trap-second", "unavailable"]).await;
    let readings = ["trap-second", "unavailable"].map(|mode| {
        let path = format!("/sd/{mode}");
        (mode, path)
    });
    for (mode, _) in &readings {
        host.until_addresses(mode, &["a:1", "c:3"]).await;
    }
    let steady = readings.map(|(_, path)| host.read_steadily(&path));
    until_failing(&host, "trap-second", "it trapped: ").await;
    host.until("the reason", "/api/v1/providers", |answer| {
        answer.text().contains("the source is down")
    })
    .await;
    for readings in steady {
        for answer in readings.end().await {
            assert_eq!((answer.status, answer.addresses().len()), (200, 2));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plugin_reaches_nothing_that_is_not_granted() {
    let lab = Lab::new(
        "
plugins:
  - source: file:hostile.wasm
scrape_configs:
  - job_name: file
    hostile_sd_configs: [{mode: file, path: /etc/hostname}]
  - job_name: http-default
    hostile_sd_configs: [{mode: http-default}]
",
    );
    lab.write("hostile.wasm", hostile());
    let host = lab.run(&[]).await;
    let refused = |line: &'static str| {
        move |answer: &crate::running::Answer| {
            let text = answer.text();
            answer.status == 503 && text.contains("not granted") && text.contains(line)
        }
    };
    host.until_job("the line to add", "file", refused("/etc/hostname"))
        .await;
    // A URL from a default of the schema is not the operator's.
    let line = r#"allow: {http: [\"http://127.0.0.1:1\"]}"#;
    host.until_job("the line to add", "http-default", refused(line))
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_flood_of_log_lines_is_dammed() {
    let (_lab, host) = misbehaving(&["flood", "print"]).await;
    host.until_addresses("flood", &["a:1", "c:3"]).await;
    host.until_addresses("print", &["a:1", "c:3"]).await;
    // Each wrote a hundred thousand, at every refresh.
    let lines = host.log().lines().count();
    assert!((10..5_000).contains(&lines), "{lines} lines");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transformer_that_fails_does_what_on_error_says() {
    let job = |on_error: &str| {
        format!(
            "
  - job_name: {on_error}
    static_configs: [{{targets: [a:1], labels: {{wanted: x}}}}]
    transformers:
      - plugin: hostile
        config: {{mode: trap}}
        on_error: {on_error}"
        )
    };
    let jobs = ["keep", "pass", "drop"].map(job).concat();
    let lab = Lab::new(&format!(
        "plugins: [{{source: file:hostile.wasm}}]\nscrape_configs:{jobs}\n"
    ));
    lab.write("hostile.wasm", hostile());
    let host = lab.run(&[]).await;
    host.until_addresses("pass", &["a:1"]).await;
    host.until_addresses("drop", &[]).await;
    // Nothing was ever known to keep.
    host.until_job("the plugin's name", "keep", |answer| {
        answer.status == 503 && answer.text().contains("`hostile`")
    })
    .await;
    host.until_logged(&["Transformer failed", "keep", "hostile", "trapped"])
        .await;
}
