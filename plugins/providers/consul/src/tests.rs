use periplus_sdk::http::Response;
use periplus_sdk::serde_json::json;
use periplus_sdk::testing::{self, FakeHost, Installed};

use super::*;

const SERVICES: &str = "http://localhost:8500/v1/catalog/services?dc=d&stale=";

fn provider(config: Value) -> Consul {
    testing::configure("consul", config).unwrap()
}

fn problem(config: Value) -> String {
    let problems = testing::configure::<Consul>("consul", config)
        .err()
        .unwrap();
    problems[0].message.clone()
}

fn health_of(service: &str) -> String {
    format!("http://localhost:8500/v1/health/service/{service}?dc=d&stale=")
}

fn instance(host: &str, status: &str) -> Value {
    json!([{
        "Node": {"Node": "n", "Address": "fd00::1", "Meta": null, "TaggedAddresses": null},
        "Service": {"ID": "i", "Address": host, "Port": 9100, "Tags": null},
        "Checks": [{"CheckID": "c", "Status": status}, {"CheckID": "d", "Status": "passing"}],
    }])
}

fn host(services: &Value, health: &[(&str, u16, Value)]) -> Installed {
    let mut host = FakeHost::new().http(SERVICES, 200, services.to_string());
    for (service, status, body) in health {
        host = host.http(&health_of(service), *status, body.to_string());
    }
    host.install()
}

/// Calls until there is a complete update.
fn complete(consul: &mut Consul) -> Update {
    for _ in 0..5 {
        let update = consul.refresh(true).unwrap();
        if update.complete {
            return update;
        }
        assert!(update.groups.is_empty(), "told before all was known");
    }
    panic!("never complete");
}

#[test]
fn nothing_is_told_before_every_service_was_heard() {
    let services = json!({"api": [], "db": null});
    let api = instance("", "critical");
    let _host = host(&services, &[("api", 200, api), ("db", 200, json!([]))]);
    let update = complete(&mut provider(json!({"datacenter": "d"})));
    let sources: Vec<_> = update.groups.iter().map(Group::source).collect();
    assert_eq!(sources, ["api", "db"]);
    let target = &update.groups[0].list()[0];
    assert_eq!(target.get("__address__"), Some("[fd00::1]:9100"));
    assert_eq!(target.get("__meta_consul_health"), Some("critical"));
    assert_eq!(target.get("__meta_consul_tags"), Some(",,"));
    assert_eq!(update.groups[0].get("__meta_consul_dc"), Some("d"));
}

#[test]
fn a_service_that_fails_lapses_and_the_others_are_told() {
    let services = json!({"api": [], "db": []});
    let api = instance("10.0.0.1", "passing");
    let _host = host(
        &services,
        &[("api", 200, api), ("db", 500, json!("no leader"))],
    );
    let update = complete(&mut provider(json!({"datacenter": "d"})));
    assert_eq!(update.groups.len(), 1);
    assert_eq!(update.lapses[0].source, "db");
    assert_eq!(
        update.lapses[0].message,
        "Error refreshing service: Unexpected response code: 500 (\"no leader\")"
    );
}

#[test]
fn services_without_all_tags_are_not_asked_for() {
    let services = json!({"api": ["a", "b"], "db": ["a"]});
    let config = json!({"datacenter": "d", "tags": ["a", "b"]});
    let url = format!("{}&tag=a&tag=b", health_of("api"));
    let fake = FakeHost::new().http(SERVICES, 200, services.to_string());
    let host = fake.http(&url, 200, "[]").install();
    let update = complete(&mut provider(config));
    assert_eq!(update.groups.len(), 1);
    assert!(host.requests().iter().all(|it| !it.url.contains("/db")));
}

#[test]
fn the_datacenter_is_that_of_the_agent() {
    let agent = json!({"Config": {"Datacenter": "here"}}).to_string();
    let _host = FakeHost::new()
        .http("http://localhost:8500/v1/agent/self", 200, agent)
        .http(
            "http://localhost:8500/v1/health/service/a%20b?stale=",
            200,
            "[]",
        )
        .install();
    let update = complete(&mut provider(json!({"services": ["a b"]})));
    assert_eq!(update.groups[0].get("__meta_consul_dc"), Some("here"));
}

#[test]
fn every_key_reaches_the_server() {
    let config = json!({
        "server": "https://c.example:1/", "path_prefix": "/x/", "datacenter": "d", "namespace": "n",
        "partition": "p", "allow_stale": false, "services": ["s"], "node_meta": {"k": "v"},
        "health_filter": "a == b", "token": "t",
    });
    let url = "https://c.example:1/x/v1/health/service/s?dc=d&ns=n&partition=p&node-meta=k%3Av&filter=a+%3D%3D+b";
    let host = FakeHost::new().http(url, 200, "[]").install();
    let update = complete(&mut provider(config));
    assert!(update.lapses.is_empty(), "{update:?}");
    let token = ("x-consul-token".to_owned(), "t".to_owned());
    assert_eq!(host.requests()[0].headers, [token]);
}

#[test]
fn indexes_are_waited_for_and_forgotten_when_they_go_back() {
    let now = Instant::now();
    let interval = Duration::from_secs(30);
    let mut watch = Watch::new(now);
    assert!(watch.answered(7, interval, now) && watch.index() == Some(7));
    assert!(!watch.answered(7, interval, now), "nothing new");
    assert_eq!(watch.due(), Some(now + interval));
    assert!(watch.answered(3, interval, now) && watch.index().is_none());
    watch.failed(now);
    assert!(!watch.is_due(now) && watch.due() == Some(now + Duration::from_secs(15)));
}

#[test]
fn an_answer_that_is_no_answer_of_consul_is_a_failure() {
    let answer = |headers: &[(&str, &str)], body: &str| {
        let header = |(name, value): &(&str, &str)| ((*name).to_owned(), (*value).to_owned());
        let response = Response {
            status: 200,
            headers: headers.iter().map(header).collect(),
            body: body.as_bytes().to_vec(),
        };
        api::news::<Vec<Instance>>(Ok(response)).map(|news| news.index)
    };
    assert_eq!(answer(&[("x-consul-index", "5")], "[]"), Ok(5));
    assert_eq!(answer(&[], "[]"), Ok(0));
    let bad = answer(&[("x-consul-index", "five")], "[]").unwrap_err();
    assert!(bad.contains("X-Consul-Index"), "{bad}");
    assert!(
        answer(&[], "<html>")
            .unwrap_err()
            .contains("not what Consul answers")
    );
}

#[test]
fn mistakes_are_told() {
    let server = "consul SD configuration requires a server address";
    assert_eq!(problem(json!({"server": " "})), server);
    assert_eq!(
        problem(json!({"server": "ftp://x"})),
        "Unknown protocol scheme: ftp"
    );
    assert_eq!(
        problem(json!({"refresh_interval": "soon"})),
        "not a valid duration string: \"soon\""
    );
    assert!(problem(json!({"sevrer": "x"})).contains("unknown field `sevrer`"));
}

#[test]
fn a_service_that_was_heard_and_then_fails_is_told_once() {
    let services = json!({"api": []});
    let host = host(&services, &[("api", 200, instance("10.0.0.1", "passing"))]);
    let mut consul = provider(json!({"datacenter": "d"}));
    assert_eq!(complete(&mut consul).groups.len(), 1);
    let service = consul.services.get_mut("api").unwrap();
    (service.is_news, service.failure) = (true, Some("later".to_owned()));
    let update = consul.update(Vec::new());
    // The host refuses an update in which a group is there and lapses.
    assert_eq!((update.groups.len(), update.lapses.len()), (1, 0));
    let update = consul.update(Vec::new());
    assert_eq!((update.groups.len(), update.lapses.len()), (0, 1));
    drop(host);
}
