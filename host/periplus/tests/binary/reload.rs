//! Reading the configuration again: what changes, when, and what a bad file does, which is nothing.

use periplus_kube_api::Verb;
use serde_json::json;

use crate::cluster::{cluster, pod, pods_job};
use crate::lab::Lab;
use crate::running::{Answer, Running};

const GOOD: &str = "scrape_configs: [{job_name: j, static_configs: [{targets: [a:1]}]}]";
/// With three errors.
const BAD: &str = "
scrape_configs:
  - job_name: j
    static_config: [{targets: [b:1]}]
  - job_name: j
  - job_name: other
    scrape_interval: soon
";

async fn metric(host: &Running, name: &str) -> String {
    let text = host.get("/metrics").await.text();
    let mut lines = text.lines();
    lines
        .find_map(|line| line.strip_prefix(&format!("{name} ")))
        .unwrap_or_else(|| panic!("no `{name}` in:\n{text}"))
        .to_owned()
}

/// The three errors of [`BAD`], each with place, key and hint.
fn assert_says_why(text: &str, lab: &Lab) {
    let file = lab.config();
    let file = file.display();
    for expected in [
        format!("{file}:4:5: scrape_configs[0].static_config: unknown key `static_config`"),
        "hint: did you mean `static_configs`?".to_owned(),
        format!("{file}:5:15: scrape_configs[1].job_name: found multiple scrape configs"),
        "hint: the first one is on line 3".to_owned(),
        format!("{file}:7:22: scrape_configs[2].scrape_interval: not a valid duration"),
        "hint: write a number with a unit".to_owned(),
    ] {
        assert!(text.contains(&expected), "no `{expected}` in:\n{text}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_file_changes_nothing_and_says_why() {
    let lab = Lab::new(GOOD);
    let host = lab.run(&[]).await;
    host.until_addresses("j", &["a:1"]).await;
    let success = "periplus_config_last_reload_successful";
    assert_eq!(metric(&host, success).await, "1");
    let before = host.get("/sd/j").await;

    lab.configure(BAD);
    let refused = host.reload().await;
    assert_eq!(refused.status, 500);
    assert_says_why(&refused.text(), &lab);
    assert_eq!(metric(&host, success).await, "0");
    assert_eq!(host.get("/sd/j").await.body, before.body);
    assert_eq!(host.get("/sd/other").await.status, 404);

    // A file that is gone is no better.
    std::fs::remove_file(lab.config()).unwrap();
    let refused = host.reload().await;
    assert_eq!(refused.status, 500);
    assert!(
        refused.text().contains("prometheus.yml"),
        "{}",
        refused.text()
    );
    assert_eq!(host.get("/sd/j").await.body, before.body);

    lab.configure("scrape_configs: [{job_name: j, static_configs: [{targets: [b:1]}]}]");
    assert_eq!(host.reload().await.status, 200);
    assert_eq!(metric(&host, success).await, "1");
    host.until_addresses("j", &["b:1"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hangup_reloads_as_well() {
    let lab = Lab::new(GOOD);
    let host = lab.run(&[]).await;
    host.until_addresses("j", &["a:1"]).await;

    lab.configure(BAD);
    host.signal("HUP").await;
    host.until_logged(&["Configuration refused, the old one stays"])
        .await;
    assert_says_why(&host.log().replace("\\n", "\n"), &lab);
    host.until_addresses("j", &["a:1"]).await;

    lab.configure("scrape_configs: [{job_name: k, static_configs: [{targets: [b:1]}]}]");
    host.signal("HUP").await;
    host.until_job("targets", "k", |answer| answer.status == 200)
        .await;
    host.until_addresses("k", &["b:1"]).await;
    host.until_logged(&["Configuration reloaded"]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn included_files_are_read_again_too() {
    let lab = Lab::new("scrape_config_files: [jobs/*.yml]");
    lab.make_folder("jobs");
    let job = |name: &str, address: &str| {
        format!(
            "scrape_configs: [{{job_name: {name}, static_configs: [{{targets: ['{address}']}}]}}]"
        )
    };
    lab.write("jobs/a.yml", job("team/a b", "a:1"));
    let host = lab.run(&[]).await;
    host.until_addresses("team/a%20b", &["a:1"]).await;

    lab.write("jobs/a.yml", job("team/a b", "a:2"));
    lab.write("jobs/b.yml", job("équipe", "b:1"));
    assert_eq!(host.reload().await.status, 200);
    host.until_addresses("team/a%20b", &["a:2"]).await;
    host.until_addresses("%C3%A9quipe", &["b:1"]).await;

    // A bad one changes nothing, whatever the others say.
    lab.write("jobs/a.yml", job("team/a b", "a:3"));
    lab.write("jobs/b.yml", job("team/a b", "b:2"));
    let refused = host.reload().await;
    assert_eq!(refused.status, 500);
    let text = refused.text();
    for expected in [
        "jobs/b.yml:1:29: scrape_configs[0].job_name: found multiple scrape configs",
        "first found in \"",
        "jobs/a.yml\"",
    ] {
        assert!(text.contains(expected), "no `{expected}` in:\n{text}");
    }
    host.until_addresses("team/a%20b", &["a:2"]).await;

    std::fs::remove_file(lab.path("jobs/b.yml")).unwrap();
    host.signal("HUP").await;
    host.until_addresses("team/a%20b", &["a:3"]).await;
    host.until_addresses("%C3%A9quipe", &[]).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_section_keeps_its_targets_until_the_new_one_has_answered() {
    let (old, mut new) = (cluster().await, cluster().await);
    for (index, name) in ["web-0", "web-1"].into_iter().enumerate() {
        old.apply(pod("team-a", name, &format!("10.0.0.{index}")));
        new.apply(pod("team-a", name, &format!("10.1.0.{index}")));
    }
    let before: &[&str] = &["10.0.0.0:8080", "10.0.0.1:8080"];
    let after: &[&str] = &["10.1.0.0:8080", "10.1.0.1:8080"];
    let lab = Lab::new(&format!("scrape_configs:{}", pods_job(&old, &[])));
    let host = lab.run(&[]).await;
    host.until_addresses("pods", before).await;

    new.pause().await;
    lab.configure(&format!("scrape_configs:{}", pods_job(&new, &[])));
    let readings = host.read_steadily("/sd/pods");
    assert_eq!(host.reload().await.status, 200);
    host.until("the new provider, failing", "/api/v1/providers", |answer| {
        let providers = answer.json()["data"]["providers"].clone();
        let mut providers = providers.as_array().unwrap().iter();
        providers.any(|it| it["state"] == "failing" && it["synced"] == false)
    })
    .await;
    // The old provider lives until the switch: what happens to its Pods still shows.
    old.apply(pod("team-a", "web-2", "10.0.0.2"));
    let grown: &[&str] = &["10.0.0.0:8080", "10.0.0.1:8080", "10.0.0.2:8080"];
    host.until_addresses("pods", grown).await;
    new.resume().unwrap();
    host.until_addresses("pods", after).await;

    let states: Vec<_> = [before, grown, after]
        .map(|state| state.iter().map(|&it| it.to_owned()).collect())
        .into();
    for answer in readings.end().await {
        assert_eq!(answer.status, 200, "{answer:?}");
        assert!(states.contains(&answer.addresses()), "{}", answer.text());
    }
    let served = host.provider("kubernetes").await;
    assert_eq!(served["config"]["api_server"], format!("{}/", new.url()));
}

#[tokio::test(flavor = "multi_thread")]
async fn changed_rules_take_effect_and_leave_the_provider_alone() {
    let api = cluster().await;
    api.apply(pod("team-a", "web-0", "10.0.0.1"));
    let lab = Lab::new(&format!("scrape_configs:{}", pods_job(&api, &[])));
    let host = lab.run(&[]).await;
    host.until_addresses("pods", &["10.0.0.1:8080"]).await;
    let provider = host.provider("kubernetes").await["name"].clone();
    api.clear_requests();

    let rule = "      - {target_label: site, replacement: ams}\n";
    let twin = pods_job(&api, &[]).replace("job_name: pods", "job_name: twin");
    lab.configure(&format!(
        "scrape_configs:{}{rule}{twin}",
        pods_job(&api, &[])
    ));
    assert_eq!(host.reload().await.status, 200);
    host.until_job("the new label", "pods", |answer| {
        let labels = answer.labels("10.0.0.1:8080");
        labels.is_some_and(|labels| labels["site"] == "ams")
    })
    .await;
    host.until_addresses("twin", &["10.0.0.1:8080"]).await;

    let shared = host.provider("kubernetes").await;
    assert_eq!(shared["name"], provider);
    assert_eq!(shared["jobs"], json!(["pods", "twin"]));
    let asked = api.requests();
    assert!(!asked.iter().any(|it| it.verb == Verb::List), "{asked:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_removed_job_is_empty_for_a_while_and_an_unknown_one_is_not_found() {
    let lab = Lab::new(GOOD);
    let host = lab.run(&["--removed-grace", "2s"]).await;
    host.until_addresses("j", &["a:1"]).await;
    let never = host.get("/sd/never").await;
    assert_eq!(never.status, 404);
    assert!(
        never.text().contains("known jobs are `j`"),
        "{}",
        never.text()
    );

    lab.configure("scrape_configs: [{job_name: k, static_configs: [{targets: [b:1]}]}]");
    assert_eq!(host.reload().await.status, 200);
    let removed = host.get("/sd/j").await;
    assert_eq!((removed.status, removed.text().as_str()), (200, "[]"));
    host.until_job("its end", "j", |answer| answer.status == 404)
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_new_job_is_unknown_until_its_section_has_delivered() {
    let mut api = cluster().await;
    api.pause().await;
    let lab = Lab::new(GOOD);
    let host = lab.run(&[]).await;
    host.until("readiness", "/-/ready", |answer| answer.status == 200)
        .await;
    lab.configure(&format!(
        "scrape_configs:
  - job_name: j
    static_configs: [{{targets: [a:1]}}]{}",
        pods_job(&api, &[])
    ));
    assert_eq!(host.reload().await.status, 200);
    let unknown = |answer: &Answer| {
        let text = answer.text();
        answer.status == 503 && text.contains("`pods`") && text.contains("waiting for list of")
    };
    host.until_job("what it waits for", "pods", unknown).await;
    host.until_addresses("j", &["a:1"]).await;
    // A reload never takes readiness back.
    assert_eq!(host.get("/-/ready").await.status, 200);
    api.resume().unwrap();
    // Delivered, and there is nothing: now the empty list is true.
    host.until_addresses("pods", &[]).await;
}
