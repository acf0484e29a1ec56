//! Pages of a host that has too much for one page, and of one that goes away.

use std::fmt::Write;

use fantoccini::Locator;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::scene::Scene;

const JOBS: usize = 8;
const GROUPS: usize = 100;
const TARGETS: usize = 1000;

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver: make e2e-pages"]
async fn hundreds_of_thousands_of_targets_are_read_page_by_page() {
    let folder = tempfile::tempdir().unwrap();
    let jobs: Vec<Value> = (0..JOBS).map(|job| rack_job(&folder, job)).collect();
    let scene = Scene::of(folder, &json!({"scrape_configs": jobs})).await;
    let is_ready = |answer: &crate::running::Answer| answer.status == 200;
    for _ in 0..JOBS {
        // Each has its own patience.
        scene.host.until("readiness", "/-/ready", is_ready).await;
    }

    scene.open("/targets").await;
    scene.until_says("Targets 1 to 50 of 800\u{202f}000.").await;
    took(&scene, "first page of targets").await;
    let next = scene.browser.client.find(Locator::LinkText("Next")).await;
    next.unwrap().click().await.unwrap();
    scene.until_says("Targets 51 to 100 of").await;
    took(&scene, "second page").await;
    scene.open("/targets?page=16000").await;
    scene
        .until_says("Targets 799\u{202f}951 to 800\u{202f}000 of")
        .await;
    took(&scene, "last page").await;
    scene.open("/targets?q=10.7.99.249:9003").await;
    scene.until_says("Targets 1 to 1 of").await;
    took(&scene, "the last target by a part of its address").await;
    scene.open("/targets?match=%7Brack%3D%22r7-99%22%7D").await;
    scene.until_says("Targets 1 to 50 of").await;
    took(&scene, "a rack by its label").await;
    scene.open("/targets?sort=instance").await;
    scene.until_says("10.0.0.0:9000").await;
    took(&scene, "first page, sorted by instance").await;
    for (what, path) in [
        ("overview", "/"),
        ("jobs", "/jobs"),
        (
            "a target's way",
            "/explain?job=racks-3&target=10.3.50.7:9001",
        ),
    ] {
        scene.open(path).await;
        took(&scene, what).await;
    }
    scene.browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver: make e2e-pages"]
async fn ten_thousand_jobs_and_long_values_stay_readable() {
    let long = "x".repeat(64 << 10);
    let mut jobs: Vec<Value> = (0..10_000)
        .map(|job| {
            json!({"job_name": format!("job-{job}"), "static_configs": [{"targets": [format!("h{job}:1")]}]})
        })
        .collect();
    jobs[0]["static_configs"][0]["labels"] = json!({"long": long});
    let folder = tempfile::tempdir().unwrap();
    let scene = Scene::of(folder, &json!({"scrape_configs": jobs})).await;
    let is_ready = |answer: &crate::running::Answer| answer.status == 200;
    scene.host.until("readiness", "/-/ready", is_ready).await;
    for (path, expected) in [
        ("/", "10\u{202f}000 / 10\u{202f}000"),
        ("/jobs", "10\u{202f}000 jobs, page 1."),
        ("/jobs?q=job-9999", "1 jobs."),
        ("/targets?job=job-0", "bytes"),
        ("/explain?job=job-0&target=h0:1", "bytes"),
        ("/providers", "10\u{202f}000 providers"),
        ("/config", "Last reload"),
    ] {
        scene.open(path).await;
        scene.until_says(expected).await;
        let size = scene
            .browser
            .run("return document.documentElement.outerHTML.length")
            .await;
        assert!(size.as_u64().unwrap() < 2_000_000, "{path}: {size}");
        took(&scene, path).await;
    }
    scene.browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver: make e2e-pages"]
async fn a_browser_that_loses_the_host_says_so_and_goes_on() {
    let mut scene = Scene::new().await;
    scene.open("/targets?job=racks").await;
    scene.until_says("10.0.0.1:9100").await;
    scene.kill().await;
    scene.until_says("Connection lost").await;
    assert!(
        scene.text().await.contains("10.0.0.1:9100"),
        "what was there stays"
    );
    scene.write_racks(&["10.0.0.4:9100"]);
    scene.start_again().await;
    scene.until_says("10.0.0.4:9100").await;
    assert!(!scene.text().await.contains("Connection lost"));
    scene.browser.close().await;
}

/// A job of a hundred racks, each with a thousand targets.
fn rack_job(folder: &TempDir, job: usize) -> Value {
    let name = format!("racks-{job}");
    let mut text = String::from("[");
    for rack in 0..GROUPS {
        let comma = if rack == 0 { "" } else { "," };
        write!(
            text,
            r#"{comma}{{"labels": {{"rack": "r{job}-{rack}"}}, "targets": ["#
        )
        .unwrap();
        for target in 0..TARGETS {
            let comma = if target == 0 { "" } else { "," };
            let (host, port) = (target % 250, 9000 + target / 250);
            write!(text, r#"{comma}"10.{job}.{rack}.{host}:{port}""#).unwrap();
        }
        text.push_str("]}");
    }
    text.push(']');
    let file = folder.path().join(format!("{name}.json"));
    std::fs::write(&file, text).unwrap();
    let rule = json!({"source_labels": ["rack"], "target_label": "row", "regex": "r(.*)-.*"});
    json!({
        "job_name": name,
        "file_sd_configs": [{"files": [file]}],
        "relabel_configs": [rule],
    })
}

/// Prints what the browser says of the page that is open.
async fn took(scene: &Scene, what: &str) {
    let script = "const it = performance.getEntriesByType('navigation')[0];
        return [it.responseEnd - it.requestStart, it.domContentLoadedEventEnd - it.requestStart,
                it.encodedBodySize]";
    let times = scene.browser.run(script).await;
    let [answer, shown, size] = [0, 1, 2].map(|index| times[index].as_f64().unwrap());
    println!("{what}: answered after {answer:.1} ms, shown after {shown:.1} ms, {size} bytes");
}
