//! Files that are no plugins, and plugins that are not what they should be.

use periplus_config::PluginConfig;
use periplus_discovery::PluginStatuses;
use serde_json::json;

use crate::lab::{Lab, entry, hostile, section, transformer};

async fn refused(lab: &Lab, config: PluginConfig) -> String {
    let error = lab.load(std::slice::from_ref(&config)).await.unwrap_err();
    assert!(
        error.contains(config.source.to_str().unwrap()),
        "{error} does not name the file"
    );
    assert_eq!(lab.status().state, "quarantined");
    assert_eq!(lab.status().reason, Some(error.clone()));
    error
}

#[tokio::test]
async fn a_missing_file_is_named() {
    let lab = Lab::new();
    let error = refused(&lab, entry(&lab.home.path().join("missing.wasm"))).await;
    assert!(error.contains("No such file"), "{error}");
}

#[tokio::test]
async fn what_is_no_component_is_told_apart() {
    let lab = Lab::new();
    let component = hostile();
    for (bytes, expected) in [
        (Vec::new(), "empty"),
        (b"scrape_configs: []".to_vec(), "magic bytes"),
        (wat::parse_str("(module)").unwrap(), "core module"),
        (component[..component.len() / 2].to_vec(), "truncated"),
        (wat::parse_str("(component)").unwrap(), "exports nothing"),
        (
            wat::parse_str(r#"(component (import "wasi:http/types@0.2.0" (instance)))"#).unwrap(),
            "needs `wasi:http/types@0.2.0`",
        ),
    ] {
        let error = refused(&lab, lab.entry("bad.wasm", &bytes)).await;
        assert!(error.contains(expected), "{error}");
    }
}

#[tokio::test]
async fn a_component_with_exports_of_another_shape_is_refused() {
    let lab = Lab::new();
    let lookalike = wat::parse_str(
        r#"(component
            (core module $m (func (export "f")))
            (core instance $i (instantiate $m))
            (func $f (canon lift (core func $i "f")))
            (instance $plugin (export "describe" (func $f)))
            (instance $provider (export "refresh" (func $f)))
            (export "periplus:discovery/plugin@0.1.0" (instance $plugin))
            (export "periplus:discovery/provider@0.1.0" (instance $provider))
        )"#,
    )
    .unwrap();
    let error = refused(&lab, lab.entry("lookalike.wasm", &lookalike)).await;
    assert!(error.contains("does not fit this host"), "{error}");
}

#[tokio::test]
async fn code_that_is_not_valid_does_not_compile() {
    let lab = Lab::new();
    let mut component = hostile();
    // Somewhere in the middle of the code of the guest.
    let middle = component.len() / 3;
    component[middle..middle + 64].fill(0xff);
    let error = refused(&lab, lab.entry("damaged.wasm", &component)).await;
    assert!(
        error.contains("not compile") || error.contains("damaged"),
        "{error}"
    );
}

#[tokio::test]
async fn a_file_larger_than_a_component_may_be_is_not_read() {
    let lab = Lab::new();
    let config = lab.entry("large.wasm", b"");
    std::fs::File::options()
        .write(true)
        .open(&config.source)
        .unwrap()
        .set_len(1 << 30)
        .unwrap();
    let error = refused(&lab, config).await;
    assert!(error.contains("more than the limit of 67108864"), "{error}");
}

#[tokio::test]
async fn a_file_with_another_digest_than_pinned_is_refused() {
    let lab = Lab::new();
    let config = PluginConfig {
        sha256: Some("0".repeat(64)),
        ..lab.entry("hostile.wasm", &hostile())
    };
    let error = refused(&lab, config).await;
    assert!(error.contains("has sha256"), "{error}");
}

#[tokio::test]
async fn a_good_plugin_says_what_it_serves() {
    let lab = Lab::hostile(|_| {}).await;
    assert!(lab.host.mechanisms().contains("hostile"));
    let status = lab.status();
    assert_eq!(
        (status.name.as_str(), status.state.as_str()),
        ("hostile", "running")
    );
    assert_eq!(status.version.as_deref(), Some("0.1.0"));
    assert!(status.transformer && status.mechanisms == ["hostile"]);
}

#[tokio::test]
async fn a_section_is_checked_against_the_schema_and_defaults_are_filled_in() {
    let lab = Lab::hostile(|_| {}).await;
    let check = |config| {
        let every = std::time::Duration::from_mins(1);
        let periplus_config::SectionKind::Plugin(section) = section("hostile", config, every).kind
        else {
            unreachable!("it is a section of a plugin")
        };
        lab.host.check_section("hostile", &section)
    };
    assert_eq!(
        check(json!({"mode": "ok"})).unwrap()["default_url"],
        "http://127.0.0.1:1/"
    );
    let problems = check(json!({"mode": 7, "other": true})).unwrap_err();
    assert!(problems.iter().any(|p| p.path == "/mode"), "{problems:?}");
    assert!(
        problems.iter().any(|p| p.message.contains("other")),
        "{problems:?}"
    );
    let problems = lab
        .host
        .check_transformer(&transformer("hostile", json!({"mode": 7})));
    assert_eq!(problems.unwrap_err()[0].path, "/config/mode");
}

#[tokio::test]
async fn two_plugins_may_not_serve_one_mechanism() {
    let lab = Lab::new();
    let first = lab.entry("a.wasm", &hostile());
    let second = PluginConfig {
        name: Some("other".into()),
        ..lab.entry("b.wasm", &hostile())
    };
    let error = lab.load(&[first, second]).await.unwrap_err();
    assert!(
        error.contains("b.wasm") && error.contains("mechanism `hostile`"),
        "{error}"
    );
    assert_eq!(lab.host.plugins().len(), 2);
}

#[tokio::test]
async fn what_is_staged_and_not_activated_does_not_run() {
    let lab = Lab::hostile(|_| {}).await;
    let before = lab.status();
    lab.host.load(&[]).await;
    assert!(lab.host.mechanisms().is_empty());
    assert_eq!(lab.status().digest, before.digest);
    lab.host.activate();
    assert!(lab.host.plugins().is_empty());
}
