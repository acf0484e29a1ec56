//! The target allocator's API: what collectors are told, and what they must never be told.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use axum::body::Body;
use axum::http::Request;
use http_body_util::BodyExt;
use periplus_config::{
    Collector, CollectorSource, Handover, Job, JobCollectors, LoadOptions, TargetAllocator,
    load_str,
};
use periplus_core::TargetGroup;
use periplus_serve::ClientCertificate;
use serde_json::{Value, json};
use tower::ServiceExt;

use crate::support::{Answer, Host, Setup, drop_rule, group, job};

const SCRAPE: &str = "/otel/scrape_configs";

fn list(ids: &[&str]) -> TargetAllocator {
    TargetAllocator {
        collectors: CollectorSource::List(ids.iter().map(|id| Collector::named(*id)).collect()),
        ..TargetAllocator::default()
    }
}

fn sharing(allocator: TargetAllocator) -> Host {
    Host::with(Setup {
        allocator: Some(allocator),
        ..Setup::default()
    })
}

fn pods(count: usize) -> Vec<Arc<TargetGroup>> {
    let pod = |n| {
        group(
            &format!("pod-{n:03}"),
            &[(&*format!("10.0.0.{n}:80"), "east")],
        )
    };
    (0..count).map(pod).collect()
}

fn targets(job: &str, collector: &str) -> String {
    format!("/otel/jobs/{job}/targets?collector_id={collector}")
}

/// What a collector is told to scrape.
async fn told(host: &Host, collector: &str) -> BTreeSet<String> {
    let answer = host.get(&targets("pods", collector)).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    addresses(&answer)
}

fn addresses(answer: &Answer) -> BTreeSet<String> {
    let list = answer.json();
    let targets = list.as_array().unwrap().iter();
    targets
        .map(|target| target["targets"][0].as_str().unwrap().to_owned())
        .collect()
}

/// Reads jobs as a file has them, with providers that tests speak for.
fn configured(text: &str) -> Vec<Job> {
    let options = LoadOptions {
        allow_missing: true,
        ..LoadOptions::default()
    };
    let loaded = load_str(text, "p.yml".as_ref(), &options).unwrap();
    let jobs = loaded.config.jobs.iter();
    jobs.map(|written| {
        let told = job(&written.name, &[]);
        Job {
            sections: told.sections,
            transformers: Vec::new(),
            ..Job::clone(written)
        }
    })
    .collect()
}

/// No error may look like a list of jobs, least of all like an empty one.
fn assert_is_no_map(answer: &Answer) {
    assert!(answer.status.as_u16() >= 400, "{}", answer.status);
    let message = answer.json();
    assert!(
        message.as_str().is_some_and(|it| !it.is_empty()),
        "{message}"
    );
}

#[tokio::test]
async fn targets_are_shared_out_whole_and_once() {
    let host = sharing(list(&["a", "b", "c"]));
    host.serve(job("pods", &[]), &pods(60)).await;
    let mut all = BTreeSet::new();
    for collector in ["a", "b", "c"] {
        let own = told(&host, collector).await;
        assert!(own.len() > 5, "{collector}: {}", own.len());
        for address in own {
            assert!(all.insert(address.clone()), "{address} is told twice");
        }
    }
    assert_eq!(all.len(), 60);
    assert_eq!(told(&host, "stranger").await, BTreeSet::new());
    assert_eq!(
        host.get("/otel/jobs/none/targets?collector_id=a")
            .await
            .text(),
        "[]"
    );
}

#[tokio::test]
async fn list_is_as_discovered_and_without_what_rules_drop() {
    let host = sharing(list(&["a"]));
    let groups = [
        group("b", &[("10.0.0.2:80", "west")]),
        group("a", &[("10.0.0.1:80", "moon")]),
    ];
    host.serve(job("pods", &[drop_rule("__meta_zone", "moon")]), &groups)
        .await;
    let answer = host.get(&targets("pods", "a")).await;
    assert_eq!(
        answer.text(),
        r#"[{"targets":["10.0.0.2:80"],"labels":{"__meta_source":"b","__meta_zone":"west"}}]"#
    );
    assert_eq!(answer.header("content-type"), "application/json");
    assert_eq!(
        answer.header("content-length"),
        answer.body.len().to_string()
    );
}

#[tokio::test]
async fn rules_that_depend_on_the_collector_drop_nothing_here() {
    let jobs = configured(
        "scrape_configs:\n- job_name: pods\n  relabel_configs:\n  \
         - {source_labels: [__address__], modulus: 2, action: hashmod, target_label: __tmp}\n  \
         - {source_labels: [__tmp], regex: $(SHARD), action: keep}",
    );
    let host = sharing(list(&["a"]));
    host.apply(jobs).await;
    host.deliver("pods", &pods(4)).await;
    host.until("pods", |snapshot| snapshot.known).await;
    assert_eq!(told(&host, "a").await.len(), 4);
}

#[tokio::test]
async fn unchanged_lists_are_not_sent_again() {
    let host = sharing(list(&["a", "b"]));
    host.serve(job("pods", &[]), &pods(20)).await;
    for path in [
        &*targets("pods", "a"),
        "/otel/jobs/pods/targets",
        SCRAPE,
        "/otel/jobs",
    ] {
        for encoding in ["identity", "gzip"] {
            let first = host.get_with(path, &[("accept-encoding", encoding)]).await;
            assert_eq!(first.status, 200, "{path}");
            let tag = first.header("etag").to_owned();
            let known = [("accept-encoding", encoding), ("if-none-match", &tag)];
            let again = host.get_with(path, &known).await;
            assert_eq!(
                (again.status.as_u16(), again.body.len()),
                (304, 0),
                "{path}"
            );
        }
    }
    let path = targets("pods", "a");
    let before = host.get(&path).await.header("etag").to_owned();
    let mut more = pods(20);
    more.push(group(
        "new",
        &[
            ("10.0.1.1:80", "x"),
            ("10.0.1.2:80", "x"),
            ("10.0.1.3:80", "x"),
        ],
    ));
    host.deliver("pods", &more).await;
    host.until("pods", |snapshot| snapshot.groups.len() == 21)
        .await;
    let after = [&path, &targets("pods", "b")];
    let changed = [host.get(after[0]).await, host.get(after[1]).await];
    assert!(changed.iter().any(|it| it.text().contains("10.0.1.1")));
    assert_eq!(
        changed[0].header("etag") != before,
        changed[0].text().contains("10.0.1.")
    );
}

#[tokio::test]
async fn gzip_gives_the_list_back() {
    let host = sharing(list(&["a"]));
    host.serve(job("pods", &[]), &pods(30)).await;
    let plain = host.get(&targets("pods", "a")).await;
    let packed = host
        .get_with(&targets("pods", "a"), &[("accept-encoding", "gzip")])
        .await;
    assert_eq!(packed.header("content-encoding"), "gzip");
    let mut decoder = flate2::read::MultiGzDecoder::new(&packed.body[..]);
    let mut text = String::new();
    std::io::Read::read_to_string(&mut decoder, &mut text).unwrap();
    assert_eq!(text, plain.text());
}

#[tokio::test]
async fn nothing_is_empty_before_it_is_known() {
    let host = sharing(list(&["a"]));
    for path in [SCRAPE, "/otel/jobs", &*targets("pods", "a")] {
        assert_is_no_map(&host.get(path).await);
    }
    host.apply([job("pods", &[]), job("late", &[])]).await;
    host.deliver("pods", &pods(1)).await;
    host.until("pods", |snapshot| snapshot.known).await;
    // A job that is not known yet is one all the same: without it its targets would be dropped.
    let configs = host.get(SCRAPE).await.json();
    let names: Vec<&String> = configs.as_object().unwrap().keys().collect();
    assert_eq!(names, ["late", "pods"]);
    assert_eq!(told(&host, "a").await.len(), 1);
    for job in ["late", "none"] {
        let answer = host.get(&targets(job, "a")).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("retry-after")),
            (503, "5")
        );
        assert_is_no_map(&answer);
    }
    host.deliver("late", &[]).await;
    host.until("late", |snapshot| snapshot.known).await;
    for job in ["late", "none"] {
        assert_eq!(host.get(&targets(job, "a")).await.text(), "[]", "{job}");
    }
}

#[tokio::test]
async fn removed_job_is_empty_at_once() {
    let host = sharing(list(&["a"]));
    host.serve(job("pods", &[]), &pods(3)).await;
    assert_eq!(told(&host, "a").await.len(), 3);
    host.apply([]).await;
    assert_eq!(host.get(&targets("pods", "a")).await.text(), "[]");
    assert_eq!(host.get(SCRAPE).await.text(), "{}");
}

#[tokio::test]
async fn every_error_is_a_text_and_no_map() {
    let host = sharing(list(&["a"]));
    host.serve(job("pods", &[]), &pods(3)).await;
    let long = targets("pods", &"x".repeat(257));
    let cases = [
        ("/otel/nothing", 404),
        ("/otel/jobs/pods", 404),
        ("/otel/jobs/%FF/targets?collector_id=a", 400),
        ("/otel/jobs/pods/targets?collector_id=a&collector_id=b", 400),
        (&*long, 400),
    ];
    for (path, status) in cases {
        let answer = host.get(path).await;
        assert_eq!(answer.status, status, "{path}");
        assert_is_no_map(&answer);
    }
    for method in ["POST", "PUT", "DELETE"] {
        let answer = host.ask(method, SCRAPE, &[]).await;
        assert_eq!(answer.status, 405);
        assert_is_no_map(&answer);
    }
    let refused = [("accept-encoding", "identity;q=0")];
    let answer = host.get_with(SCRAPE, &refused).await;
    assert_eq!(answer.status, 406);
    assert_is_no_map(&answer);
}

#[tokio::test]
async fn without_a_section_nothing_is_shared() {
    let host = Host::start();
    host.serve(job("pods", &[]), &pods(3)).await;
    for path in [SCRAPE, "/otel/jobs", &*targets("pods", "a")] {
        let answer = host.get(path).await;
        assert_eq!(answer.status, 404);
        assert_is_no_map(&answer);
        assert!(
            answer.text().contains("target_allocator: {}"),
            "{}",
            answer.text()
        );
    }
    host.allocator.send_replace(Some(Arc::new(list(&["a"]))));
    assert_eq!(told(&host, "a").await.len(), 3);
}

#[tokio::test]
async fn names_are_escaped_as_collectors_do() {
    let host = sharing(list(&["a b/c"]));
    let names = ["a/b/0", "with space", "plus+", "per%cent", "ümlaut"];
    host.apply(names.map(|name| job(name, &[]))).await;
    for name in names {
        host.deliver(name, &[group(name, &[(&format!("{}:1", name.len()), "x")])])
            .await;
        host.until(name, |snapshot| snapshot.known).await;
    }
    let links = host.get("/otel/jobs").await.json();
    for name in names {
        // Go's QueryEscape.
        let escaped: String = url::form_urlencoded::byte_serialize(name.as_bytes()).collect();
        for path in [
            format!("/otel/jobs/{escaped}/targets?collector_id=a%20b/c"),
            format!(
                "{}?collector_id=a+b%2Fc",
                links[name]["_link"].as_str().unwrap()
            ),
        ] {
            let answer = host.get(&path).await;
            assert_eq!(addresses(&answer).len(), 1, "{path}: {}", answer.text());
        }
    }
    let raw = host
        .get("/otel/jobs/a/b/0/targets?collector_id=a+b/c")
        .await;
    assert_eq!(addresses(&raw).len(), 1);
}

#[tokio::test]
async fn everybody_s_share_links_to_each_and_counts_as_nobody_s_asking() {
    let host = sharing(list(&["a", "b"]));
    host.serve(job("pods", &[]), &pods(10)).await;
    let all = host.get("/otel/jobs/pods/targets").await.json();
    for collector in ["a", "b"] {
        let link = all[collector]["_link"].as_str().unwrap();
        assert_eq!(
            link,
            format!("/otel/jobs/pods/targets?collector_id={collector}")
        );
        assert_eq!(host.get(link).await.json(), all[collector]["targets"]);
    }
    let own = host.own_otel.clone();
    let request = Request::get("/jobs/pods/targets")
        .body(Body::empty())
        .unwrap();
    let response = own.oneshot(request).await.unwrap();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let own: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(own["a"]["_link"], "/jobs/pods/targets?collector_id=a");
    assert_eq!(own["a"]["targets"], all["a"]["targets"]);
}

#[tokio::test]
async fn sections_hold_what_the_file_says_and_no_secrets() {
    let host = sharing(list(&["a"]));
    let jobs = configured(
        "global: {scrape_interval: 7s, label_limit: 9}\nscrape_configs:\n- job_name: pods\n  \
         basic_auth: {username: u, password: s3cret}\n  kubernetes_sd_configs: [{role: pod}]\n  \
         metric_relabel_configs: [{source_labels: [__name__], regex: 'a.*', action: drop}]\n\
         - job_name: plain",
    );
    host.apply(jobs).await;
    let answer = host.get(SCRAPE).await;
    assert_eq!(answer.header("periplus-jobs-without-secrets"), "1");
    let expected = json!({
        "plain": {
            "job_name": "plain",
            "label_limit": 9,
            "scrape_interval": "7s",
            "scrape_timeout": "7s",
        },
        "pods": {
            "job_name": "pods",
            "label_limit": 9,
            "scrape_interval": "7s",
            "scrape_timeout": "7s",
            "metric_relabel_configs": [
                {"source_labels": ["__name__"], "regex": "a.*", "action": "drop"},
            ],
        },
    });
    assert_eq!(answer.json(), expected);

    let mut request = Request::get("/scrape_configs").body(Body::empty()).unwrap();
    request.extensions_mut().insert(ClientCertificate);
    let response = host.own_otel.clone().oneshot(request).await.unwrap();
    assert!(
        !response
            .headers()
            .contains_key("periplus-jobs-without-secrets")
    );
    let body = response.into_body().collect().await.unwrap().to_bytes();
    let trusted: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(trusted["pods"]["basic_auth"]["password"], "s3cret");
}

fn asking(settle: u64) -> TargetAllocator {
    TargetAllocator {
        collectors: CollectorSource::Requests {
            expire_after: Duration::from_mins(2),
            settle: Duration::from_secs(settle),
        },
        handover: None,
        ..TargetAllocator::default()
    }
}

#[tokio::test(start_paused = true)]
async fn who_asks_takes_part_until_it_asks_no_more() {
    let host = sharing(asking(35));
    host.serve(job("pods", &[]), &pods(40)).await;
    for collector in ["a", "b"] {
        let answer = host.get(&targets("pods", collector)).await;
        assert_eq!(answer.status, 503, "the first to ask must not get all");
        assert_is_no_map(&answer);
    }
    tokio::time::advance(Duration::from_secs(36)).await;
    let (a, b) = (told(&host, "a").await, told(&host, "b").await);
    assert!(!a.is_empty() && !b.is_empty());
    assert_eq!(a.len() + b.len(), 40);
    // Looking at everybody, or at a head, is not asking.
    host.get("/otel/jobs/pods/targets").await;
    host.ask("HEAD", &targets("pods", "c"), &[]).await;
    assert_eq!(told(&host, "a").await, a);
    tokio::time::advance(Duration::from_secs(100)).await;
    assert_eq!(told(&host, "a").await, a);
    tokio::time::advance(Duration::from_secs(21)).await;
    assert_eq!(
        told(&host, "a").await.len(),
        40,
        "b has not asked for too long"
    );
    assert_eq!(told(&host, "b").await, b, "and is back");
}

#[tokio::test]
async fn targets_of_a_job_are_the_collectors() {
    let host = sharing(TargetAllocator {
        collectors: CollectorSource::Job(JobCollectors {
            job: "otel".into(),
            id_label: "__meta_zone".into(),
            node_label: "__meta_node".into(),
            zone_label: None,
            weight_label: None,
        }),
        handover: None,
        ..TargetAllocator::default()
    });
    host.apply([
        job("pods", &[]),
        job("otel", &[drop_rule("__meta_zone", "gone")]),
    ])
    .await;
    host.deliver("pods", &pods(40)).await;
    host.until("pods", |snapshot| snapshot.known).await;
    let answer = host.get(&targets("pods", "a")).await;
    assert_eq!(answer.status, 503);
    assert!(answer.text().contains("`otel`"), "{}", answer.text());
    let collectors = |ids: &[&str]| {
        let named = ids
            .iter()
            .map(|id| group(id, &[("1:8888", id), ("1:8889", id)]));
        named.collect::<Vec<_>>()
    };
    host.deliver("otel", &collectors(&["a", "b", "gone"])).await;
    host.until("otel", |snapshot| snapshot.known).await;
    let (a, b) = (told(&host, "a").await, told(&host, "b").await);
    assert_eq!(
        (a.len() + b.len(), told(&host, "gone").await.len()),
        (40, 0)
    );
    host.deliver("otel", &collectors(&["b"])).await;
    host.until("otel", |snapshot| snapshot.groups.len() == 1)
        .await;
    assert_eq!(told(&host, "b").await.len(), 40);
    assert_eq!(told(&host, "a").await, BTreeSet::new());
}

#[tokio::test(start_paused = true)]
async fn moving_targets_have_two_owners_until_the_new_one_scraped_them() {
    let with = |ids: &[&str]| TargetAllocator {
        handover: Some(Handover {
            reload_tick: Duration::from_secs(10),
            deadline: Duration::from_mins(5),
        }),
        ..list(ids)
    };
    let host = sharing(with(&["a", "b"]));
    host.serve(job("pods", &[]), &pods(60)).await;
    let (a, b) = (told(&host, "a").await, told(&host, "b").await);
    host.allocator
        .send_replace(Some(Arc::new(with(&["a", "b", "c"]))));
    // Whoever asks first: nobody loses anything before c has asked.
    assert_eq!(told(&host, "a").await, a);
    tokio::time::advance(Duration::from_mins(2)).await;
    assert_eq!(told(&host, "b").await, b);
    let c = told(&host, "c").await;
    assert!(c.len() > 5 && c.len() < 40, "{}", c.len());
    // A reload tick and the job's scrape interval.
    tokio::time::advance(Duration::from_secs(69)).await;
    assert_eq!(
        (told(&host, "a").await, told(&host, "b").await),
        (a.clone(), b.clone())
    );
    tokio::time::advance(Duration::from_secs(1)).await;
    assert_eq!(told(&host, "a").await, &a - &c);
    assert_eq!(told(&host, "b").await, &b - &c);
    // c goes for good: what it had goes back, and c itself is told of it for a while.
    host.allocator
        .send_replace(Some(Arc::new(with(&["a", "b"]))));
    assert_eq!(told(&host, "a").await, a);
    assert_eq!(told(&host, "c").await, c);
    assert_eq!(told(&host, "b").await, b);
    tokio::time::advance(Duration::from_secs(70)).await;
    assert_eq!(told(&host, "c").await, BTreeSet::new());
}
