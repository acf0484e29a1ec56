//! Every edge of the state machine.

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

fn watching(version: &str, fruitless: u32) -> State {
    State::Watching(Watching {
        resource_version: version.to_owned(),
        fruitless,
    })
}

fn listing(token: &str) -> State {
    State::start().step(page("1", Some(token))).state
}

#[test]
fn a_list_goes_page_by_page_to_a_watch() {
    let step = State::start().step(page("7", Some("a")));
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
    let mut state = State::start();
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
    assert_eq!(step.state, State::start());
    assert_eq!(step.pause, Pause::Failure);
    assert!(step.problem.is_some());
}

#[test]
fn a_list_without_a_version_is_no_list() {
    for version in ["", "0"] {
        let step = State::start().step(page(version, None));
        assert_eq!(step.state, State::start());
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
        assert_eq!(step.state, State::start());
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
        message: "Too large resource version: 9, current: 3".to_owned(),
        ..Refusal::default()
    });
    for error in [refused(400), refused(404), refused(422), too_new] {
        let step = watching("9", 0).step(ended("9", false, WatchEnd::NotOpened(error)));
        assert_eq!(step.state, State::start());
        assert_eq!(step.pause, Pause::Failure);
    }
    let step = watching("9", 0).step(ended("9", false, WatchEnd::Rewound));
    assert_eq!(step.state, State::start());
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
        assert_eq!(step.state, State::start());
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
    assert_eq!(
        State::start().step(Outcome::PageFailed(busy())).pause,
        pause
    );
    for end in [WatchEnd::NotOpened(busy()), WatchEnd::ErrorEvent(busy())] {
        assert_eq!(watching("7", 0).step(ended("7", false, end)).pause, pause);
    }
}
