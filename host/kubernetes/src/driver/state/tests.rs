//! Every edge of the state machine.

use super::listing::{MOST_PAGES, PAGE_ATTEMPTS, PAGE_SIZE, PAGED_ATTEMPTS, PATCHES};
use super::streaming::STREAM_ATTEMPTS;
use super::watching::FRUITLESS_WATCHES;
use super::*;
use crate::api::error::Refusal;

fn refused(code: u16) -> ApiError {
    ApiError::Refused(Refusal {
        code,
        ..Refusal::default()
    })
}

fn expired() -> ApiError {
    refused(410)
}

fn broken() -> ApiError {
    ApiError::Transport("connection reset".to_owned())
}

fn page(version: &str, token: Option<&str>) -> Outcome {
    Outcome::Page(ListEnd {
        resource_version: version.to_owned(),
        continue_token: token.map(str::to_owned),
    })
}

fn ended(version: &str, fruitful: bool, end: WatchEnd) -> Outcome {
    Outcome::WatchEnded {
        resource_version: version.to_owned(),
        fruitful,
        end,
    }
}

/// A watch that has failed so often since this version.
fn watching(version: &str, fruitless: u32) -> State {
    let mut state = State::Watching(Watching::new(version.to_owned(), false));
    for _ in 0..fruitless {
        let end = WatchEnd::Broken(broken());
        state = state.step(ended(version, false, end)).state;
    }
    state
}

fn first_page() -> State {
    State::Listing(Listing::default())
}

fn listing(token: &str) -> State {
    first_page().step(page("1", Some(token))).state
}

fn stream_ended(end: WatchEnd) -> Outcome {
    Outcome::StreamEnded(end)
}

/// What a stream that follows is asked for.
fn not_older_than(state: &State) -> Option<&str> {
    match state {
        State::Streaming(streaming) => Some(streaming.not_older_than()),
        _ => None,
    }
}

#[test]
fn a_list_goes_page_by_page_to_a_watch() {
    let step = first_page().step(page("7", Some("a")));
    assert_eq!(step.pause, Pause::None);
    assert!(step.complete.is_none() && step.problem.is_none());
    let State::Listing(next) = &step.state else {
        panic!("{step:?}")
    };
    assert_eq!(next.continue_token.as_deref(), Some("a"));
    assert_eq!(next.limit(), Some(PAGE_SIZE));
    assert!(!next.begins());

    let step = step.state.step(page("7", None));
    assert_eq!(step.state, watching("7", 0));
    assert_eq!(step.complete.as_deref(), Some("7"));
}

#[test]
fn a_page_that_fails_is_asked_for_again() {
    let step = listing("a").step(Outcome::PageFailed(broken()));
    assert_eq!(step.pause, Pause::Failure);
    assert_eq!(step.problem, Some("connection reset".into()));
    let State::Listing(again) = step.state else {
        panic!()
    };
    assert_eq!(again.continue_token.as_deref(), Some("a"));
}

#[test]
fn a_page_that_always_fails_begins_the_list_anew() {
    let mut state = listing("a");
    for _ in 0..PAGE_ATTEMPTS {
        state = state.step(Outcome::PageFailed(refused(500))).state;
    }
    let State::Listing(listing) = state else {
        panic!()
    };
    assert!(listing.begins());
}

#[test]
fn an_expired_page_begins_the_list_anew_and_at_last_without_pages() {
    let mut state = first_page();
    for attempt in 1.. {
        let State::Listing(listing) = &state else {
            panic!()
        };
        assert!(listing.begins());
        if listing.limit().is_none() {
            assert_eq!(attempt, PAGED_ATTEMPTS + 2);
            break;
        }
        let paged = state.step(page("7", Some("a"))).state;
        let step = paged.step(Outcome::PageFailed(expired()));
        assert_eq!(step.pause, Pause::Surprise);
        assert_eq!(step.problem, None);
        state = step.state;
    }
}

#[test]
fn a_server_that_continues_where_it_was_is_not_followed_for_ever() {
    let step = listing("a").step(page("7", Some("a")));
    assert_eq!(step.state, first_page());
    assert_eq!(step.pause, Pause::Failure);
    assert!(step.problem.is_some());
}

#[test]
fn a_list_without_a_version_is_no_list() {
    for version in ["", "0"] {
        let step = first_page().step(page(version, None));
        assert_eq!(step.state, first_page());
        assert_eq!(step.complete, None);
        assert_eq!(
            step.problem,
            Some("the list has no resource version".into())
        );
    }
}

#[test]
fn a_watch_goes_on_from_its_last_event() {
    for end in [WatchEnd::Closed, WatchEnd::Silent] {
        let step = watching("7", 2).step(ended("9", true, end));
        assert_eq!(step.state, watching("9", 0));
        assert_eq!(step.pause, Pause::None);
        assert_eq!(step.problem, None);
    }
    let step = watching("7", 0).step(ended("9", true, WatchEnd::Broken(broken())));
    assert_eq!(step.state, watching("9", 1));
    assert_eq!(step.pause, Pause::Surprise);
}

#[test]
fn an_expired_version_is_listed_again_without_a_problem() {
    for end in [
        WatchEnd::NotOpened(expired()),
        WatchEnd::ErrorEvent(expired()),
    ] {
        let step = watching("7", 0).step(ended("7", false, end));
        assert_eq!(step.state, State::start("7"));
        assert_eq!(step.pause, Pause::Surprise);
        assert_eq!(step.problem, None);
    }
}

#[test]
fn a_server_that_is_away_costs_no_list_however_long() {
    for error in [
        || refused(429),
        || refused(503),
        || refused(403),
        || refused(401),
        broken,
    ] {
        let mut state = watching("7", 0);
        for _ in 0..20 {
            let step = state.step(ended("7", false, WatchEnd::NotOpened(error())));
            assert_eq!(step.pause, Pause::Failure);
            assert!(step.problem.is_some());
            state = step.state;
        }
        assert_eq!(state, watching("7", 0));
    }
}

#[test]
fn a_version_that_the_server_does_not_take_is_listed_again() {
    let too_new = ApiError::Refused(Refusal {
        code: 504,
        message: "Timeout: Too large resource version: 9, current: 3".to_owned(),
        ..Refusal::default()
    });
    for error in [refused(400), refused(404), refused(422), too_new] {
        let step = watching("9", 0).step(ended("9", false, WatchEnd::NotOpened(error)));
        assert_eq!(step.state, State::start(""));
        assert_eq!(step.pause, Pause::Failure);
    }
    let step = watching("9", 0).step(ended("9", false, WatchEnd::Rewound));
    assert_eq!(step.state, State::start(""));
}

#[test]
fn watches_that_fail_without_an_event_end_in_a_list() {
    let ends: [fn() -> WatchEnd; 3] = [
        || WatchEnd::ClosedAtOnce,
        || WatchEnd::Broken(broken()),
        || WatchEnd::ErrorEvent(refused(500)),
    ];
    for end in ends {
        let mut state = watching("7", 0);
        for _ in 1..FRUITLESS_WATCHES {
            state = state.step(ended("7", false, end())).state;
            assert!(matches!(state, State::Watching(_)));
        }
        let step = state.clone().step(ended("7", false, end()));
        assert_eq!(step.state, State::start("7"));
        // One event in between, and the count begins anew.
        let step = state.step(ended("8", true, end()));
        assert_eq!(step.state, watching("8", 1));
    }
}

#[test]
fn the_server_says_how_long_to_wait() {
    let busy = || {
        ApiError::Refused(Refusal {
            code: 429,
            retry_after: Some(Duration::from_secs(7)),
            ..Refusal::default()
        })
    };
    let pause = Pause::AtLeast(Duration::from_secs(7));
    assert_eq!(first_page().step(Outcome::PageFailed(busy())).pause, pause);
    for end in [WatchEnd::NotOpened(busy()), WatchEnd::ErrorEvent(busy())] {
        assert_eq!(watching("7", 0).step(ended("7", false, end)).pause, pause);
    }
}

#[test]
fn a_page_token_that_expired_is_replaced_by_the_one_that_the_server_gives() {
    let gone = |token: &str| {
        Outcome::PageFailed(ApiError::Refused(Refusal {
            code: 410,
            continue_token: Some(token.to_owned()),
            ..Refusal::default()
        }))
    };
    let step = listing("a").step(gone("b"));
    assert_eq!(step.pause, Pause::Surprise);
    assert_eq!(step.problem, None);
    let State::Listing(next) = &step.state else {
        panic!("{step:?}")
    };
    assert_eq!(next.continue_token.as_deref(), Some("b"));
    let last = step.state.step(page("9", None));
    assert_eq!(
        last.complete.as_deref(),
        Some("1"),
        "what the first page shows"
    );

    // Should even that version be too old already, pages are too slow.
    let step = last
        .state
        .clone()
        .step(ended("1", false, WatchEnd::NotOpened(expired())));
    let State::Listing(whole) = &step.state else {
        panic!("{step:?}")
    };
    assert_eq!(whole.limit(), None);
    let step = last
        .state
        .step(ended("2", true, WatchEnd::ErrorEvent(expired())));
    assert_eq!(step.state, State::start("2"));

    // No loop: neither by the same token nor by ever new ones.
    let step = listing("a").step(gone("a"));
    assert!(matches!(step.state, State::Listing(listing) if listing.begins()));
    let mut state = listing("a");
    for patch in 0..=PATCHES {
        assert!(
            matches!(&state, State::Listing(listing) if !listing.begins()),
            "{patch}"
        );
        state = state.step(gone(&format!("token {patch}"))).state;
    }
    assert!(matches!(state, State::Listing(listing) if listing.begins()));
}

#[test]
fn a_list_that_never_ends_is_given_up() {
    let mut state = first_page();
    for number in 1..MOST_PAGES {
        let step = state.step(page("7", Some(&number.to_string())));
        assert_eq!(step.problem, None);
        state = step.state;
    }
    let step = state.step(page("7", Some("one more")));
    assert_eq!(step.problem, Some("the list does not end".into()));
    assert_eq!((step.state, step.pause), (first_page(), Pause::Failure));
}

#[test]
fn a_watch_goes_on_from_the_first_page() {
    let step = listing("a").step(page("5", None));
    assert_eq!(step.state, watching("1", 0));
}

#[test]
fn a_streamed_state_becomes_a_watch() {
    let step = State::start("3").step(Outcome::Streamed("7".to_owned()));
    assert_eq!((step.state, step.pause), (watching("7", 0), Pause::None));
    assert!(step.problem.is_none() && step.complete.is_none() && !step.lists_only);
    for version in ["", "0"] {
        let step = State::start("3").step(Outcome::Streamed(version.to_owned()));
        assert_eq!(step.state, first_page());
        assert!(step.problem.is_some());
    }
}

#[test]
fn what_is_not_streamed_is_listed() {
    let step = State::start("").step(Outcome::NotStreamed);
    assert_eq!((step.state, step.pause), (first_page(), Pause::None));
    assert!(!step.lists_only, "that is known already");
    for code in [400, 404, 405, 406, 415, 422] {
        for end in [
            WatchEnd::NotOpened(refused(code)),
            WatchEnd::ErrorEvent(refused(code)),
        ] {
            let step = State::start("").step(stream_ended(end));
            assert_eq!((step.state, step.pause), (first_page(), Pause::None));
            assert!(step.lists_only && step.problem.is_none(), "{code}");
        }
    }
    for end in [WatchEnd::Endless, WatchEnd::Silent] {
        let step = State::start("").step(stream_ended(end));
        assert_eq!(step.state, first_page());
        assert!(step.lists_only);
    }
    let step = State::start("").step(stream_ended(WatchEnd::NotOpened(refused(403))));
    assert_eq!(step.state, first_page());
    assert!(!step.lists_only, "a permission can be given at any time");
}

#[test]
fn a_state_that_the_server_cannot_show_yet_is_asked_for_less_strictly() {
    for (known, second) in [("", "0"), ("7", "7")] {
        let state = State::start(known);
        assert_eq!(not_older_than(&state), Some(""));
        let step = state.step(stream_ended(WatchEnd::NotOpened(refused(429))));
        assert_eq!(not_older_than(&step.state), Some(second));
        assert_eq!(step.pause, Pause::Failure);
        // A version that means nothing to this server is forgotten.
        let step = step
            .state
            .step(stream_ended(WatchEnd::NotOpened(expired())));
        assert_eq!(not_older_than(&step.state), Some(""));
    }
}

#[test]
fn streams_that_fail_again_and_again_end_in_a_list_for_this_time() {
    let ends: [fn() -> WatchEnd; 6] = [
        || WatchEnd::NotOpened(refused(429)),
        || WatchEnd::NotOpened(refused(500)),
        || WatchEnd::ErrorEvent(refused(504)),
        || WatchEnd::Broken(broken()),
        || WatchEnd::Closed,
        || WatchEnd::NotOpened(expired()),
    ];
    for end in ends {
        let mut state = State::start("7");
        for attempt in 1..=STREAM_ATTEMPTS {
            assert!(
                matches!(state, State::Streaming(_)),
                "{attempt}: {:?}",
                end()
            );
            let step = state.step(stream_ended(end()));
            assert_ne!(step.pause, Pause::None, "{:?}", end());
            assert!(!step.lists_only && step.problem.is_some());
            state = step.state;
        }
        assert_eq!(state, first_page());
    }
}

#[test]
fn a_server_that_is_away_is_not_taken_for_one_that_does_not_stream() {
    for error in [broken, || refused(401)] {
        let mut state = State::start("7");
        for _ in 0..20 {
            let step = state.step(stream_ended(WatchEnd::NotOpened(error())));
            assert_eq!(step.pause, Pause::Failure);
            assert!(step.problem.is_some());
            state = step.state;
        }
        assert_eq!(state, State::start("7"));
    }
}
