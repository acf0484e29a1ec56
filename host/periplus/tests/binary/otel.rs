//! The target allocator's API of the whole binary: its flag, its own listener, and reloads.

use serde_json::json;

use crate::lab::Lab;
use crate::running::{Answer, Running};

fn config(allocator: &str) -> String {
    format!(
        "global: {{scrape_interval: 9s}}\nscrape_configs: [{{job_name: j, static_configs: \
         [{{targets: [a:1, b:1, c:1, d:1, e:1, f:1]}}]}}]\n{allocator}"
    )
}

/// Reads from the listener that serves collectors alone.
async fn get(host: &Running, path: &str) -> Answer {
    let line = host.until_logged(&["Serving collectors"]).await;
    let (_, address) = line.split_once("address=").unwrap();
    let url = format!(
        "http://{}{path}",
        address.split_whitespace().next().unwrap()
    );
    Answer::to(reqwest::Client::new().get(url)).await
}

#[tokio::test(flavor = "multi_thread")]
async fn collectors_have_a_listener_of_their_own() {
    let lab = Lab::new(&config(
        "target_allocator: {collectors: [{id: x}, {id: y}]}",
    ));
    let host = lab.run(&["--otel-listen", "127.0.0.1:0"]).await;
    let x = "/jobs/j/targets?collector_id=x";
    let nested = format!("/otel{x}");
    let known = host
        .until("x's share", &nested, |it| it.status == 200)
        .await;
    assert_eq!(get(&host, x).await.body, known.body);
    let y = get(&host, "/jobs/j/targets?collector_id=y").await;
    assert_eq!(known.addresses().len() + y.addresses().len(), 6);
    let expected = json!({"job_name": "j", "scrape_interval": "9s", "scrape_timeout": "9s"});
    assert_eq!(
        get(&host, "/scrape_configs").await.json(),
        json!({ "j": expected })
    );
    assert_eq!(
        get(&host, "/metrics").await.status,
        404,
        "nothing but the API"
    );

    lab.configure(&config(
        "target_allocator: {handover: {enabled: false}, collectors: [{id: x}]}",
    ));
    assert_eq!(host.reload().await.status, 200);
    host.until("everything", &format!("/otel{x}"), |it| {
        it.addresses().len() == 6
    })
    .await;
    lab.configure(&config(""));
    assert_eq!(host.reload().await.status, 200);
    assert_eq!(get(&host, x).await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn section_with_a_mistake_is_refused() {
    let lab = Lab::new(&config("target_allocator: {strategy: fair}"));
    let ended = lab.run_in_vain(&[]).await;
    assert!(
        ended.stderr.contains("target_allocator.strategy"),
        "{}",
        ended.stderr
    );
}
