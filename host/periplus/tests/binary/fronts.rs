//! One change through every front of the whole binary at once.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use crate::lab::Lab;
use crate::running::{Answer, Running, until, within};

const CONFIG: &str = "
scrape_configs:
  - job_name: racks/a
    file_sd_configs:
      - files: [racks.json]
  - job_name: fixed
    static_configs:
      - targets: [fixed.example:1]
";

async fn poll(host: &Running, version: &str) -> Value {
    let path = "/mads/racks/a/v3/discovery:monitoringassignments?fetch-timeout=30s";
    let request = host.request(Method::POST, path);
    let request = request.body(json!({"version_info": version}).to_string());
    let answer = Answer::to(request).await;
    assert_eq!(answer.status, 200, "{}", answer.text());
    answer.json()
}

/// The stream's text up to the next version.
async fn next_version(stream: &mut reqwest::Response) -> String {
    let mut text = String::new();
    while !text.contains("event: version") {
        let piece = within(stream.chunk()).await.unwrap();
        text.push_str(std::str::from_utf8(&piece.expect("the stream has ended")).unwrap());
    }
    text
}

#[tokio::test]
async fn change_reaches_lists_polls_streams_and_files() {
    let lab = Lab::new(CONFIG);
    lab.write("racks.json", r#"[{"targets": ["a.example:1"]}]"#);
    let folder = lab.path("sd");
    let options = [
        "--sd-files-dir",
        folder.to_str().unwrap(),
        "--sd-files-format",
        "yaml",
    ];
    let mut host = lab.run(&options).await;
    host.until_addresses("racks/a", &["a.example:1"]).await;
    let file = folder.join("racks%2Fa.yaml");
    let file_has = |address: &str| {
        let text = std::fs::read_to_string(&file).unwrap_or_default();
        text.contains(address)
    };
    until(|| file_has("a.example:1")).await;
    let first = poll(&host, "").await;
    assert_eq!(
        first["resources"][0]["targets"][0]["address"],
        "a.example:1"
    );
    let version = first["version_info"].as_str().unwrap().to_owned();
    let stream = host.request(Method::GET, "/api/v1/watch/racks/a");
    let stream = stream.header("accept", "text/event-stream").send();
    let mut stream = within(stream).await.unwrap();
    assert!(next_version(&mut stream).await.contains("a.example:1"));

    let (second, ()) = tokio::join!(poll(&host, &version), async {
        tokio::time::sleep(Duration::from_millis(20)).await;
        lab.replace("racks.json", r#"[{"targets": ["b.example:2"]}]"#);
    });
    assert_eq!(
        second["resources"][0]["targets"][0]["address"],
        "b.example:2"
    );
    assert!(next_version(&mut stream).await.contains("b.example:2"));
    until(|| file_has("b.example:2") && !file_has("a.example:1")).await;
    host.until_addresses(
        "racks/a?match=%7Binstance%3D~%22b.*%22%7D",
        &["b.example:2"],
    )
    .await;

    // A job that a reload removes: its file goes, its stream says so, its neighbours stay.
    lab.configure(
        "scrape_configs: [{job_name: fixed, static_configs: [{targets: [fixed.example:1]}]}]",
    );
    assert_eq!(host.reload().await.status, 200);
    until(|| !file.exists()).await;
    assert!(folder.join("fixed.yaml").exists());
    assert!(
        next_version(&mut stream)
            .await
            .starts_with("event: snapshot")
    );
    // The open stream holds nothing up.
    host.signal("TERM").await;
    assert!(host.ended().await.success());
    assert!(
        folder.join("fixed.yaml").exists(),
        "files outlive the process"
    );
}

/// The configurations in the documentation.
fn documented() -> Vec<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/fronts.md");
    let text = std::fs::read_to_string(path).unwrap();
    let blocks = text.split("```yaml\n").skip(1);
    blocks
        .map(|block| block.split("```").next().unwrap().to_owned())
        .collect()
}

#[tokio::test]
async fn documented_configurations_are_what_a_scraper_takes() {
    let blocks = documented();
    assert!(blocks.len() >= 7, "{}", blocks.len());
    for block in blocks {
        let lab = Lab::new(&block);
        let ended = lab.check(&["--allow-missing"]).await;
        assert_eq!(
            ended.code,
            Some(0),
            "{block}\n{}{}",
            ended.stdout,
            ended.stderr
        );
    }
}

#[tokio::test]
async fn folder_that_cannot_be_written_to_is_said_at_once() {
    let lab = Lab::new(CONFIG);
    lab.write("file", "");
    let folder = lab.path("file");
    let ended = lab
        .run_in_vain(&["--sd-files-dir", folder.to_str().unwrap()])
        .await;
    assert!(ended.stderr.contains("--sd-files-dir"), "{}", ended.stderr);
    assert!(
        ended.stderr.contains(folder.to_str().unwrap()),
        "{}",
        ended.stderr
    );
}
