//! `/metrics`.

use crate::support::{Host, group, job};

/// Lines without values that differ from run to run.
fn stable(text: &str) -> String {
    let lines = text.lines().map(|line| {
        let timed = line.starts_with("periplus_http_request_duration_seconds_sum")
            || line.starts_with("periplus_http_request_duration_seconds_bucket");
        if timed {
            line.rsplit_once(' ').unwrap().0.to_owned() + " *"
        } else {
            line.to_owned()
        }
    });
    lines.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn names_and_labels_are_as_documented() {
    let host = Host::start();
    host.serve(job("a/b", &[]), &[group("a", &[("10.0.0.1:80", "east")])])
        .await;
    host.get("/sd/a/b").await;
    let answer = host.get("/metrics").await;
    assert_eq!(answer.status, 200);
    assert_eq!(
        answer.header("content-type"),
        "application/openmetrics-text; version=1.0.0; charset=utf-8",
    );
    insta::assert_snapshot!("metrics", stable(answer.text()));
}

#[tokio::test]
async fn exposition_parses() {
    let host = Host::start();
    host.serve(job("pods", &[]), &[group("a", &[("10.0.0.1:80", "east")])])
        .await;
    for path in ["/sd/pods", "/sd/none", "/nonsense", "/metrics"] {
        host.get(path).await;
    }
    let answer = host.get("/metrics").await;
    let mut lines = answer.text().lines();
    assert_eq!(lines.next_back(), Some("# EOF"));
    let mut typed = Vec::new();
    for line in lines {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            typed.push(rest.split(' ').next().unwrap().to_owned());
        }
        if line.starts_with('#') {
            continue;
        }
        let (series, value) = line.rsplit_once(' ').unwrap_or_else(|| panic!("{line}"));
        value
            .parse::<f64>()
            .unwrap_or_else(|error| panic!("{line}: {error}"));
        let name = series.split('{').next().unwrap();
        assert!(
            typed.iter().any(|family| name.starts_with(family.as_str())),
            "{line}"
        );
        if let Some(labels) = series
            .strip_prefix(name)
            .filter(|labels| !labels.is_empty())
        {
            let inner = labels.strip_prefix('{').and_then(|it| it.strip_suffix('}'));
            for label in inner.unwrap_or_else(|| panic!("{line}")).split(',') {
                let (_, value) = label.split_once('=').unwrap_or_else(|| panic!("{line}"));
                assert!(
                    value.len() > 2 && value.starts_with('"') && value.ends_with('"'),
                    "{line}"
                );
            }
        }
    }
}

#[tokio::test]
async fn series_do_not_grow_with_paths() {
    let host = Host::start();
    host.apply([]).await;
    for n in 0..20 {
        host.get(&format!("/sd/job-{n}")).await;
        host.get(&format!("/nonsense/{n}")).await;
    }
    let answer = host.get("/metrics").await;
    let requests = answer.text().lines();
    let mut requests: Vec<&str> = requests
        .filter(|line| line.starts_with("periplus_http_requests_total"))
        .collect();
    requests.sort_unstable();
    assert_eq!(
        requests,
        [
            "periplus_http_requests_total{route=\"/sd/{job}\",code=\"404\"} 20",
            "periplus_http_requests_total{route=\"other\",code=\"404\"} 20",
        ],
    );
}
