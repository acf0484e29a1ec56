//! `/-/healthy` and `/-/ready`.

use std::time::Duration;

use crate::support::{Host, Setup, job};

#[tokio::test]
async fn process_is_healthy_whatever_it_knows() {
    let host = Host::start();
    host.apply([job("pods", &[])]).await;
    let answer = host.get("/-/healthy").await;
    assert_eq!(
        (answer.status.as_u16(), answer.text()),
        (200, "Periplus is healthy.\n")
    );
}

#[tokio::test]
async fn ready_names_what_is_missing_until_every_job_is_known() {
    let host = Host::start();
    host.apply([job("one", &[]), job("two", &[])]).await;
    host.deliver("one", &[]).await;
    host.until("one", |snapshot| snapshot.known).await;
    host.updates("two")
        .await
        .waiting_for(Some("list of `pods`: 403".into()));
    host.until("two", |job| {
        job.missing.iter().any(|what| what.contains("403"))
    })
    .await;
    let answer = host.get("/-/ready").await;
    assert_eq!(answer.status, 503);
    let text = answer.text();
    assert!(
        text.starts_with("Periplus is not ready, it waits for:\n- two: "),
        "{text}"
    );
    assert!(text.contains("list of `pods`: 403"), "{text}");
    assert!(!text.contains("one: "), "{text}");

    host.deliver("two", &[]).await;
    host.until("two", |snapshot| snapshot.known).await;
    let answer = host.get("/-/ready").await;
    assert_eq!(
        (answer.status.as_u16(), answer.text()),
        (200, "Periplus is ready.\n")
    );

    // A job that a reload adds makes nobody unready.
    host.apply([job("one", &[]), job("two", &[]), job("three", &[])])
        .await;
    let answer = host.get("/-/ready").await;
    assert_eq!(answer.status, 200);
    assert!(answer.text().contains("\n- three: "), "{}", answer.text());
}

#[tokio::test(start_paused = true)]
async fn ready_after_the_timeout_with_what_is_still_missing() {
    let host = Host::with(Setup {
        ready_timeout: Duration::from_secs(30),
        ..Setup::default()
    });
    host.apply([job("dead", &[])]).await;
    tokio::time::advance(Duration::from_millis(29_900)).await;
    assert_eq!(host.get("/-/ready").await.status, 503);
    tokio::time::advance(Duration::from_millis(100)).await;
    let answer = host.get("/-/ready").await;
    assert_eq!(answer.status, 200);
    assert!(answer.text().contains("- dead: "), "{}", answer.text());
    // The job itself stays unknown: its readers keep what they have.
    assert_eq!(host.get("/sd/dead").await.status, 503);
}

#[tokio::test]
async fn nothing_is_ready_before_a_configuration_was_applied() {
    let host = Host::start();
    assert_eq!(host.get("/-/ready").await.status, 503);
    host.apply([]).await;
    assert_eq!(host.get("/-/ready").await.status, 200);
}
