//! What goes wrong, and what it costs.

use super::*;

fn known() -> Answer {
    list(10, &[pod("a", 1, "1.1.1.1"), pod("b", 2, "1.1.1.2")])
}

#[tokio::test(start_paused = true)]
async fn a_cut_watch_goes_on_where_it_was() {
    let half = event("ADDED", &pod("half", 12, "1.1.1.9"));
    let lines = [
        event("ADDED", &pod("c", 11, "1.1.1.3")),
        half[..half.len() / 2].to_owned(),
    ];
    let run = run_for(
        SHORT,
        [
            known(),
            watch_until(BodyEnd::Cut, Duration::from_secs(2), &lines),
            watch(&[event("ADDED", &pod("half", 12, "1.1.1.9"))]),
        ],
    )
    .await;
    assert_eq!(run.shape(), ["list", "watch after 10", "watch after 11"]);
    assert_eq!(run.seen.names(), ["a", "b", "c", "half"]);
    assert_eq!(
        run.times()[2],
        run.times()[1] + Duration::from_secs(2),
        "the first cut costs no wait"
    );
    assert!(run.status.last_error.is_none(), "the watch is open again");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_away_is_asked_again_and_again_and_nothing_is_lost() {
    let mut answers = vec![
        known(),
        watch_until(BodyEnd::Cut, Duration::from_secs(2), &[]),
    ];
    answers.extend((0..12).map(|_| Answer::Unreachable));
    answers.push(watch(&[event("DELETED", &pod("b", 11, "1.1.1.2"))]));
    let run = run_for(Duration::from_mins(20), answers).await;
    assert_eq!(run.seen.names(), ["a"]);
    assert_eq!(run.shape().iter().filter(|call| *call == "list").count(), 1);
    let times = run.times();
    let waits: Vec<f64> = times
        .windows(2)
        .map(|pair| pair[1].abs_diff(pair[0]).as_secs_f64())
        .collect();
    assert!(waits[2] >= 0.8, "{waits:?}");
    assert!(
        waits[3..13].iter().all(|wait| (0.8..=60.1).contains(wait)),
        "{waits:?}"
    );
    assert!(waits[9] >= 25.0, "waits grow: {waits:?}");
}

#[tokio::test(start_paused = true)]
async fn connections_that_are_cut_every_minute_cost_no_wait() {
    let minute = Duration::from_mins(1);
    let mut answers = vec![known()];
    for version in 11..31 {
        answers.push(watch_until(BodyEnd::Cut, minute, &[bookmark(version)]));
    }
    answers.push(watch(&[]));
    let run = run_for(minute * 21, answers).await;
    assert_eq!(run.times()[21], minute * 20);
    assert_eq!(run.shape()[21], "watch after 30");
}

#[tokio::test(start_paused = true)]
async fn while_the_server_is_away_the_status_says_why() {
    let run = run_for(
        SHORT,
        [
            known(),
            watch_until(BodyEnd::Cut, Duration::from_secs(2), &[]),
            Answer::Unreachable,
            Answer::Unreachable,
        ],
    )
    .await;
    assert_eq!(
        run.status.last_error.unwrap().1,
        "list of `pods`: connection refused"
    );
    assert!(run.status.synced);
    assert_eq!(run.seen.names(), ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn a_server_that_does_not_answer_is_given_up() {
    let run = run_for(SHORT, [Answer::Silence, known(), watch(&[])]).await;
    assert_eq!(run.seen.names(), ["a", "b"]);
    assert!(run.times()[1] >= ANSWER_TIMEOUT);
    assert_eq!(run.metrics.failure_count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_busy_server_is_left_alone_for_as_long_as_it_asks() {
    let wait = Duration::from_secs(20);
    let run = run_for(SHORT, [Answer::Busy(wait), known(), watch(&[])]).await;
    assert!(
        (wait..wait * 2).contains(&run.times()[1]),
        "{:?}",
        run.times()
    );
    assert!(run.status.synced);
}

#[tokio::test(start_paused = true)]
async fn expiry_after_expiry_is_not_a_loop_without_a_wait() {
    let mut answers = Vec::new();
    for version in 0..1000 {
        answers.push(list(10 + version, &[pod("a", 1, "1.1.1.1")]));
        answers.push(Answer::Refused(410));
    }
    let run = run_for(Duration::from_mins(10), answers).await;
    assert!(
        run.shape().len() < 100,
        "{} requests in ten minutes",
        run.shape().len()
    );
    assert_eq!(run.seen.told(), ["+pod/ns/a"]);
}

#[tokio::test(start_paused = true)]
async fn watches_that_close_at_once_are_not_a_loop_without_a_wait() {
    let mut answers = vec![known()];
    for _ in 0..1000 {
        answers.push(watch_until(BodyEnd::Closed, Duration::ZERO, &[]));
        answers.push(watch_until(BodyEnd::Closed, Duration::ZERO, &[]));
        answers.push(watch_until(BodyEnd::Closed, Duration::ZERO, &[]));
        answers.push(known());
    }
    let run = run_for(Duration::from_mins(10), answers).await;
    assert!(
        run.shape().len() < 100,
        "{} requests in ten minutes",
        run.shape().len()
    );
    assert_eq!(run.seen.told().len(), 2);
}

#[tokio::test(start_paused = true)]
async fn a_broken_line_is_asked_for_again_and_then_listed_around() {
    let garbage = "{\"type\":\"ADDED\",\"object\":{\"metadata\":\n".to_owned();
    let bad = || {
        watch(&[
            garbage.clone(),
            event("ADDED", &pod("never seen", 99, "1.1.1.9")),
        ])
    };
    let run = run_for(
        SHORT,
        [
            known(),
            watch(&[event("ADDED", &pod("c", 11, "1.1.1.3")), garbage.clone()]),
            bad(),
            bad(),
            list(20, &[pod("a", 1, "1.1.1.1"), pod("d", 12, "1.1.1.4")]),
            watch(&[]),
        ],
    )
    .await;
    assert_eq!(
        run.shape(),
        [
            "list",
            "watch after 10",
            "watch after 11",
            "watch after 11",
            "list",
            "watch after 20"
        ]
    );
    assert_eq!(run.seen.names(), ["a", "d"]);
}

#[tokio::test(start_paused = true)]
async fn every_kind_of_broken_line_is_survived() {
    for line in [
        "garbage",
        "{}",
        "null",
        "[]",
        "{\"type\":\"ADDED\"}",
        "{\"type\":7,\"object\":{}}",
        "{\"type\":\"ADDED\",\"object\":",
        "{\"type\":\"ADDED\",\"object\":}",
        "{\"type\":\"ADDED\",\"object\":{}}}}",
        "{\"type\":\"DELETED\",\"object\":{}}",
        "{\"type\":\"DELETED\",\"object\":null}",
        "{\"type\":\"BOOKMARK\",\"object\":7}",
        "{\"type\":\"ERROR\",\"object\":7}",
        "\u{0}\u{1}",
    ] {
        let run = run_for(
            SHORT,
            [
                known(),
                watch(&[format!("{line}\n")]),
                watch(&[event("DELETED", &pod("b", 11, "1.1.1.2"))]),
            ],
        )
        .await;
        assert_eq!(
            run.shape(),
            ["list", "watch after 10", "watch after 10"],
            "{line}"
        );
        assert_eq!(run.seen.names(), ["a"], "{line}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_bad_object_or_an_unknown_event_does_not_end_the_watch() {
    for line in [
        event(
            "ADDED",
            &json!({"metadata": {"namespace": "ns", "name": "b", "resourceVersion": "12", "labels": 7}}),
        ),
        event("MODIFIED", &json!({"metadata": {"resourceVersion": "12"}})),
        event("ADDED", &json!(null)),
        event("ADDED", &json!([])),
        event("FUTURE", &pod("b", 12, "9.9.9.9")),
        "{ \"object\": 7, \"type\": \"ADDED\" }\n".to_owned(),
    ] {
        let run = run_for(
            SHORT,
            [
                known(),
                watch(&[line.clone(), event("DELETED", &pod("a", 13, ""))]),
            ],
        )
        .await;
        assert_eq!(run.shape(), ["list", "watch after 10"], "{line}");
        assert_eq!(run.seen.names(), ["b"], "{line}");
        assert_eq!(run.metrics.rejected_count("pod"), 1, "{line}");
    }
}

#[tokio::test(start_paused = true)]
async fn keys_in_another_order_and_spaces_are_understood() {
    let object = pod("c", 12, "1.1.1.3");
    let run = run_for(
        SHORT,
        [
            known(),
            watch(&[format!(
                " {{ \"object\" : {object} , \"type\" : \"ADDED\", \"more\": [1] }} \r\n"
            )]),
        ],
    )
    .await;
    assert_eq!(run.seen.names(), ["a", "b", "c"]);
    assert_eq!(run.metrics.rejected_count("pod"), 0);
}

#[tokio::test(start_paused = true)]
async fn versions_that_go_back_are_listed_again() {
    for line in [
        bookmark(5),
        event("ADDED", &pod("old", 5, "1.1.1.9")),
        event("DELETED", &pod("a", 5, "")),
    ] {
        let run = run_for(
            SHORT,
            [
                known(),
                watch(std::slice::from_ref(&line)),
                list(6, &[pod("a", 1, "1.1.1.1")]),
                watch(&[]),
            ],
        )
        .await;
        assert_eq!(
            run.shape(),
            ["list", "watch after 10", "list", "watch after 6"],
            "{line}"
        );
        assert_eq!(run.seen.names(), ["a"]);
    }
}

#[tokio::test(start_paused = true)]
async fn an_error_event_that_is_no_expiry_costs_no_list() {
    let run = run_for(
        SHORT,
        [known(), watch(&[bookmark(12), error(500)]), watch(&[])],
    )
    .await;
    assert_eq!(run.shape(), ["list", "watch after 10", "watch after 12"]);
    assert_eq!(run.metrics.failure_count(), 1);
}

#[tokio::test(start_paused = true)]
async fn a_driver_stops_at_once_when_told() {
    let stop = CancellationToken::new();
    let api: Arc<dyn Api> = Arc::new(Script::default());
    let driver = Driver::new(
        api,
        Pod::default(),
        Collection::default(),
        SharedKept::new(Seen::default()),
        gate(),
        KubernetesMetrics::default(),
    );
    let run = tokio::spawn(driver.run(stop.clone()));
    tokio::task::yield_now().await;
    stop.cancel();
    timeout(Duration::from_millis(1), run)
        .await
        .expect("stops without a wait")
        .unwrap();
}

#[test]
fn a_missing_permission_is_told_from_other_problems() {
    for (code, is_forbidden) in [(403, true), (401, false), (500, false)] {
        let problem = Problem::from(&ApiError::Refused(Refusal {
            code,
            ..Refusal::default()
        }));
        assert_eq!(problem.is_forbidden, is_forbidden, "{code}");
    }
    assert!(!Problem::from("the server closes the watch at once").is_forbidden);
}
