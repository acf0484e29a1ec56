//! Parts of a job: shards, selectors, names that a reader takes, and lists kept in segments.

use std::collections::BTreeMap;
use std::sync::Arc;

use periplus_core::{LabelSet, TargetGroup};

use crate::gzip::unpacked;
use crate::support::{Host, drop_rule, group, job, rule};

const GZIP: &[(&str, &str)] = &[("accept-encoding", "gzip")];

/// One target per group, each with a zone.
fn groups(count: usize) -> Vec<Arc<TargetGroup>> {
    (0..count)
        .map(|n| {
            let address = format!("10.0.{}.{}:80", n >> 8, n & 255);
            group(&format!("{n:05}"), &[(&address, ["east", "west"][n % 2])])
        })
        .collect()
}

fn zoned(name: &str) -> periplus_config::Job {
    let zone = rule(serde_json::json!({"source_labels": ["__meta_zone"], "target_label": "zone"}));
    job(name, &[zone])
}

fn addresses(list: &serde_json::Value) -> Vec<String> {
    let list = list.as_array().unwrap().iter();
    list.map(|item| item["targets"][0].as_str().unwrap().to_owned())
        .collect()
}

/// Percent-encodes a query's value.
fn encoded(text: &str) -> String {
    percent_encoding::utf8_percent_encode(text, percent_encoding::NON_ALPHANUMERIC).to_string()
}

#[tokio::test]
async fn shards_are_the_whole_list_in_parts() {
    let host = Host::start();
    host.serve(zoned("pods"), &groups(1000)).await;
    for stage in ["final", "transformed", "discovered"] {
        let whole = host.get(&format!("/sd/pods?stage={stage}")).await.json();
        let mut all = addresses(&whole);
        let mut shared = Vec::new();
        for index in 0..3 {
            let path = format!("/sd/pods?stage={stage}&shard={index}/3");
            let part = host.get(&path).await;
            assert_eq!(part.status, 200);
            assert_eq!(part.header("content-length"), part.body.len().to_string());
            let packed = host.get_with(&path, GZIP).await;
            assert_eq!(unpacked(&packed), part.body);
            let head = host.ask("HEAD", &path, &[]).await;
            assert_eq!(head.headers, part.headers);
            assert!(head.body.is_empty());
            let part = addresses(&part.json());
            assert!((250..420).contains(&part.len()), "{}", part.len());
            shared.extend(part);
        }
        all.sort();
        shared.sort();
        assert_eq!(shared, all, "{stage}");
        let one = host.get(&format!("/sd/pods?stage={stage}&shard=0/1")).await;
        assert_eq!(one.json(), whole);
    }
}

#[tokio::test]
async fn copies_are_in_no_two_shards() {
    let host = Host::start();
    let same = rule(serde_json::json!({"target_label": "__address__", "replacement": "same:80"}));
    host.serve(job("pods", &[same]), &groups(50)).await;
    for stage in ["final", "transformed", "discovered"] {
        let mut count = 0;
        for index in 0..4 {
            let path = format!("/sd/pods?stage={stage}&shard={index}/4");
            count += host.get(&path).await.json().as_array().unwrap().len();
        }
        assert_eq!(count, 1, "{stage}");
    }
    let whole = host.get("/sd/pods?stage=discovered").await.json();
    assert_eq!(whole.as_array().unwrap().len(), 50);
}

#[tokio::test]
async fn change_elsewhere_is_no_news_to_a_shard() {
    let host = Host::start();
    host.serve(zoned("pods"), &groups(20)).await;
    let paths: Vec<String> = (0..3).map(|n| format!("/sd/pods?shard={n}/3")).collect();
    let mut tags = Vec::new();
    for path in &paths {
        tags.push(host.get(path).await.header("etag").to_owned());
    }
    let updates = host.updates("pods").await;
    updates.apply(group("new", &[("10.9.9.9:80", "moon")]));
    host.until("pods", |job| job.groups.len() == 21).await;
    let mut changed = 0;
    for (path, tag) in paths.iter().zip(&tags) {
        for encoding in ["identity", "gzip"] {
            let tag = match encoding {
                "gzip" => tag.trim_end_matches('"').to_owned() + "-gzip\"",
                _ => tag.clone(),
            };
            let headers = [("if-none-match", &*tag), ("accept-encoding", encoding)];
            let answer = host.get_with(path, &headers).await;
            assert!([200, 304].contains(&answer.status.as_u16()));
            changed += usize::from(answer.status == 200);
        }
    }
    assert_eq!(changed, 2, "one shard in two encodings");
}

#[tokio::test]
async fn selectors_choose_targets_by_their_labels() {
    let host = Host::start();
    host.serve(zoned("pods"), &groups(6)).await;
    let east = ["10.0.0.0:80", "10.0.0.2:80", "10.0.0.4:80"];
    let cases: &[(&[&str], &[&str])] = &[
        (&["match", r#"{zone="east"}"#], &east),
        (&["match[]", r#"{zone!="west"}"#], &east),
        (
            &["match", r#"{zone=~"e.*",instance=~".*0\\.[02]:80"}"#],
            &east[..2],
        ),
        (
            &["match", r#"{__address__="10.0.0.1:80"}"#],
            &["10.0.0.1:80"],
        ),
        (
            &[
                "match",
                r#"{__address__="10.0.0.1:80"}"#,
                "match",
                r#"{instance="10.0.0.4:80"}"#,
            ],
            &["10.0.0.1:80", "10.0.0.4:80"],
        ),
        (&["match", r#"{zone="moon"}"#], &[]),
        (&["match", r#"{zone="east"}"#, "stage", "discovered"], &[]),
        (
            &["match", r#"{__meta_zone="east"}"#, "stage", "discovered"],
            &east,
        ),
        // What is not shown has no value: the scraper's own interval stands.
        (&["match", r#"{__scrape_interval__="1m"}"#], &[]),
    ];
    for (query, expected) in cases {
        let pairs = query
            .chunks(2)
            .map(|pair| format!("{}={}", pair[0], encoded(pair[1])));
        let path = format!("/sd/pods?{}", pairs.collect::<Vec<_>>().join("&"));
        let answer = host.get(&path).await;
        assert_eq!(answer.status, 200, "{query:?}: {}", answer.text());
        assert_eq!(addresses(&answer.json()), *expected, "{query:?}");
        assert_eq!(
            answer.header("content-length"),
            answer.body.len().to_string()
        );
        assert_eq!(unpacked(&host.get_with(&path, GZIP).await), answer.body);
        let known = [("if-none-match", answer.header("etag"))];
        assert_eq!(host.get_with(&path, &known).await.status, 304);
    }
    let metrics = host.get("/metrics").await;
    let kept = "periplus_http_view_cache_bytes 0\n";
    assert!(metrics.text().contains(kept), "selected lists are kept");
}

#[tokio::test]
async fn names_that_a_reader_does_not_take_are_left_out_and_counted() {
    let host = Host::start();
    let labels = [
        ("__address__", "a:1"),
        ("app.kubernetes.io/name", "x"),
        ("größe", "y"),
        ("zone", "east"),
    ];
    let named = TargetGroup {
        source: "0".into(),
        labels: LabelSet::default(),
        targets: vec![LabelSet::from_iter(labels)],
    };
    host.serve(job("pods", &[]), &[Arc::new(named)]).await;
    let shown = |answer: &crate::support::Answer| {
        let list = answer.json();
        let labels = list[0]["labels"].as_object().unwrap().clone();
        labels
            .keys()
            .filter(|name| !name.starts_with("__"))
            .cloned()
            .collect::<Vec<_>>()
    };
    let all = host.get("/sd/pods?names=utf8").await;
    assert_eq!(all.body, host.get("/sd/pods").await.body);
    assert_eq!(all.header("periplus-labels-left-out"), "");
    let legacy = host.get("/sd/pods?names=legacy").await;
    assert_eq!(shown(&legacy), ["instance", "job", "zone"]);
    assert_eq!(legacy.header("periplus-labels-left-out"), "2");
    assert_ne!(legacy.header("etag"), all.header("etag"));
    let earlier = host.get("/sd/pods?names=legacy&stage=discovered").await;
    assert_eq!(shown(&earlier), ["zone"]);
    let metrics = host.get("/metrics").await;
    assert!(
        metrics
            .text()
            .contains("periplus_http_labels_left_out_total 4\n")
    );
}

#[tokio::test]
async fn parts_that_are_not_understood_are_refused() {
    let host = Host::start();
    host.serve(zoned("pods"), &groups(3)).await;
    let many = vec!["match={}"; 33].join("&");
    for (query, text) in [
        ("shard=", "not of the form"),
        ("shard=3/3", "shard 3 of 3 does not exist"),
        ("shard=1", "not of the form"),
        ("shard=-1/3", "not of the form"),
        ("shard=0/0", "1 to 4096 shards"),
        ("shard=0/3&shard=1/3", "`shard` is given more than once"),
        ("names=ascii", "use `utf8` or `legacy`"),
        ("names=legacy&names=utf8", "`names` is given more than once"),
        ("match=", "expected `{`"),
        ("match=up", "expected `{`"),
        ("match=%7Bzone%3D~%22(%22%7D", "missing closing )"),
        ("match=%7Bzone%7D", "expected `=`, `!=`, `=~` or `!~`"),
        (&many, "more than 32 times"),
        (
            "shards=0/3",
            "unknown parameter `shards`; there are `stage`, `shard`, `match` and `names`",
        ),
        ("Shard=0/3", "unknown parameter `Shard`"),
        ("=", "unknown parameter ``"),
    ] {
        let answer = host.get(&format!("/sd/pods?{query}")).await;
        assert_eq!(answer.status, 400, "{query}");
        let error = answer.json();
        assert_eq!(error["errorType"], "bad_data", "{query}");
        let found = error["error"].as_str().unwrap();
        assert!(found.contains(text), "{query}: {found}");
    }
}

#[tokio::test]
async fn removed_and_unknown_jobs_answer_alike_in_every_part() {
    let host = Host::start();
    host.apply([zoned("old"), zoned("pods")]).await;
    for name in ["old", "pods"] {
        host.deliver(name, &groups(1)).await;
        host.until(name, |snapshot| snapshot.known).await;
    }
    host.apply([zoned("pods"), zoned("new")]).await;
    for query in ["", "?shard=0/2", "?match=%7B%7D", "?names=legacy"] {
        let removed = host.get(&format!("/sd/old{query}")).await;
        assert_eq!(
            (removed.status.as_u16(), removed.text()),
            (200, "[]"),
            "{query}"
        );
        assert_eq!(
            host.get(&format!("/sd/new{query}")).await.status,
            503,
            "{query}"
        );
        assert_eq!(
            host.get(&format!("/sd/never{query}")).await.status,
            404,
            "{query}"
        );
    }
}

/// A simple generator, so that a failure comes back.
fn draw(state: &mut u64, below: u64) -> u64 {
    *state = state
        .wrapping_mul(6_364_136_223_846_793_005)
        .wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) % below
}

#[tokio::test]
async fn segments_give_the_same_bytes_whatever_happened_before() {
    let host = Host::start();
    host.serve(zoned("pods"), &groups(600)).await;
    let updates = host.updates("pods").await;
    let mut now: BTreeMap<String, Arc<TargetGroup>> = BTreeMap::new();
    now.extend(
        groups(600)
            .into_iter()
            .map(|group| (group.source.to_string(), group)),
    );
    let paths = [
        "/sd/pods",
        "/sd/pods?shard=1/3",
        "/sd/pods?names=legacy&stage=transformed",
    ];
    let mut state = 7;
    for round in 0..25 {
        for _ in 0..=draw(&mut state, 4) {
            let source = format!("{:05}", draw(&mut state, 700));
            let count = [0, 1, 1, 2, 200][draw(&mut state, 5) as usize];
            let targets: Vec<String> = (0..count)
                .map(|n| format!("{source}-{round}-{n}:80"))
                .collect();
            let targets: Vec<(&str, &str)> = targets.iter().map(|it| (&**it, "x")).collect();
            let changed = group(&source, &targets);
            updates.apply(Arc::clone(&changed));
            if count == 0 {
                now.remove(&source);
            } else {
                now.insert(source, changed);
            }
        }
        let expected: usize = now.values().map(|group| group.targets.len()).sum();
        host.until("pods", |job| {
            let sizes = job.groups.values().map(|result| result.targets.len());
            sizes.sum::<usize>() == expected && job.groups.len() == now.len()
        })
        .await;
        // Targets that were replaced by as many others.
        let last = now.values().last().unwrap().targets[0]
            .get("__address__")
            .unwrap()
            .to_owned();
        assert!(!last.is_empty());
        for path in paths {
            let packed = host.get_with(path, GZIP).await;
            let plain = host.get(path).await;
            assert_eq!(plain.header("content-length"), plain.body.len().to_string());
            if plain.header("etag").trim_end_matches('"')
                == packed.header("etag").trim_end_matches("-gzip\"")
            {
                assert_eq!(unpacked(&packed), plain.body, "{path}, round {round}");
            }
        }
    }
    let fresh = Host::start();
    let groups: Vec<_> = now.into_values().collect();
    fresh.serve(zoned("pods"), &groups).await;
    for path in paths {
        let wanted = fresh.get_with(path, GZIP).await;
        // The last changes may still be on their way.
        let answer = loop {
            let answer = host.get_with(path, GZIP).await;
            if answer.header("etag") == wanted.header("etag") {
                break answer;
            }
            tokio::task::yield_now().await;
        };
        assert!(answer.body == wanted.body, "{path}");
        assert_eq!(fresh.get(path).await.body, unpacked(&wanted));
    }
}

#[tokio::test]
async fn dropped_targets_leave_no_empty_segments_behind() {
    let host = Host::start();
    host.serve(
        job("pods", &[drop_rule("__meta_zone", "east|west")]),
        &groups(500),
    )
    .await;
    for path in ["/sd/pods", "/sd/pods?shard=0/2", "/sd/pods?match=%7B%7D"] {
        assert_eq!(unpacked(&host.get_with(path, GZIP).await), b"[]", "{path}");
        assert_eq!(host.get(path).await.text(), "[]", "{path}");
    }
}
