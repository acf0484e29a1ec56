use std::time::Duration;

use periplus_sdk::http::Response;
use periplus_sdk::serde_json::json;
use periplus_sdk::testing::{self, FakeHost};

use super::*;

const URL: &str = "https://cmdb.example.com/hosts";

fn provider(config: Value) -> JsonHttp {
    testing::configure("json_http", with_url(config)).unwrap()
}

fn with_url(mut config: Value) -> Value {
    if config.get("url").is_none() {
        config["url"] = json!(URL);
    }
    config
}

fn refresh(config: Value, answer: &Value) -> Result<Update, Unavailable> {
    let _host = FakeHost::new().http(URL, 200, answer.to_string()).install();
    provider(config).refresh(true)
}

/// Groups as JSON, as short as can be: source to targets, each target its labels.
fn shown(update: &Update) -> Value {
    let target = |target: &Target| {
        Value::Object(
            target
                .labels()
                .iter()
                .map(|(name, value)| (name.clone(), json!(value)))
                .collect(),
        )
    };
    let group = |group: &Group| {
        assert_eq!(group.get("__meta_json_http_url"), Some(URL));
        (
            group.source().to_owned(),
            group.list().iter().map(target).collect(),
        )
    };
    Value::Object(update.groups.iter().map(group).collect())
}

#[test]
fn items_become_targets_with_the_labels_asked_for() {
    let answer = json!({"data": {"hosts": [
        {"name": "web1", "net": {"ip": "10.0.0.1"}, "port": 9100, "tags": ["a", "b"], "owner": null},
        {"name": "db1", "net": {"ip": "2001:db8::1"}, "port": "9187", "tags": [], "owner": "dba"},
    ]}});
    let config = json!({
        "items": "/data/hosts", "address": "/net/ip", "port": "/port",
        "labels": {"name": "/name", "__meta_json_http_tags": "/tags", "owner": "/owner", "rack": "/rack"},
    });
    let update = refresh(config, &answer).unwrap();
    assert!(update.complete);
    let expected = json!({
        "10.0.0.1:9100":
            [{"__address__": "10.0.0.1:9100", "name": "web1", "__meta_json_http_tags": ",a,b,"}],
        "[2001:db8::1]:9187": [{"__address__": "[2001:db8::1]:9187", "name": "db1", "owner": "dba"}],
    });
    assert_eq!(shown(&update), expected);
    assert!(update.lapses.is_empty());
}

#[test]
fn inventories_come_in_many_shapes() {
    let cases = [
        (
            json!({"address": "{}"}),
            json!(["10.0.0.1:9100", "10.0.0.2:9100", "10.0.0.1:9100"]),
            json!({"10.0.0.1:9100": [{"__address__": "10.0.0.1:9100"}],
                   "10.0.0.2:9100": [{"__address__": "10.0.0.2:9100"}]}),
        ),
        (
            json!({"items": "/hosts", "address": "{@key}.example.com", "port": 80}),
            json!({"hosts": {"web1": {}}}),
            json!({"web1.example.com:80": [{"__address__": "web1.example.com:80"}]}),
        ),
        (
            json!({"address": "{/ip}:{/ports/0}", "group_by": "/rack"}),
            json!([{"ip": "b", "ports": [1], "rack": 7}, {"ip": "a", "ports": [2], "rack": 7}]),
            json!({"7": [{"__address__": "a:2"}, {"__address__": "b:1"}]}),
        ),
        (json!({"address": "/ip"}), json!([]), json!({})),
    ];
    for (config, answer, expected) in cases {
        let update = refresh(config.clone(), &answer).unwrap();
        assert_eq!(shown(&update), expected, "{config}");
    }
}

#[test]
fn groups_name_themselves() {
    let update = refresh(
        json!({"address": "/ip", "group_by": "/rack"}),
        &json!([{"ip": "a:1", "rack": "r1"}]),
    );
    assert_eq!(
        update.unwrap().groups[0].get("__meta_json_http_group"),
        Some("r1")
    );
}

#[test]
fn an_item_without_an_address_of_its_own_will_is_passed_over() {
    let update = refresh(
        json!({"address": "{/ip}:1"}),
        &json!([{"ip": null}, {"ip": ""}]),
    )
    .unwrap();
    assert!(update.complete && update.groups.is_empty() && update.lapses.is_empty());
}

#[test]
fn a_group_whose_items_cannot_be_read_lapses() {
    let config = json!({"address": "/ip", "port": "/port", "group_by": "/id"});
    let answer = json!([
        {"id": "a", "ip": "10.0.0.1", "port": 1},
        {"id": "b", "port": 1},
        {"id": "c", "ip": "10.0.0.3", "port": "http"},
        {"id": "a", "ip": "10.0.0.4"},
        {"ip": "10.0.0.5", "port": 1},
    ]);
    let update = refresh(config, &answer).unwrap();
    assert_eq!(
        shown(&update),
        json!({"a": [{"__address__": "10.0.0.1:1"}]})
    );
    let lapses: Vec<(&str, &str)> = update
        .lapses
        .iter()
        .map(|lapse| (lapse.source.as_str(), lapse.message.as_str()))
        .collect();
    let expected = [
        ("b", "item `/1`: `/ip` is missing"),
        ("c", "item `/2`: `http` is no port"),
        (
            "items that cannot be used",
            "2 in all, first item `/3`: `/port` is missing",
        ),
    ];
    assert_eq!(lapses, expected);
}

#[test]
fn an_answer_that_is_no_inventory_is_no_empty_list() {
    let cases = [
        (json!({"hosts": []}), "has nothing at `/items`"),
        (
            json!({"items": "none"}),
            "holds no list and no object at `/items`",
        ),
        (
            json!({"items": [{"adress": "a"}]}),
            "no item of `https://cmdb.example.com/hosts` can be used: item `/items/0`: `/ip` is missing",
        ),
    ];
    for (answer, message) in cases {
        let unavailable =
            refresh(json!({"items": "/items", "address": "/ip"}), &answer).unwrap_err();
        assert!(
            unavailable.message.contains(message),
            "{}",
            unavailable.message
        );
    }
}

#[test]
fn what_the_endpoint_answered_is_said() {
    let headers = vec![("retry-after".to_owned(), "7".to_owned())];
    let busy = Response {
        status: 503,
        headers,
        body: b"later".to_vec(),
    };
    let _host = FakeHost::new().http_response(URL, busy).install();
    let unavailable = provider(json!({"address": "/ip"}))
        .refresh(true)
        .unwrap_err();
    assert_eq!(
        unavailable.message,
        format!("`{URL}` answered with status 503 Service Unavailable")
    );
    assert_eq!(unavailable.retry_after, Some(Duration::from_secs(7)));

    let _host = FakeHost::new().http(URL, 200, "<html>").install();
    let unavailable = provider(json!({"address": "/ip"}))
        .refresh(true)
        .unwrap_err();
    assert!(
        unavailable.message.contains("JSON"),
        "{}",
        unavailable.message
    );

    let _host = FakeHost::new().install();
    let unavailable = provider(json!({"address": "/ip"}))
        .refresh(true)
        .unwrap_err();
    assert!(
        unavailable.message.contains("not granted"),
        "{}",
        unavailable.message
    );
}

#[test]
fn headers_of_the_configuration_are_sent() {
    let host = FakeHost::new().http(URL, 200, "[]").install();
    let headers = json!({"X-Scope": "eu", "Accept": "application/vnd.cmdb+json"});
    provider(json!({"address": "/ip", "headers": headers}))
        .refresh(true)
        .unwrap();
    let request = host.requests().remove(0);
    assert_eq!(
        (request.method.as_str(), request.url.as_str()),
        ("GET", URL)
    );
    let expected = [("Accept", "application/vnd.cmdb+json"), ("X-Scope", "eu")];
    assert_eq!(
        request.headers,
        expected.map(|(name, value)| (name.to_owned(), value.to_owned()))
    );
}

#[test]
fn labels_that_are_no_text_are_left_out_and_said_once() {
    let answer = json!([{"ip": "a:1", "net": {"x": 1}}, {"ip": "b:1", "net": "lan"}]);
    let host = FakeHost::new().http(URL, 200, answer.to_string()).install();
    let mut provider = provider(json!({"address": "/ip", "labels": {"net": "/net"}}));
    for _ in 0..2 {
        let update = provider.refresh(false).unwrap();
        let expected =
            json!({"a:1": [{"__address__": "a:1"}], "b:1": [{"__address__": "b:1", "net": "lan"}]});
        assert_eq!(shown(&update), expected);
    }
    assert_eq!(host.log().len(), 1);
    assert!(
        host.log()[0].fields[1]
            .1
            .contains("label `net` of item `/0`"),
        "{:?}",
        host.log()
    );
}

#[test]
fn every_problem_of_a_configuration_is_reported_at_its_place() {
    let config = json!({
        "url": "cmdb.example.com", "items": "hosts", "address": "ip", "port": "{/port", "group_by": "rack",
        "labels": {"a/b": "x", "__address__": "/ip", "good": "/good"},
    });
    let problems = testing::configure::<JsonHttp>("json_http", config)
        .err()
        .unwrap_or_default();
    let paths: Vec<&str> = problems
        .iter()
        .map(|problem| problem.path.as_str())
        .collect();
    let expected = [
        "/url",
        "/items",
        "/address",
        "/port",
        "/labels/__address__",
        "/labels/a~1b",
        "/group_by",
    ];
    assert_eq!(paths, expected);
    let cases = [
        (json!({}), "", "missing field `address`"),
        (json!({"address": 1}), "/address", "expected a string"),
        (
            json!({"address": "/ip", "url": "http:///x"}),
            "/url",
            "no URL",
        ),
        (
            json!({"address": "/ip", "lables": {}}),
            "/lables",
            "unknown field `lables`",
        ),
    ];
    for (config, path, message) in cases {
        let problems = testing::configure::<JsonHttp>("json_http", with_url(config))
            .err()
            .unwrap();
        assert!(
            problems[0].path == path && problems[0].message.contains(message),
            "{problems:?}"
        );
    }
}

#[test]
fn the_manifest_asks_for_the_url_of_the_section() {
    let manifest = periplus_manifest().to_value();
    assert_eq!(manifest["name"], "json-http");
    assert_eq!(manifest["requests"]["http"][0]["grant"], "{/url}");
    assert_eq!(
        manifest["mechanisms"]["json_http"]["config"]["required"],
        json!(["url", "address"])
    );
}
