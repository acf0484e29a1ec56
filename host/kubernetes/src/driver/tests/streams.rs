//! Streamed states.

use super::*;

async fn run_streaming(time: Duration, answers: impl IntoIterator<Item = Answer>) -> Run {
    run_on(Capabilities::default(), time, answers).await
}

fn added(name: &str, version: u64, ip: &str) -> String {
    event("ADDED", &pod(name, version, ip))
}

/// The bookmark that ends a state.
pub(super) fn state_end(version: u64) -> String {
    event(
        "BOOKMARK",
        &json!({"kind": "Pod", "metadata": {
            "resourceVersion": version.to_string(),
            "annotations": {"k8s.io/initial-events-end": "true"},
        }}),
    )
}

#[tokio::test(start_paused = true)]
async fn a_state_and_what_follows_come_in_one_request() {
    let run = run_streaming(
        SHORT,
        [watch(&[
            added("b", 9, "1.1.1.2"),
            added("a", 1, "1.1.1.1"),
            state_end(10),
            added("c", 11, "1.1.1.3"),
            event("DELETED", &pod("a", 12, "1.1.1.1")),
        ])],
    )
    .await;
    assert_eq!(run.shape(), ["stream of \"\""]);
    assert_eq!(run.seen.names(), ["b", "c"]);
    assert!(run.status.synced && run.status.problem.is_none());
    assert_eq!(run.kept.lock().store.position(), 12);
    assert_eq!(run.metrics.failure_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn nothing_is_synced_before_the_state_is_whole() {
    for last in [added("b", 11, "1.1.1.2"), String::new()] {
        let run = run_streaming(
            Duration::from_secs(9),
            [watch(&[added("a", 12, "1.1.1.1"), last])],
        )
        .await;
        assert!(!run.status.synced);
        assert_eq!(
            run.kept.lock().store.position(),
            0,
            "versions are in no order"
        );
        assert!(run.seen.names().contains(&"a".to_owned()), "shown at once");
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_ends_goes_on_as_a_watch() {
    let minute = Duration::from_mins(1);
    let run = run_streaming(
        minute * 3,
        [
            watch_until(
                BodyEnd::Closed,
                minute,
                &[added("a", 1, "1.1.1.1"), state_end(10)],
            ),
            watch(&[added("b", 11, "1.1.1.2")]),
        ],
    )
    .await;
    assert_eq!(run.shape(), ["stream of \"\"", "watch after 10"]);
    assert_eq!(run.seen.names(), ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn a_streamed_state_replaces_what_was_known_and_touches_only_what_differs() {
    let run = run_streaming(
        SHORT,
        [
            watch(&[
                added("same", 1, "1.1.1.1"),
                added("other", 2, "1.1.1.2"),
                added("gone", 3, "1.1.1.3"),
                state_end(10),
                error(410),
            ]),
            watch(&[
                added("new", 13, "1.1.1.4"),
                added("other", 12, "9.9.9.9"),
                added("same", 11, "1.1.1.1"),
                state_end(20),
            ]),
        ],
    )
    .await;
    assert_eq!(run.shape(), ["stream of \"\"", "stream of \"\""]);
    let told = run.seen.told();
    assert_eq!(told[3..], ["+pod/ns/new", "+pod/ns/other", "-pod/ns/gone"]);
    assert_eq!(run.kept.lock().store.position(), 20);
}

#[tokio::test(start_paused = true)]
async fn objects_that_come_twice_change_nothing() {
    let run = run_streaming(
        SHORT,
        [watch(&[
            added("a", 5, "1.1.1.1"),
            added("b", 4, "1.1.1.2"),
            // An older version behind a newer one, then the newer one again.
            added("a", 3, "9.9.9.9"),
            added("a", 5, "1.1.1.1"),
            state_end(10),
            // The whole state once more.
            added("b", 4, "1.1.1.2"),
            added("a", 5, "1.1.1.1"),
            state_end(10),
        ])],
    )
    .await;
    assert_eq!(run.shape(), ["stream of \"\""]);
    assert_eq!(run.seen.told(), ["+pod/ns/a", "+pod/ns/b"]);
    assert_eq!(run.kept.lock().store.position(), 10);
}

#[tokio::test(start_paused = true)]
async fn a_burst_of_another_history_is_asked_for_anew() {
    for stale in [added("a", 4, "1.1.1.1"), added("unknown", 4, "1.1.1.9")] {
        let run = run_streaming(
            SHORT,
            [
                watch(&[added("a", 5, "1.1.1.1"), state_end(10), stale]),
                watch(&[added("a", 5, "1.1.1.1"), state_end(7)]),
            ],
        )
        .await;
        assert_eq!(run.shape(), ["stream of \"\"", "stream of \"\""]);
        assert_eq!(run.seen.names(), ["a"]);
        assert_eq!(run.kept.lock().store.position(), 7);
    }
}

#[tokio::test(start_paused = true)]
async fn changes_while_the_state_is_told_are_kept() {
    let run = run_streaming(
        SHORT,
        [watch(&[
            added("a", 5, "1.1.1.1"),
            added("b", 4, "1.1.1.2"),
            event("MODIFIED", &pod("a", 11, "9.9.9.9")),
            event("DELETED", &pod("b", 12, "1.1.1.2")),
            state_end(12),
        ])],
    )
    .await;
    assert_eq!(run.seen.names(), ["a"]);
    assert_eq!(
        run.seen.told(),
        ["+pod/ns/a", "+pod/ns/b", "+pod/ns/a", "-pod/ns/b"]
    );
}

#[tokio::test(start_paused = true)]
async fn a_server_that_refuses_streams_is_listed_and_not_asked_again() {
    for code in [400, 404, 406, 422] {
        let mut answers = vec![Answer::Refused(code)];
        answers.extend([list(10, &[pod("a", 1, "1.1.1.1")]), watch(&[error(410)])]);
        answers.extend([list(20, &[pod("a", 1, "1.1.1.1")]), watch(&[])]);
        let run = run_streaming(SHORT, answers).await;
        assert_eq!(
            run.shape(),
            [
                "stream of \"\"",
                "list",
                "watch after 10",
                "list",
                "watch after 20"
            ]
        );
        assert!(run.status.problem.is_none() && run.status.synced);
        assert_eq!(run.metrics.failure_count(), 0, "{code} is an answer");
    }
}

#[tokio::test(start_paused = true)]
async fn after_a_while_a_server_is_asked_for_streams_again() {
    let minute = Duration::from_mins(1);
    for (remembered, last) in [(minute, "stream of \"\""), (minute * 3, "list")] {
        let capabilities = Capabilities::default();
        capabilities.lists_only(&pods(), remembered);
        let expires = Answer::Body(vec![(minute * 2, error(410))], BodyEnd::Open);
        let run = run_on(
            capabilities,
            minute * 3,
            [list(10, &[]), expires, Answer::Silence],
        )
        .await;
        assert_eq!(run.shape()[2], last);
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_ignores_streams_is_noticed_and_listed() {
    let plain = [added("a", 1, "1.1.1.1"), bookmark(10)];
    let burst = [added("a", 1, "1.1.1.1")];
    let nothing = [String::new()];
    let churn: Vec<_> = (0..100)
        .map(|at| {
            let line = event("MODIFIED", &pod("a", 11 + at, "1.1.1.1"));
            (Duration::from_secs(1), line)
        })
        .collect();
    let cases = [
        (watch(&plain), Duration::ZERO),
        (watch(&burst), STATE_STALL),
        (watch(&nothing), FIRST_EVENT),
        (
            Answer::Body(churn, BodyEnd::Open),
            STATE_STALL + Duration::from_secs(1),
        ),
    ];
    for (answer, after) in cases {
        let run = run_streaming(
            SHORT,
            [
                answer,
                list(10, &[pod("a", 1, "1.1.1.1")]),
                watch(&[error(410)]),
                list(10, &[pod("a", 1, "1.1.1.1")]),
                watch(&[]),
            ],
        )
        .await;
        assert_eq!(run.times()[1], after);
        assert_eq!(
            run.shape()[1..],
            ["list", "watch after 10", "list", "watch after 10"]
        );
        assert!(run.status.synced);
    }
}

#[tokio::test(start_paused = true)]
async fn a_stream_that_breaks_off_removes_nothing_and_begins_anew() {
    let run = run_streaming(
        SHORT,
        [
            watch(&[
                added("a", 1, "1.1.1.1"),
                added("b", 2, "1.1.1.2"),
                state_end(10),
                error(410),
            ]),
            watch_until(BodyEnd::Cut, Duration::ZERO, &[added("c", 11, "1.1.1.3")]),
        ],
    )
    .await;
    assert_eq!(run.seen.names(), ["a", "b", "c"]);
    assert!(run.status.synced && run.status.problem.is_some());

    let cut = || watch_until(BodyEnd::Closed, Duration::ZERO, &[added("a", 1, "1.1.1.1")]);
    let run = run_streaming(
        SHORT,
        [
            cut(),
            cut(),
            watch(&[added("b", 11, "1.1.1.2"), state_end(12)]),
        ],
    )
    .await;
    assert_eq!(run.shape(), ["stream of \"\""; 3]);
    assert_eq!(
        run.seen.names(),
        ["b"],
        "what only a broken stream showed is gone"
    );

    let run = run_streaming(SHORT, [cut(), cut(), cut(), list(12, &[]), watch(&[])]).await;
    assert_eq!(run.shape()[3..], ["list", "watch after 12"]);
}

#[tokio::test(start_paused = true)]
async fn a_cache_that_lies_behind_is_asked_for_less() {
    let bounce = || Answer::Busy(Duration::from_secs(1));
    let run = run_streaming(SHORT, [bounce(), watch(&[state_end(10)])]).await;
    assert_eq!(run.shape(), ["stream of \"\"", "stream of \"0\""]);
    assert!(run.status.synced);

    let run = run_streaming(
        SHORT,
        [
            watch(&[state_end(10), bookmark(15), error(410)]),
            bounce(),
            watch(&[state_end(20)]),
        ],
    )
    .await;
    assert_eq!(
        run.shape(),
        ["stream of \"\"", "stream of \"\"", "stream of \"15\""]
    );
}

#[tokio::test(start_paused = true)]
async fn an_object_that_cannot_be_read_is_not_gone() {
    let known = || {
        watch(&[
            added("a", 1, "1.1.1.1"),
            added("b", 2, "1.1.1.2"),
            state_end(10),
            error(410),
        ])
    };
    let unreadable = json!({"metadata": {"namespace": "ns", "name": "b", "labels": 7}});
    let run = run_streaming(
        SHORT,
        [
            known(),
            watch(&[event("ADDED", &unreadable), state_end(20)]),
        ],
    );
    let run = run.await;
    assert_eq!(run.seen.names(), ["b"], "a was not shown, b was");

    for nameless in [
        json!(null),
        json!({}),
        json!(7),
        json!({"metadata": {"name": "a"}}),
    ] {
        let lines = [event("ADDED", &nameless), state_end(20)];
        let run = run_streaming(SHORT, [known(), watch(&lines)]).await;
        assert_eq!(run.seen.names(), ["a", "b"], "it could be any: {nameless}");
        assert_eq!(run.metrics.rejected_count("pod"), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_server_that_is_away_holds_no_turn() {
    let gate = gate();
    let taken = Arc::clone(&gate).acquire_owned().await.unwrap();
    let script = Arc::new(Script {
        answers: Mutex::new(VecDeque::from([Answer::Silence])),
        ..Script::default()
    });
    let api: Arc<dyn Api> = Arc::clone(&script) as Arc<dyn Api>;
    let kept = SharedKept::new(Seen::default());
    let metrics = KubernetesMetrics::default();
    let driver = Driver::new(
        api,
        Pod::default(),
        pods(),
        kept,
        Arc::clone(&gate),
        metrics,
    );
    let asked = async {
        while lock(&script.requests).is_empty() {
            tokio::task::yield_now().await;
        }
    };
    let stop = CancellationToken::new();
    let run = driver.run(stop.clone());
    tokio::join!(run, async {
        asked.await;
        drop(taken);
        assert!(gate.try_acquire().is_ok());
        stop.cancel();
    });
}
