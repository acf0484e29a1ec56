//! `consul_sd_configs` of a `prometheus.yml` that names no plugin, served by the plugin in `--plugin-dir`.

use crate::lab::{Lab, edited, shipped, shipped_bytes};
use crate::running::until;

#[path = "consul/server.rs"]
mod server;

use server::{Consul, Wanted};

/// Never in a log or an answer of the host.
const TOKEN: &str = "b1gs3cr3t-acl-token";

/// As Prometheus reads it. The pause between requests is what keeps a test short.
fn config(section: &str) -> String {
    format!(
        "scrape_configs:
  - job_name: services
    consul_sd_configs:
      - {{refresh_interval: 1s, {section}}}
"
    )
}

/// A lab whose plugin folder holds the plugin of this repository and nothing else.
fn lab(section: &str) -> (Lab, String) {
    let lab = Lab::new(&config(section));
    lab.make_folder("plugins");
    std::fs::copy(shipped("consul"), lab.path("plugins/consul.wasm")).unwrap();
    let folder = lab.path("plugins").to_str().unwrap().to_owned();
    (lab, folder)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unchanged_configuration_works_with_the_plugin_in_the_folder() {
    let wanted = Wanted {
        authorization: "Basic dTpw",
        ..Wanted::default()
    };
    let consul = Consul::start(wanted).await;
    consul.set("api", &["10.1.0.1", "10.1.0.2"]);
    consul.set("db", &["10.2.0.1"]);
    let section = format!(
        "server: \"{}\", basic_auth: {{username: u, password: p}}",
        consul.address
    );
    let (lab, folder) = lab(&section);
    let host = lab.run(&["--plugin-dir", &folder]).await;
    host.until_addresses("services", &["10.1.0.1:80", "10.1.0.2:80", "10.2.0.1:80"])
        .await;
    let labels = host
        .get("/sd/services?stage=discovered")
        .await
        .labels("10.2.0.1:80")
        .unwrap();
    for (name, value) in [
        ("service", "db"),
        ("dc", "dc7"),
        ("node", "n1"),
        ("address", "10.0.0.1"),
        ("tags", ",web,db,"),
        ("service_address", "10.2.0.1"),
        ("service_port", "80"),
        ("service_id", "db-10.2.0.1"),
        ("health", "warning"),
        ("metadata_rack_id", "r1"),
        ("tagged_address_lan", "10.0.0.1"),
    ] {
        assert_eq!(labels[&format!("__meta_consul_{name}")], value, "{name}");
    }
    // Held back by the server until there is news, at the index that was heard.
    until(|| {
        let asked = consul.asked();
        asked.contains(&"health/db?index=12&stale=&wait=120000ms".to_owned())
            && asked.contains(&"services?index=12&stale=&wait=120000ms".to_owned())
    })
    .await;

    // A service appears, one changes, one goes.
    consul.set("cache", &["10.3.0.1"]);
    consul.set("api", &["10.1.0.9"]);
    consul.set("db", &[]);
    host.until_addresses("services", &["10.1.0.9:80", "10.3.0.1:80"])
        .await;

    // An index that begins anew hides nothing.
    consul.resets();
    consul.set("api", &["10.1.0.4"]);
    host.until_addresses("services", &["10.1.0.4:80", "10.3.0.1:80"])
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_cannot_be_read_stays_and_is_named() {
    let consul = Consul::start(Wanted::default()).await;
    consul.set("api", &["10.1.0.1"]);
    consul.set("db", &["10.2.0.1"]);
    let (lab, folder) = lab(&format!("server: \"{}\"", consul.address));
    let host = lab.run(&["--plugin-dir", &folder]).await;
    host.until_addresses("services", &["10.1.0.1:80", "10.2.0.1:80"])
        .await;
    consul.breaks(&["db"]);
    consul.set("api", &["10.1.0.2"]);
    host.until_addresses("services", &["10.1.0.2:80", "10.2.0.1:80"])
        .await;
    host.until_provider("the failure", "consul", |provider| {
        let message = provider["last_error"]["message"].as_str();
        message.is_some_and(|it| it.contains("Unexpected response code: 500 (No cluster leader)"))
    })
    .await;
    host.until_addresses("services", &["10.1.0.2:80", "10.2.0.1:80"])
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_token_reaches_the_server_and_nobody_else() {
    let wanted = Wanted {
        token: TOKEN,
        ..Wanted::default()
    };
    let consul = Consul::start(wanted).await;
    consul.set("api", &["10.1.0.1"]);
    let section = format!(
        "server: \"{}\", token: {TOKEN}, services: [api]",
        consul.address
    );
    let (lab, folder) = lab(&section);
    let host = lab.run(&["--plugin-dir", &folder]).await;
    host.until_addresses("services", &["10.1.0.1:80"]).await;
    for path in ["/api/v1/providers", "/api/v1/plugins", "/api/v1/targets"] {
        assert!(!host.get(path).await.text().contains(TOKEN), "{path}");
    }
    assert!(!host.log().contains(TOKEN));
    assert!(consul.asked().iter().all(|it| !it.contains(TOKEN)));
}

#[tokio::test(flavor = "multi_thread")]
async fn another_plugin_that_serves_the_mechanism_is_granted_nothing() {
    let consul = Consul::start(Wanted::default()).await;
    consul.set("api", &["10.1.0.1"]);
    let (lab, folder) = lab(&format!("server: \"{}\"", consul.address));
    // The same code, with one text changed: what counts are the bytes, not what a plugin says of itself.
    let other = edited(shipped_bytes("consul"), "ACL token.", "ACL Token.");
    lab.write("plugins/consul.wasm", other);
    let host = lab.run(&["--plugin-dir", &folder]).await;
    let line = format!(r#"allow: {{http: [\"http://{}\"]}}"#, consul.address);
    host.until_job("the line to add", "services", |answer| {
        answer.status == 503 && answer.text().contains(&line)
    })
    .await;
    assert!(consul.asked().is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_are_told_in_the_words_of_prometheus() {
    let (lab, folder) = lab("username: u, basic_auth: {username: u, password: p}");
    let ended = lab.check(&["--plugin-dir", &folder]).await;
    assert_eq!(ended.code, Some(1), "{ended:?}");
    let said = format!("{}{}", ended.stdout, ended.stderr);
    assert!(
        said.contains(
            "at most one of consul SD configuration username and password and basic auth can be configured"
        ),
        "{said}"
    );
    let ended = lab.check(&["--plugin-dir", "/nonexistent/plugins"]).await;
    let said = format!("{}{}", ended.stdout, ended.stderr);
    assert!(
        ended.code == Some(1) && said.contains("the folder cannot be read"),
        "{said}"
    );
}
