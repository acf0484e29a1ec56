//! Watches: events, resumption, bookmarks, silence.

use super::*;

#[tokio::test(start_paused = true)]
async fn events_are_applied_in_order() {
    let run = run_for(
        SHORT,
        [
            list(10, &[pod("a", 1, "1.1.1.1")]),
            watch(&[
                event("ADDED", &pod("b", 11, "1.1.1.2")),
                event("MODIFIED", &pod("a", 12, "9.9.9.9")),
                event("DELETED", &pod("b", 13, "1.1.1.2")),
                // The type of an event is never trusted.
                event("MODIFIED", &pod("c", 14, "1.1.1.3")),
                event("ADDED", &pod("c", 15, "1.1.1.4")),
            ]),
        ],
    )
    .await;
    assert_eq!(run.seen.names(), ["a", "c"]);
    assert_eq!(
        run.seen.told(),
        [
            "+pod/ns/a",
            "+pod/ns/b",
            "+pod/ns/a",
            "-pod/ns/b",
            "+pod/ns/c",
            "+pod/ns/c"
        ]
    );
    assert_eq!(run.metrics.count("pod", EventKind::Add), 3);
    assert_eq!(run.metrics.count("pod", EventKind::Update), 2);
    assert_eq!(run.metrics.count("pod", EventKind::Delete), 1);
}

#[tokio::test(start_paused = true)]
async fn an_event_that_changes_nothing_goes_no_further() {
    let run = run_for(
        SHORT,
        [
            list(10, &[pod("a", 1, "1.1.1.1")]),
            watch(&[event("MODIFIED", &pod("a", 11, "1.1.1.1"))]),
        ],
    )
    .await;
    assert_eq!(run.seen.told(), ["+pod/ns/a"]);
    assert_eq!(lock(&run.seen.0).shown.len(), 1);
    assert_eq!(run.metrics.count("pod", EventKind::Update), 1);
}

#[tokio::test(start_paused = true)]
async fn another_pod_of_the_same_name_replaces_the_old_one() {
    let mut again = pod("a", 11, "1.1.1.1");
    again["metadata"]["uid"] = json!("another");
    let run = run_for(
        SHORT,
        [
            list(10, &[pod("a", 1, "1.1.1.1")]),
            watch(&[event("MODIFIED", &again)]),
        ],
    )
    .await;
    assert_eq!(run.seen.told(), ["+pod/ns/a", "+pod/ns/a"]);
}

#[tokio::test(start_paused = true)]
async fn deleting_what_is_not_known_changes_nothing() {
    let run = run_for(SHORT, [
        list(10, &[]),
        watch(&[event("DELETED", &pod("a", 11, "1.1.1.1")), event("DELETED", &json!({
            "metadata": {"namespace": "ns", "name": "b", "resourceVersion": "12", "labels": 7},
        }))]),
    ])
    .await;
    assert!(run.seen.told().is_empty());
    assert_eq!(run.metrics.rejected_count("pod"), 0);
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_ends_goes_on_at_its_last_version() {
    let minute = Duration::from_mins(1);
    let run = run_for(
        Duration::from_mins(10),
        [
            list(10, &[pod("a", 1, "1.1.1.1")]),
            watch_until(
                BodyEnd::Closed,
                minute,
                &[event("ADDED", &pod("b", 11, "1.1.1.2"))],
            ),
            watch_until(BodyEnd::Closed, minute, &[bookmark(40)]),
            watch_until(BodyEnd::Closed, minute, &[]),
            watch_until(
                BodyEnd::Closed,
                minute,
                &[event("DELETED", &pod("b", 41, "1.1.1.2"))],
            ),
            watch(&[]),
        ],
    )
    .await;
    assert_eq!(
        run.shape()[..6],
        [
            "list",
            "watch after 10",
            "watch after 11",
            "watch after 40",
            "watch after 40",
            "watch after 41"
        ]
    );
    assert_eq!(run.seen.names(), ["a"]);
    assert_eq!(run.metrics.failure_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_silent_watch_is_opened_again_without_a_list() {
    let run = run_for(
        Duration::from_secs(400),
        [list(10, &[]), watch(&[bookmark(12)]), watch(&[])],
    )
    .await;
    assert_eq!(
        run.shape()[..3],
        ["list", "watch after 10", "watch after 12"]
    );
    assert_eq!(run.times()[2], SILENCE);
    assert!(run.status.last_error.is_none());
}

#[tokio::test(start_paused = true)]
async fn a_watch_that_outlives_its_time_is_opened_again() {
    // Bookmarks every minute, and a server that never ends the watch.
    let pieces: Vec<_> = (0..60)
        .map(|at| (Duration::from_mins(1), bookmark(20 + at)))
        .collect();
    let run = run_for(
        Duration::from_mins(20),
        [
            list(10, &[]),
            Answer::Body(pieces, BodyEnd::Open),
            watch(&[]),
        ],
    )
    .await;
    let Call::Watch { timeout, .. } = &run.calls()[1] else {
        panic!()
    };
    assert!(WATCH_SECONDS.contains(&timeout.as_secs()));
    assert_eq!(
        run.times()[2].abs_diff(run.times()[1]),
        *timeout + WATCH_GRACE
    );
    assert_eq!(run.metrics.failure_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn watches_ask_for_different_times() {
    let mut answers = vec![list(10, &[])];
    for _ in 0..20 {
        answers.push(watch_until(
            BodyEnd::Closed,
            Duration::from_secs(5),
            &[bookmark(11)],
        ));
    }
    let run = run_for(Duration::from_secs(200), answers).await;
    let times: std::collections::BTreeSet<u64> = run
        .calls()
        .iter()
        .filter_map(|call| match call {
            Call::Watch { timeout, .. } => Some(timeout.as_secs()),
            Call::List { .. } => None,
        })
        .collect();
    assert!(times.len() > 10, "{times:?}");
}

#[tokio::test(start_paused = true)]
async fn lines_in_pieces_are_whole_lines() {
    let lines = [
        event("ADDED", &pod("b", 11, "1.1.1.2")),
        event("ADDED", &pod("größe", 12, "1.1.1.3")),
        "\n".to_owned(),
        event("DELETED", &pod("b", 13, "1.1.1.2")),
    ]
    .concat();
    let bytes = lines.as_bytes();
    for size in [1, 7, 64] {
        let pieces: Vec<Result<Bytes, ApiError>> = bytes
            .chunks(size)
            .map(|piece| Ok(Bytes::copy_from_slice(piece)))
            .collect();
        let kept = SharedKept::new(Seen::default());
        let mut intake = Intake::new(Pod::default(), kept, KubernetesMetrics::default());
        let mut cursor = Cursor::new("10");
        let mut splitter = Lines::default();
        for piece in pieces {
            splitter.feed(&piece.unwrap(), |line| {
                assert!(intake.event(line, &mut cursor).is_none());
            });
        }
        assert_eq!(cursor.version, "13");
        assert!(cursor.fruitful);
    }
}

#[tokio::test(start_paused = true)]
async fn a_change_is_shown_with_the_moment_in_which_its_last_byte_was_read() {
    let line = event("ADDED", &pod("b", 11, "1.1.1.2"));
    let (first, second) = line.split_at(20);
    let began = Instant::now();
    let run = run_for(
        SHORT,
        [
            list(10, &[]),
            Answer::Body(
                vec![
                    (Duration::from_secs(3), first.to_owned()),
                    (Duration::from_secs(4), second.to_owned()),
                ],
                BodyEnd::Open,
            ),
        ],
    )
    .await;
    let shown = lock(&run.seen.0).shown.clone();
    assert_eq!(shown, [began + Duration::from_secs(7)]);
}

#[tokio::test(start_paused = true)]
async fn the_store_knows_up_to_which_version_it_is_complete() {
    let deleted = event("DELETED", &pod("a", 14, "1.1.1.1"));
    for (answers, position) in [
        (vec![page(10, "t", &[pod("a", 1, "1.1.1.1")])], 0),
        (vec![list(10, &[pod("a", 1, "1.1.1.1")])], 10),
        (
            vec![
                list(10, &[]),
                watch(&[event("ADDED", &pod("a", 12, "1.1.1.1"))]),
            ],
            12,
        ),
        (
            vec![list(10, &[pod("a", 1, "1.1.1.1")]), watch(&[bookmark(13)])],
            13,
        ),
        (
            vec![
                list(10, &[pod("a", 1, "1.1.1.1")]),
                watch(&[bookmark(13), deleted]),
            ],
            14,
        ),
        (
            vec![list(10, &[]), watch(&[error(410)]), page(30, "t", &[])],
            10,
        ),
        (
            vec![
                list(10, &[]),
                watch(&[event("ADDED", &pod("a", 9, "1.1.1.1"))]),
                list(7, &[]),
            ],
            7,
        ),
        (vec![whole(list_text("abc", "", &[]))], 0),
    ] {
        let run = run_for(SHORT, answers).await;
        assert_eq!(
            run.kept.lock().store.position(),
            position,
            "{:?}",
            run.shape()
        );
    }
}
