use serde_json::json;

use super::*;

fn pointers(address: &str, port: &str, labels: &[(&str, &str)]) -> ResourcePointers {
    let pointer = |text: &str| Pointer::parse(text).unwrap();
    let labels = labels.iter();
    ResourcePointers {
        address: pointer(address),
        port: (!port.is_empty()).then(|| pointer(port)),
        labels: labels
            .map(|(name, text)| ((*name).to_owned(), pointer(text)))
            .collect(),
    }
}

/// Rows as `address:port name=value ...`.
fn shown(them: &ResourcePointers, object: &Value) -> Vec<String> {
    let rows = them.rows(object);
    assert!(!rows.is_cut);
    let rows = rows.rows.iter().map(|row| {
        let mut text = row.address.to_string();
        if let Some(port) = &row.port {
            text.extend([":", port]);
        }
        for (name, value) in &row.labels {
            text.extend([" ", name, "=", value]);
        }
        text
    });
    rows.collect()
}

fn gateway() -> Value {
    json!({
        "metadata": {"name": "edge", "labels": {"example.com/team": "web"}},
        "spec": {
            "gatewayClassName": "istio",
            "listeners": [
                {"name": "web", "hostname": "a.example.com", "port": 80},
                {"name": "none", "port": 81},
                {"name": "tls", "hostname": "b.example.com", "port": 443, "tls": {"mode": "Terminate"}},
            ],
        },
        "status": {"addresses": [{"value": "10.0.0.1"}, {"value": "10.0.0.2"}]},
    })
}

#[test]
fn each_address_has_a_row_for_each_port() {
    let them = pointers(
        "/status/addresses/*/value",
        "/spec/listeners/*/port",
        &[
            ("class", "/spec/gatewayClassName"),
            ("listener", "/spec/listeners/*/name"),
            ("team", "/metadata/labels/example.com~1team"),
        ],
    );
    assert_eq!(
        shown(&them, &gateway()),
        [
            "10.0.0.1:80 class=istio listener=web team=web",
            "10.0.0.1:81 class=istio listener=none team=web",
            "10.0.0.1:443 class=istio listener=tls team=web",
            "10.0.0.2:80 class=istio listener=web team=web",
            "10.0.0.2:81 class=istio listener=none team=web",
            "10.0.0.2:443 class=istio listener=tls team=web",
        ]
    );
}

#[test]
fn pointers_that_begin_alike_go_through_a_list_together() {
    let them = pointers(
        "/spec/listeners/*/hostname",
        "/spec/listeners/*/port",
        &[
            ("all", "/status/addresses/*/value"),
            ("tls", "/spec/listeners/*/tls/mode"),
        ],
    );
    assert_eq!(
        shown(&them, &gateway()),
        [
            "a.example.com:80 all=10.0.0.1,10.0.0.2",
            "b.example.com:443 all=10.0.0.1,10.0.0.2 tls=Terminate",
        ]
    );
}

#[test]
fn lists_in_lists_are_walked_as_far_as_pointers_are_alike() {
    let object = json!({"hosts": [
        {"ip": "a", "ports": [{"n": 1, "x": "p"}, {"n": 2, "x": "q"}]},
        {"ip": "b", "ports": [{"n": 3, "x": "r"}]},
        {"ip": "c", "ports": []},
    ]});
    let them = pointers(
        "/hosts/*/ip",
        "/hosts/*/ports/*/n",
        &[("x", "/hosts/*/ports/*/x")],
    );
    assert_eq!(shown(&them, &object), ["a:1 x=p", "a:2 x=q", "b:3 x=r"]);
}

#[test]
fn values_of_mappings_and_elements_by_number_are_found() {
    let object = json!({"spec": {"by": {"x": "a", "y": "b"}, "list": ["c", "d"]}});
    for (pointer, expected) in [
        ("/spec/by/*", &["a", "b"][..]),
        ("/spec/list/1", &["d"]),
        ("/spec/list/0", &["c"]),
        ("/spec/list/01", &[]),
        ("/spec/list/+1", &[]),
        ("/spec/list/2", &[]),
        ("/spec/list/-", &[]),
        ("/spec/*/*", &["a", "b", "c", "d"]),
    ] {
        assert_eq!(
            shown(&pointers(pointer, "", &[]), &object),
            expected,
            "{pointer}"
        );
    }
}

#[test]
fn what_is_no_value_gives_no_row_and_no_label() {
    let object = json!({
        "addresses": ["", null, {}, [], 7, true, "a"], "port": null, "number": 1.5, "empty": "",
    });
    assert_eq!(
        shown(&pointers("/addresses/*", "", &[]), &object),
        ["7", "true", "a"]
    );
    assert_eq!(
        shown(&pointers("/addresses/6", "/port", &[]), &object),
        [""; 0]
    );
    let labels = &[("a", "/number"), ("b", "/empty"), ("c", "/nowhere/*")];
    assert_eq!(
        shown(&pointers("/addresses/6", "", labels), &object),
        ["a a=1.5"]
    );
    for wrong in [
        json!(null),
        json!([]),
        json!("x"),
        json!({"addresses": "a"}),
    ] {
        assert_eq!(shown(&pointers("/addresses/*", "", &[]), &wrong), [""; 0]);
    }
}

#[test]
fn an_object_with_too_many_rows_is_cut() {
    let many: Vec<_> = (0..=ROW_LIMIT).collect();
    let object = json!({"addresses": many, "ports": many});
    for port in ["", "/ports/*"] {
        let them = pointers("/addresses/*", port, &[]);
        let rows = them.rows(&object);
        assert_eq!((rows.rows.len(), rows.is_cut), (ROW_LIMIT, true), "{port}");
    }
    let fits = json!({"addresses": many[1..]});
    let them = pointers("/addresses/*", "", &[]);
    let rows = them.rows(&fits);
    assert_eq!((rows.rows.len(), rows.is_cut), (ROW_LIMIT, false));
}

#[test]
fn values_that_are_too_long_are_none_and_joined_ones_end_in_time() {
    let long = "x".repeat(VALUE_LIMIT + 1);
    let third = "y".repeat(VALUE_LIMIT / 3);
    let object = json!({"a": "a", "long": long, "fits": long[1..], "many": [third, third, third]});
    let labels = &[("l", "/long"), ("f", "/fits"), ("m", "/many/*")];
    let them = pointers("/a", "", labels);
    let rows = them.rows(&object);
    let found: Vec<_> = rows.rows[0]
        .labels
        .iter()
        .map(|(name, value)| (*name, value.len()))
        .collect();
    assert_eq!(found, [("f", VALUE_LIMIT), ("m", 2 * third.len() + 1)]);
}
