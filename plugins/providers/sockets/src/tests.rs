use periplus_sdk::serde_json::{Value, json};
use periplus_sdk::testing::{self, FakeHost};

use super::*;

const HEADING: &str = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";

fn table(sockets: &[(&str, u32, u64)]) -> String {
    let line = |&(address, uid, inode): &(&str, u32, u64)| {
        format!(
            "   0: {address} 00000000:0000 0A 00000000:00000000 00:00000000 00000000 {uid} 0 {inode} 1 0\n"
        )
    };
    HEADING.to_owned() + &sockets.iter().map(line).collect::<String>()
}

fn provider(config: Value) -> Sockets {
    testing::configure("sockets", config).unwrap()
}

fn problems(config: Value) -> Vec<(String, String)> {
    let problems = testing::configure::<Sockets>("sockets", config)
        .err()
        .unwrap_or_default();
    problems
        .into_iter()
        .map(|problem| (problem.path, problem.message))
        .collect()
}

fn addresses(update: &Update) -> Vec<&str> {
    let targets = update.groups.iter().flat_map(Group::list);
    targets
        .filter_map(|target| target.get("__address__"))
        .collect()
}

/// Listens on all of IPv4, on loopback, on one address, on all of IPv6, and twice on one port.
fn machine() -> FakeHost {
    let tcp = table(&[
        ("0501A8C0:0016", 0, 30),
        ("00000000:2382", 1000, 21),
        ("00000000:2382", 1001, 20),
        ("0100007F:238C", 65534, 40),
    ]);
    let tcp6 = table(&[("00000000000000000000000000000000:238C", 65534, 41)]);
    FakeHost::new().file(TCP, tcp).file(TCP6, tcp6)
}

#[test]
fn every_address_that_is_listened_on_is_one_group() {
    let _host = machine().install();
    let update = provider(json!({})).refresh(true).unwrap();
    assert!(update.complete);
    let sources: Vec<&str> = update.groups.iter().map(Group::source).collect();
    let expected = [
        "tcp/0.0.0.0:9090",
        "tcp/127.0.0.1:9100",
        "tcp/192.168.1.5:22",
        "tcp/[::]:9100",
    ];
    assert_eq!(sources, expected);
    let expected = [
        "127.0.0.1:9090",
        "127.0.0.1:9100",
        "192.168.1.5:22",
        "[::1]:9100",
    ];
    assert_eq!(addresses(&update), expected);
}

#[test]
fn labels_say_what_the_kernel_knows() {
    let _host = machine().install();
    let update = provider(json!({})).refresh(true).unwrap();
    let labels = |index: usize| {
        let names = ["address", "port", "family", "scope", "uid", "inode"];
        let group = &update.groups[index];
        names.map(|name| {
            group
                .get(&format!("__meta_sockets_{name}"))
                .unwrap_or("absent")
        })
    };
    // Two processes share the port: the older socket stands for both.
    assert_eq!(labels(0), ["0.0.0.0", "9090", "ipv4", "any", "1001", "20"]);
    assert_eq!(
        labels(1),
        ["127.0.0.1", "9100", "ipv4", "loopback", "65534", "40"]
    );
    assert_eq!(
        labels(2),
        ["192.168.1.5", "22", "ipv4", "address", "0", "30"]
    );
    assert_eq!(labels(3), ["::", "9100", "ipv6", "any", "65534", "41"]);
}

#[test]
fn the_configuration_selects_and_names_targets() {
    let _host = machine().install();
    let all = [
        "127.0.0.1:9090",
        "127.0.0.1:9100",
        "192.168.1.5:22",
        "[::1]:9100",
    ];
    let cases: [(Value, &[&str]); 7] = [
        (
            json!({"ports": {"include": [9090, "20-30"]}}),
            &[all[0], all[2]],
        ),
        (json!({"ports": {"exclude": ["9000-9999"]}}), &[all[2]]),
        (
            json!({"ports": {"include": ["9090-9100"], "exclude": [9090]}}),
            &[all[1], all[3]],
        ),
        (json!({"loopback": false}), &[all[0], all[2], all[3]]),
        (
            json!({"host": "web1"}),
            &["web1:9090", all[1], all[2], "web1:9100"],
        ),
        (
            json!({"host": "2001:db8::1", "ports": {"include": ["9090"]}}),
            &["[2001:db8::1]:9090"],
        ),
        (
            json!({"host": "[::1]", "ports": {"include": ["9090"]}}),
            &["[::1]:9090"],
        ),
    ];
    for (config, expected) in cases {
        let update = provider(config.clone()).refresh(true).unwrap();
        assert_eq!(addresses(&update), expected, "{config}");
    }
}

#[test]
fn a_socket_that_opens_or_closes_is_seen_at_the_next_refresh() {
    let host = machine().install();
    let mut provider = provider(json!({}));
    provider.refresh(true).unwrap();
    host.set_file(TCP, table(&[("0100007F:238D", 0, 50)]));
    host.set_file(TCP6, HEADING);
    assert_eq!(
        addresses(&provider.refresh(false).unwrap()),
        ["127.0.0.1:9101"]
    );
}

#[test]
fn a_machine_without_ipv6_is_no_failure() {
    let tcp = table(&[("0100007F:238C", 0, 1)]);
    let host = FakeHost::new()
        .file(TCP, tcp)
        .file_failure(TCP6, FailureKind::NotFound, "no file");
    let _host = host.install();
    let update = provider(json!({})).refresh(true).unwrap();
    assert_eq!(addresses(&update), ["127.0.0.1:9100"]);
}

#[test]
fn a_file_that_is_not_granted_is_no_empty_list() {
    let _host = FakeHost::new().file(TCP, HEADING).install();
    let unavailable = provider(json!({})).refresh(true).unwrap_err();
    assert!(
        unavailable.message.contains("`/proc/net/tcp6`"),
        "{unavailable:?}"
    );
}

#[test]
fn broken_lines_are_skipped_and_said_once() {
    let tcp = table(&[("0100007F:238C", 0, 1), ("nonsense", 0, 2)]);
    let host = FakeHost::new().file(TCP, tcp).file(TCP6, HEADING).install();
    let mut provider = provider(json!({}));
    for _ in 0..2 {
        let update = provider.refresh(false).unwrap();
        assert_eq!(addresses(&update), ["127.0.0.1:9100"]);
    }
    assert_eq!(host.log().len(), 1);
    assert_eq!(
        host.log()[0].fields[0],
        ("lines".to_owned(), "1".to_owned())
    );
}

#[test]
fn problems_point_at_what_the_operator_wrote() {
    let cases = [
        (
            json!({"ports": {"include": [1, "9-8"]}}),
            "/ports/include/1",
            "ends before it begins",
        ),
        (
            json!({"ports": {"exclude": ["70000"]}}),
            "/ports/exclude/0",
            "no port from 0 to 65535",
        ),
        (
            json!({"host": "http://x"}),
            "/host",
            "`http://x` is no host name",
        ),
        (
            json!({"host": "web1:80"}),
            "/host",
            "`web1:80` is no host name",
        ),
        (json!({"prots": {}}), "/prots", "unknown field `prots`"),
        (
            json!({"loopback": "yes"}),
            "/loopback",
            "expected a boolean",
        ),
    ];
    for (config, path, message) in cases {
        let found = problems(config.clone());
        assert_eq!(found.len(), 1, "{config}");
        assert!(
            found[0].1.contains(message) && found[0].0 == path,
            "{config}: {found:?}"
        );
    }
}

#[test]
fn the_manifest_asks_for_both_tables() {
    let manifest = periplus_manifest().to_value();
    assert_eq!(manifest["name"], "sockets");
    assert_eq!(manifest["requests"]["files"][1]["grant"], TCP6);
    let properties = &manifest["mechanisms"]["sockets"]["config"]["properties"];
    assert_eq!(properties["loopback"]["default"], true);
}
