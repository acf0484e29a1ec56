//! Lists: pages, replacement, expiry.

use super::*;

#[tokio::test(start_paused = true)]
async fn pages_are_read_until_the_last_and_then_watched_from() {
    let run = run_for(
        SHORT,
        [
            page(10, "t1", &[pod("a", 1, "1.1.1.1"), pod("b", 2, "1.1.1.2")]),
            page(10, "t2", &[pod("c", 3, "1.1.1.3")]),
            page(10, "", &[pod("d", 4, "1.1.1.4")]),
            watch(&[]),
        ],
    )
    .await;
    assert_eq!(
        run.shape(),
        ["list", "list after t1", "list after t2", "watch after 10"]
    );
    assert_eq!(run.seen.names(), ["a", "b", "c", "d"]);
    assert!(run.status.synced);
    assert_eq!(run.metrics.count("pod", EventKind::Add), 4);
    assert_eq!(run.metrics.failure_count(), 0);
    let Call::List { limit, .. } = &run.calls()[0] else {
        panic!()
    };
    assert_eq!(*limit, Some(500));
}

#[tokio::test(start_paused = true)]
async fn nothing_is_synced_before_the_last_page() {
    let run = run_for(
        SHORT,
        [
            page(10, "t1", &[pod("a", 1, "1.1.1.1")]),
            Answer::Refused(500),
        ],
    )
    .await;
    assert_eq!(run.seen.names(), ["a"]);
    assert!(!run.status.synced);
    let waiting = run.status.problem.unwrap();
    assert!(
        waiting.starts_with("500 Internal Server Error"),
        "{waiting}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_list_replaces_what_was_known_and_touches_only_what_differs() {
    let run = run_for(
        SHORT,
        [
            list(
                10,
                &[
                    pod("same", 1, "1.1.1.1"),
                    pod("other", 2, "1.1.1.2"),
                    pod("gone", 3, "1.1.1.3"),
                ],
            ),
            watch(&[error(410)]),
            list(
                20,
                &[
                    pod("same", 11, "1.1.1.1"),
                    pod("other", 12, "9.9.9.9"),
                    pod("new", 13, "1.1.1.4"),
                ],
            ),
            watch(&[]),
        ],
    )
    .await;
    assert_eq!(
        run.shape(),
        ["list", "watch after 10", "list", "watch after 20"]
    );
    assert_eq!(run.seen.names(), ["new", "other", "same"]);
    let told = run.seen.told();
    assert_eq!(told[3..], ["+pod/ns/other", "+pod/ns/new", "-pod/ns/gone"]);
    assert!(
        run.times()[2] < Duration::from_millis(10),
        "the first expiry costs no wait"
    );
    assert_eq!(run.metrics.failure_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn an_expired_page_begins_the_list_anew() {
    let run = run_for(
        SHORT,
        [
            page(
                10,
                "t1",
                &[pod("a", 1, "1.1.1.1"), pod("gone meanwhile", 2, "1.1.1.2")],
            ),
            Answer::Refused(410),
            page(20, "t2", &[pod("a", 1, "1.1.1.1")]),
            page(20, "", &[pod("b", 15, "1.1.1.3")]),
            watch(&[]),
        ],
    )
    .await;
    assert_eq!(
        run.shape(),
        [
            "list",
            "list after t1",
            "list",
            "list after t2",
            "watch after 20"
        ]
    );
    assert_eq!(run.seen.names(), ["a", "b"]);
}

#[tokio::test(start_paused = true)]
async fn pages_that_always_expire_end_in_one_whole_list() {
    let mut answers = Vec::new();
    for _ in 0..3 {
        answers.push(page(10, "t", &[pod("a", 1, "1.1.1.1")]));
        answers.push(Answer::Refused(410));
    }
    answers.push(list(20, &[pod("b", 1, "1.1.1.1")]));
    answers.push(watch(&[]));
    let run = run_for(SHORT, answers).await;
    assert_eq!(run.shape()[6..], ["list whole", "watch after 20"]);
    assert_eq!(run.seen.names(), ["b"]);
}

#[tokio::test(start_paused = true)]
async fn a_page_that_is_cut_is_asked_for_again_and_nothing_is_lost() {
    let text = list_text("10", "", &[pod("a", 1, "1.1.1.1"), pod("b", 2, "1.1.1.2")]);
    for cut in [1, 30, text.len() / 2, text.len() - 1] {
        for end in [BodyEnd::Cut, BodyEnd::Closed] {
            let run = run_for(
                SHORT,
                [
                    Answer::Body(vec![(Duration::ZERO, text[..cut].to_owned())], end),
                    list(10, &[pod("a", 1, "1.1.1.1"), pod("b", 2, "1.1.1.2")]),
                    watch(&[]),
                ],
            )
            .await;
            assert_eq!(run.seen.names(), ["a", "b"], "cut at {cut}");
            assert!(run.status.synced);
            assert_eq!(run.metrics.failure_count(), 1);
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_relist_that_fails_removes_nothing() {
    let text = list_text("20", "", &[pod("a", 11, "1.1.1.1")]);
    for failure in [
        Answer::Refused(500),
        Answer::Refused(403),
        Answer::Unreachable,
        Answer::Silence,
        whole(String::new()),
        whole("{}".to_owned()),
        whole("<html>".to_owned()),
        whole(r#"{"kind":"PodList","metadata":{"resourceVersion":""},"items":[]}"#.to_owned()),
        whole(r#"{"kind":"PodList","metadata":{"resourceVersion":"20"},"items":7}"#.to_owned()),
        Answer::Body(
            vec![(Duration::ZERO, text[..text.len() - 2].to_owned())],
            BodyEnd::Cut,
        ),
        Answer::Body(vec![(Duration::ZERO, text)], BodyEnd::Open),
    ] {
        let run = run_for(
            Duration::from_secs(31),
            [
                list(10, &[pod("a", 1, "1.1.1.1"), pod("b", 2, "1.1.1.2")]),
                watch(&[error(410)]),
                failure.clone(),
            ],
        )
        .await;
        assert_eq!(run.seen.names(), ["a", "b"], "{failure:?}");
        assert!(run.status.synced);
        assert!(run.status.problem.is_some(), "{failure:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_page_that_stalls_is_given_up() {
    let text = list_text("10", "", &[pod("a", 1, "1.1.1.1")]);
    let run = run_for(
        Duration::from_mins(2),
        [
            Answer::Body(vec![(Duration::ZERO, text[..40].to_owned())], BodyEnd::Open),
            list(10, &[pod("a", 1, "1.1.1.1")]),
            watch(&[]),
        ],
    )
    .await;
    assert_eq!(run.seen.names(), ["a"]);
    assert!(run.times()[1] >= PAGE_STALL);
}

#[tokio::test(start_paused = true)]
async fn a_slow_page_is_read_to_its_end() {
    let text = list_text("10", "", &[pod("a", 1, "1.1.1.1"), pod("b", 2, "1.1.1.2")]);
    let pieces = text
        .as_bytes()
        .chunks(16)
        .map(|piece| {
            (
                Duration::from_secs(20),
                String::from_utf8(piece.to_vec()).unwrap(),
            )
        })
        .collect();
    let run = run_for(
        Duration::from_hours(1),
        [Answer::Body(pieces, BodyEnd::Closed), watch(&[])],
    )
    .await;
    assert_eq!(run.seen.names(), ["a", "b"]);
    assert_eq!(run.metrics.failure_count(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_bad_object_is_skipped_and_what_is_known_of_it_stays() {
    let bad = json!({"metadata": {"namespace": "ns", "name": "b", "labels": {"x": 7}}});
    let run = run_for(
        SHORT,
        [
            list(
                10,
                &[
                    pod("a", 1, "1.1.1.1"),
                    pod("b", 2, "1.1.1.2"),
                    pod("c", 3, "1.1.1.3"),
                ],
            ),
            watch(&[error(410)]),
            list(20, &[bad.clone(), pod("a", 11, "1.1.1.1"), bad]),
            watch(&[]),
        ],
    )
    .await;
    assert_eq!(
        run.seen.names(),
        ["a", "b"],
        "c is gone, b is only unreadable"
    );
    assert_eq!(run.metrics.rejected_count("pod"), 2);
    assert!(run.status.synced && run.status.problem.is_none());
}

#[tokio::test(start_paused = true)]
async fn an_object_without_a_name_could_be_any_so_none_is_removed() {
    for bad in [
        json!(null),
        json!(7),
        json!({}),
        json!({"metadata": {"name": "a"}}),
        json!("x"),
    ] {
        let run = run_for(
            SHORT,
            [
                list(10, &[pod("a", 1, "1.1.1.1"), pod("b", 2, "1.1.1.2")]),
                watch(&[error(410)]),
                list(20, &[pod("a", 11, "9.9.9.9"), bad.clone()]),
                watch(&[event("DELETED", &pod("b", 21, "1.1.1.2"))]),
            ],
        )
        .await;
        let told = run.seen.told();
        assert_eq!(told[2..], ["+pod/ns/a", "-pod/ns/b"], "{bad}");
        assert_eq!(run.metrics.rejected_count("pod"), 1);
    }
}

#[tokio::test(start_paused = true)]
async fn a_body_that_never_ends_is_given_up() {
    let item = pod("a", 1, "1.1.1.1");
    let begin = format!("{{\"items\":[{item}");
    let mut pieces = vec![(Duration::ZERO, begin)];
    pieces.extend((0..200).map(|_| (Duration::from_secs(20), format!(",{item}"))));
    let run = run_for(
        PAGE_TIME + Duration::from_secs(30),
        [
            Answer::Body(pieces, BodyEnd::Open),
            list(10, &[item]),
            watch(&[]),
        ],
    )
    .await;
    assert_eq!(run.shape(), ["list", "list", "watch after 10"]);
    assert!(run.times()[1] >= PAGE_TIME);
    assert!(run.status.synced);
}

#[tokio::test(start_paused = true)]
async fn who_may_list_and_not_watch_is_not_synced() {
    for (answers, synced) in [
        (vec![list(10, &[]), Answer::Refused(403)], false),
        (vec![list(10, &[]), Answer::Refused(500)], true),
        (vec![list(10, &[]), Answer::Refused(403), watch(&[])], true),
    ] {
        let run = run_for(SHORT, answers).await;
        assert_eq!(run.status.synced, synced, "{:?}", run.shape());
    }
}
