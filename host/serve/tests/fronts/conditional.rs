//! `ETag`, `If-None-Match` and the cache of bodies.

use crate::support::{Answer, Host, Setup, group, job};

async fn host_with(setup: Setup) -> Host {
    let host = Host::with(setup);
    host.serve(job("pods", &[]), &[group("a", &[("10.0.0.1:80", "east")])])
        .await;
    host
}

async fn if_none_match(host: &Host, tags: &str) -> Answer {
    host.get_with("/sd/pods", &[("if-none-match", tags)]).await
}

async fn metric(host: &Host, name: &str) -> u64 {
    let metrics = host.get("/metrics").await;
    let line = metrics.text().lines().find(|line| line.starts_with(name));
    line.map_or(0, |line| line.rsplit(' ').next().unwrap().parse().unwrap())
}

#[tokio::test]
async fn reader_that_has_the_body_gets_304() {
    let host = host_with(Setup::default()).await;
    let full = host.get("/sd/pods").await;
    let tag = full.header("etag");
    assert!(tag.starts_with('"') && tag.ends_with('"'), "{tag}");
    for tags in [tag, &format!("W/{tag}"), &format!("\"other\", {tag}"), "*"] {
        let answer = if_none_match(&host, tags).await;
        assert_eq!(answer.status, 304, "{tags}");
        assert!(answer.body.is_empty());
        assert_eq!(answer.header("etag"), tag);
        assert_eq!(answer.header("vary"), "accept-encoding");
        assert_eq!(answer.header("content-type"), "");
    }
    let answer = if_none_match(&host, "\"other\"").await;
    assert_eq!((answer.status.as_u16(), answer.body), (200, full.body));
}

#[tokio::test]
async fn each_encoding_and_stage_has_a_tag_of_its_own() {
    let host = host_with(Setup::default()).await;
    let mut tags = Vec::new();
    for stage in ["final", "discovered"] {
        for encoding in ["identity", "gzip"] {
            let path = format!("/sd/pods?stage={stage}");
            let answer = host.get_with(&path, &[("accept-encoding", encoding)]).await;
            tags.push(answer.header("etag").to_owned());
            let known = [
                ("accept-encoding", encoding),
                ("if-none-match", answer.header("etag")),
            ];
            assert_eq!(host.get_with(&path, &known).await.status, 304);
        }
    }
    let count = tags.len();
    tags.sort();
    tags.dedup();
    assert_eq!(tags.len(), count, "{tags:?}");
}

#[tokio::test]
async fn tag_changes_with_the_content_and_comes_back_with_it() {
    let host = host_with(Setup::default()).await;
    let first = host.get("/sd/pods").await;
    let updates = host.updates("pods").await;
    updates.apply(group("b", &[("10.0.0.2:80", "west")]));
    host.until("pods", |snapshot| snapshot.groups.len() == 2)
        .await;
    let second = host.get("/sd/pods").await;
    assert_ne!(second.header("etag"), first.header("etag"));
    assert_ne!(second.body, first.body);
    assert_eq!(
        if_none_match(&host, first.header("etag")).await.body,
        second.body
    );
    updates.apply(group("b", &[]));
    host.until("pods", |snapshot| snapshot.groups.len() == 1)
        .await;
    let third = host.get("/sd/pods").await;
    assert_eq!(third.header("etag"), first.header("etag"));
    assert_eq!(third.body, first.body);
}

#[tokio::test]
async fn tag_of_a_stage_outlives_changes_that_it_does_not_show() {
    let host = host_with(Setup::default()).await;
    let (last, discovered) = (
        host.get("/sd/pods").await,
        host.get("/sd/pods?stage=discovered").await,
    );
    // The zone is a meta label: the final stage does not show it.
    host.updates("pods")
        .await
        .apply(group("a", &[("10.0.0.1:80", "west")]));
    host.until("pods", |job| {
        let labels = job
            .groups
            .values()
            .next()
            .unwrap()
            .discovered()
            .group()
            .targets[0]
            .clone();
        labels.get("__meta_zone") == Some("west")
    })
    .await;
    let changed = host.get("/sd/pods?stage=discovered").await;
    assert_ne!(changed.header("etag"), discovered.header("etag"));
    assert_eq!(
        host.get("/sd/pods").await.header("etag"),
        last.header("etag")
    );
    assert_eq!(if_none_match(&host, last.header("etag")).await.status, 304);
}

#[tokio::test]
async fn reload_of_the_same_configuration_keeps_the_tag() {
    let host = host_with(Setup::default()).await;
    let before = host.get("/sd/pods").await;
    host.apply([job("pods", &[]), job("new", &[])]).await;
    let after = host.get("/sd/pods").await;
    assert_eq!(after.status, 200);
    assert_eq!(after.header("etag"), before.header("etag"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn concurrent_readers_build_a_body_once() {
    let host = Host::start();
    let groups: Vec<_> = (0..1000)
        .map(|n| group(&format!("{n}"), &[(&format!("10.0.0.1:{n}"), "x")]))
        .collect();
    host.serve(job("pods", &[]), &groups).await;
    let host = std::sync::Arc::new(host);
    let readers: Vec<_> = (0..32)
        .map(|n| {
            let host = std::sync::Arc::clone(&host);
            let encoding = if n % 2 == 0 { "gzip" } else { "identity" };
            tokio::spawn(async move {
                host.get_with("/sd/pods", &[("accept-encoding", encoding)])
                    .await
                    .status
            })
        })
        .collect();
    for reader in readers {
        assert_eq!(reader.await.unwrap(), 200);
    }
    for encoding in ["gzip", "identity"] {
        let name = format!("periplus_http_bodies_built_total{{encoding=\"{encoding}\"}}");
        assert_eq!(metric(&host, &name).await, 1, "{encoding}");
    }
}

#[tokio::test]
async fn not_modified_builds_no_body() {
    let host = host_with(Setup::default()).await;
    assert_eq!(if_none_match(&host, "*").await.status, 304);
    assert_eq!(metric(&host, "periplus_http_bodies_built_total").await, 0);
}

#[tokio::test]
async fn cache_stays_within_its_bound() {
    let host = Host::with(Setup {
        body_cache_bytes: 700,
        ..Setup::default()
    });
    let names: Vec<String> = (0..10).map(|n| format!("job-{n}")).collect();
    host.apply(names.iter().map(|name| job(name, &[]))).await;
    let mut bodies = 0;
    for name in &names {
        host.deliver(name, &[group(name, &[("10.0.0.1:80", "x")])])
            .await;
        host.until(name, |snapshot| snapshot.known).await;
        let answer = host.get(&format!("/sd/{name}?stage=discovered")).await;
        bodies += answer.body.len() as u64;
        let cached = metric(&host, "periplus_http_body_cache_bytes").await;
        assert!((1..=700).contains(&cached), "{cached}");
    }
    assert!(bodies > 700, "the bound was never reached");
    // The newest is still there, the oldest is made again.
    let built = "periplus_http_bodies_built_total{encoding=\"identity\"}";
    assert_eq!(metric(&host, built).await, 10);
    host.get("/sd/job-9?stage=discovered").await;
    assert_eq!(metric(&host, built).await, 10);
    host.get("/sd/job-0?stage=discovered").await;
    assert_eq!(metric(&host, built).await, 11);
}

#[tokio::test]
async fn body_beyond_the_bound_is_served_and_not_kept() {
    let host = host_with(Setup {
        body_cache_bytes: 10,
        ..Setup::default()
    })
    .await;
    assert_eq!(
        host.get("/sd/pods").await.json().as_array().unwrap().len(),
        1
    );
    assert_eq!(metric(&host, "periplus_http_body_cache_bytes").await, 0);
}

#[tokio::test]
async fn new_content_replaces_the_old_in_the_cache() {
    let host = host_with(Setup::default()).await;
    host.get("/sd/pods").await;
    host.updates("pods")
        .await
        .apply(group("b", &[("10.0.0.2:80", "west")]));
    host.until("pods", |snapshot| snapshot.groups.len() == 2)
        .await;
    let answer = host.get("/sd/pods").await;
    let cached = metric(&host, "periplus_http_body_cache_bytes").await;
    assert_eq!(cached, answer.body.len() as u64);
}

/// A host with a list that is too large to be kept for one reader.
async fn host_with_large_list() -> Host {
    let host = Host::start();
    let zone = "x".repeat(500);
    let groups: Vec<_> = (0..1000)
        .map(|n| group(&format!("{n:04}"), &[(&format!("10.0.0.1:{n}"), &zone)]))
        .collect();
    host.serve(job("pods", &[]), &groups).await;
    host
}

const LARGE: &str = "/sd/pods?stage=discovered";

#[tokio::test(start_paused = true)]
async fn large_list_is_kept_once_it_is_asked_for_again_within_seconds() {
    let host = host_with_large_list().await;
    let kept = "periplus_http_body_cache_bytes";
    let first = host.get(LARGE).await;
    assert_eq!(first.header("content-length"), first.body.len().to_string());
    assert_eq!(first.json().as_array().unwrap().len(), 1000);
    assert_eq!(metric(&host, kept).await, 0);
    tokio::time::advance(std::time::Duration::from_secs(11)).await;
    assert_eq!(host.get(LARGE).await.body, first.body);
    assert_eq!(metric(&host, kept).await, 0, "a lone reader needs no copy");
    tokio::time::advance(std::time::Duration::from_secs(9)).await;
    assert_eq!(host.get(LARGE).await.body, first.body);
    assert_eq!(metric(&host, kept).await, first.body.len() as u64);
    let built = "periplus_http_bodies_built_total{encoding=\"identity\"}";
    let before = metric(&host, built).await;
    assert_eq!(host.get(LARGE).await.body, first.body);
    assert_eq!(metric(&host, built).await, before);
}

#[tokio::test(start_paused = true)]
async fn list_that_nobody_asks_for_is_let_go() {
    let host = host_with_large_list().await;
    let gzip = [("accept-encoding", "gzip")];
    let packed = host.get_with(LARGE, &gzip).await;
    let kept = "periplus_http_view_cache_bytes";
    let size = metric(&host, kept).await;
    assert!(size >= packed.body.len() as u64);
    tokio::time::sleep(std::time::Duration::from_secs(100)).await;
    assert_eq!(host.get_with(LARGE, &gzip).await.body, packed.body);
    tokio::time::sleep(std::time::Duration::from_secs(100)).await;
    assert_eq!(metric(&host, kept).await, size);
    tokio::time::sleep(std::time::Duration::from_secs(100)).await;
    assert_eq!(metric(&host, kept).await, 0);
    assert_eq!(host.get_with(LARGE, &gzip).await.body, packed.body);
}

#[tokio::test]
async fn change_compresses_its_segment_alone() {
    let host = host_with_large_list().await;
    let gzip = [("accept-encoding", "gzip")];
    let made = "periplus_http_segments_built_total";
    for path in [LARGE, "/sd/pods?shard=0/1"] {
        let before = metric(&host, made).await;
        host.get_with(path, &gzip).await;
        let all = metric(&host, made).await;
        assert!(all - before >= 4, "{path}: {all}");
        host.get_with(path, &gzip).await;
        assert_eq!(metric(&host, made).await, all, "{path}");
    }
    let all = metric(&host, made).await;
    host.updates("pods")
        .await
        .apply(group("0500", &[("10.0.0.2:80", "y")]));
    host.until("pods", |job| {
        let mut groups = job.groups.values();
        groups.any(|it| it.discovered().group().targets[0].get("__meta_zone") == Some("y"))
    })
    .await;
    for path in [LARGE, "/sd/pods?shard=0/1"] {
        let packed = host.get_with(path, &gzip).await;
        assert_eq!(crate::gzip::unpacked(&packed), host.get(path).await.body);
    }
    assert_eq!(
        metric(&host, made).await,
        all + 2,
        "one segment of each list"
    );
}

#[tokio::test(start_paused = true)]
async fn large_list_has_the_same_bytes_and_length_however_it_is_made() {
    let host = host_with_large_list().await;
    let streamed = host.get(LARGE).await;
    let joined = host.get(LARGE).await;
    let head = host.ask("HEAD", LARGE, &[]).await;
    assert_eq!(joined.body, streamed.body);
    assert_eq!(head.headers, streamed.headers);
    let packed = host.get_with(LARGE, &[("accept-encoding", "gzip")]).await;
    assert_eq!(crate::gzip::unpacked(&packed), streamed.body);
    host.updates("pods")
        .await
        .apply(group("0500", &[("10.0.0.2:80", "y"), ("10.0.0.1:80", "y")]));
    host.until("pods", |job| {
        job.groups.values().any(|group| group.targets.len() == 2)
    })
    .await;
    let changed = host.get(LARGE).await;
    assert_eq!(
        changed.header("content-length"),
        changed.body.len().to_string()
    );
    let list = changed.json();
    assert_eq!(list[500]["targets"][0], "10.0.0.1:80");
    assert_eq!(list[501]["targets"][0], "10.0.0.2:80");
}
