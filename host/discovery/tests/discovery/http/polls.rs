//! What is asked, when, and what changes.

use std::time::Duration;

use periplus_config::{Authorization, HttpSection, Secret};
use periplus_discovery::ProviderState;

use super::server::{HANG_UP, Server, gzip, json, list, reply};
use super::{OFTEN, Running, section};

#[tokio::test]
async fn a_list_is_fetched_at_once_and_changes_arrive() {
    let server = Server::start(|_| json(&list(&["a:1", "b:1"]))).await;
    let url = format!("{}/sd?team=x", server.origin);
    let running = Running::start(section(&url));
    running.wait(&["a:1", "b:1"]).await;
    let groups = running.probe.groups();
    let (source, group) = groups.first_key_value().unwrap();
    assert_eq!(**source, format!("{url}:0"));
    assert_eq!(group.labels.get("__meta_url"), Some(url.as_str()));

    let first = &server.seen()[0];
    assert_eq!(first.path(), "/sd?team=x");
    assert_eq!(first.header("accept"), Some("application/json"));
    assert_eq!(first.header("accept-encoding"), Some("gzip"));
    assert_eq!(
        first.header("x-prometheus-refresh-interval-seconds"),
        Some("0.04")
    );
    assert!(first.header("user-agent").unwrap().starts_with("periplus/"));
    assert_eq!(first.header("if-none-match"), None);

    server.replies(|_| json(&list(&["c:1"])));
    running.wait(&["c:1"]).await;
    // Fewer groups, then none.
    server.replies(|_| json(br#"[{"targets": ["d:1"]}, {"targets": ["e:1"]}]"#));
    running.wait(&["d:1", "e:1"]).await;
    server.replies(|_| json(br#"[{"targets": ["d:1"]}]"#));
    running.wait(&["d:1"]).await;
    server.replies(|_| json(b"[]"));
    running.wait(&[]).await;
    assert_eq!(running.probe.status().state, ProviderState::Ready);
    assert_eq!(running.metric("prometheus_sd_http_failures_total"), 0);
    let took = r#"prometheus_sd_refresh_duration_histogram_seconds_count{mechanism="http"}"#;
    assert!(running.metric(took) >= 5);
}

#[tokio::test]
async fn who_wants_a_list_now_has_it_before_it_is_due() {
    let server = Server::start(|_| json(&list(&["a:1"]))).await;
    let mut section = section(&server.origin);
    section.refresh_interval = Duration::from_hours(1);
    let running = Running::start(section);
    running.wait(&["a:1"]).await;
    server.replies(|_| json(&list(&["b:1"])));
    assert!(running.probe.ask());
    running.wait(&["b:1"]).await;
    let next = running.probe.status().next_refresh;
    assert!(next.is_none_or(|at| at > std::time::SystemTime::now() + Duration::from_mins(50)));
}

#[tokio::test]
async fn one_connection_serves_all_requests() {
    let server = Server::start(|_| json(b"[]")).await;
    let _running = Running::start(section(&server.origin));
    server.more(5).await;
    assert!(server.seen().iter().all(|seen| seen.connection == 0));
}

#[tokio::test]
async fn a_connection_that_the_server_closes_while_idle_is_no_failure() {
    let mut last = None;
    // It takes a second request over a connection and hangs up.
    let server = Server::start(move |seen| {
        if last.replace(seen.connection) == Some(seen.connection) {
            return HANG_UP.to_vec();
        }
        json(b"[]")
    })
    .await;
    let running = Running::start(section(&server.origin));
    server.more(9).await;
    running.wait(&[]).await;
    assert_eq!(running.metric("prometheus_sd_http_failures_total"), 0);
}

#[tokio::test]
async fn a_server_that_always_hangs_up_has_failed() {
    let server = Server::start(|_| HANG_UP.to_vec()).await;
    let running = Running::start(HttpSection {
        refresh_interval: Duration::from_mins(10),
        ..section(&server.origin)
    });
    running.wait_error("the exchange failed").await;
    // One over a new connection is not sent again at once.
    let seen = server.seen();
    assert_eq!(seen.len(), 1, "{seen:?}");
}

#[tokio::test]
async fn an_unchanged_list_costs_an_answer_without_a_body() {
    let server = Server::start(|seen| match seen.header("if-none-match") {
        Some(r#"W/"one""#) => reply("304 Not Modified", b""),
        Some(other) => panic!("asked for {other}"),
        None => reply(
            "200 OK\r\ncontent-type: application/json\r\netag: W/\"one\"",
            &list(&["a:1"]),
        ),
    })
    .await;
    let running = Running::start(section(&server.origin));
    running.wait(&["a:1"]).await;
    server.more(3).await;
    assert_eq!(running.probe.status().state, ProviderState::Ready);
    running.wait(&["a:1"]).await;
    // The tag belongs to the last list that was understood.
    server.replies(|_| {
        reply(
            "200 OK\r\ncontent-type: application/json\r\netag: \"two\"",
            b"nonsense",
        )
    });
    running.wait_error("no list of target groups").await;
    server.more(2).await;
    let last = server.seen().pop().unwrap();
    assert_eq!(last.header("if-none-match"), Some("W/\"one\""));
    running.wait(&["a:1"]).await;
    server.replies(|_| {
        reply(
            "200 OK\r\ncontent-type: application/json\r\netag: \"three\"",
            &list(&["b:1"]),
        )
    });
    running.wait(&["b:1"]).await;
    server.more(1).await;
    let last = server.seen().pop().unwrap();
    assert_eq!(last.header("if-none-match"), Some("\"three\""));
}

#[tokio::test]
async fn a_not_modified_that_nobody_asked_for_is_no_list() {
    let server = Server::start(|_| reply("304 Not Modified", b"")).await;
    let running = Running::start(section(&server.origin));
    running.wait_error("304 Not Modified").await;
    assert!(!running.probe.status().synced);
}

#[tokio::test]
async fn gzip_is_undone() {
    let body = gzip(&list(&["a:1"]));
    let server = Server::start(move |_| {
        let head = "200 OK\r\ncontent-type: application/json\r\ncontent-encoding: gzip";
        reply(head, &body)
    })
    .await;
    Running::start(section(&server.origin)).wait(&["a:1"]).await;
}

#[tokio::test]
async fn a_failed_request_is_repeated_within_the_interval() {
    let mut asked = 0;
    let server = Server::start(move |_| {
        asked += 1;
        match asked {
            1 => reply("503 Service Unavailable", b""),
            2 => reply("429 Too Many Requests\r\nretry-after: 0", b""),
            _ => json(&list(&["a:1"])),
        }
    })
    .await;
    let running = Running::start(HttpSection {
        // Nothing but repetitions comes to an end in this test: the first after 100 ms.
        refresh_interval: Duration::from_mins(10),
        ..section(&server.origin)
    });
    running.wait(&["a:1"]).await;
    assert_eq!(server.seen().len(), 3);
    assert_eq!(running.metric("prometheus_sd_http_failures_total"), 2);
    let failures = r#"prometheus_sd_refresh_failures_total{mechanism="http"}"#;
    assert_eq!(running.metric(failures), 2);
    assert_eq!(running.error(), "");
}

#[tokio::test]
async fn an_answer_that_never_comes_is_given_up_after_the_interval() {
    let server = Server::start(|_| json(&list(&["a:1"]))).await;
    let running = Running::start(section(&server.origin));
    running.wait(&["a:1"]).await;
    server.replies(|_| Vec::new());
    running.wait_error("no complete answer within 40ms").await;
    server.more(2).await;
    running.wait(&["a:1"]).await;
    server.replies(|_| json(&list(&["b:1"])));
    running.wait(&["b:1"]).await;
}

#[tokio::test]
async fn a_server_that_trickles_is_given_up_too() {
    // The head of an answer, and never the rest.
    let server = Server::start(|_| {
        b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 9\r\n\r\n[".to_vec()
    })
    .await;
    let running = Running::start(section(&server.origin));
    running.wait_error("no complete answer within 40ms").await;
    assert!(!running.probe.status().synced);
}

#[tokio::test]
async fn credentials_of_the_url_are_sent_and_shown_nowhere() {
    let server = Server::start(|_| json(&list(&["a:1"]))).await;
    let url = server.origin.replace("http://", "http://user:hunter2@") + "/sd?token=hunter3";
    let mut with_both = section(&url);
    // What the URL says goes first, as upstream.
    with_both.http.authorization = Some(Authorization {
        kind: "Bearer".to_owned(),
        credentials: Secret::new("other"),
        credentials_file: None,
    });
    let running = Running::start(with_both);
    running.wait(&["a:1"]).await;
    let seen = &server.seen()[0];
    assert_eq!(
        seen.head.matches("uthorization:").count(),
        1,
        "{}",
        seen.head
    );
    assert_eq!(seen.header("authorization"), Some("Basic dXNlcjpodW50ZXIy"));
    let groups = running.probe.groups();
    let bare = format!("{}/sd?token=hunter3", server.origin);
    let (source, group) = groups.first_key_value().unwrap();
    assert_eq!(**source, format!("{bare}:0"));
    assert_eq!(group.labels.get("__meta_url"), Some(bare.as_str()));

    server.replies(|_| reply("500 Oops", b"hunter2"));
    running.wait_error("500 Internal Server Error").await;
    let error = running.error();
    assert!(
        error.contains(&format!("`{}/sd`: server returned", server.origin)),
        "{error}"
    );
    assert!(!error.contains("hunter"), "{error}");
}

#[tokio::test]
async fn redirects_are_followed_and_take_credentials_to_the_same_host_alone() {
    let server = Server::start(|_| json(&list(&["a:1"]))).await;
    let moved = format!("{}/there", server.origin);
    let elsewhere = moved.replace("127.0.0.1", "localhost");
    let (to_same, to_other) = (moved.clone(), elsewhere.clone());
    let first = Server::start(move |seen| {
        let to = if seen.path() == "/same" {
            &to_same
        } else {
            &to_other
        };
        reply(&format!("302 Found\r\nlocation: {to}"), b"")
    })
    .await;
    for (path, credentials) in [("same", Some("Bearer s3cret")), ("other", None)] {
        let mut section = section(&format!("{}/{path}", first.origin));
        section.http.authorization = Some(Authorization {
            kind: "Bearer".to_owned(),
            credentials: Secret::new("s3cret"),
            credentials_file: None,
        });
        let running = Running::start(section);
        running.wait(&["a:1"]).await;
        let last = server.seen().pop().unwrap();
        assert_eq!(last.path(), "/there");
        assert_eq!(last.header("authorization"), credentials, "{path}");
        assert_eq!(last.header("accept"), Some("application/json"));
    }
    let mut section = section(&first.origin);
    section.http.follow_redirects = false;
    Running::start(section).wait_error("302 Found").await;
}

#[tokio::test]
async fn a_redirect_to_a_metadata_service_is_refused() {
    let server =
        Server::start(|_| reply("302 Found\r\nlocation: http://169.254.169.254/latest", b"")).await;
    let running = Running::start(section(&server.origin));
    running.wait_error("link-local or metadata service").await;
}

#[tokio::test]
async fn a_server_that_is_not_there_takes_nothing_away() {
    let server = Server::start(|_| {
        reply(
            "200 OK\r\ncontent-type: application/json\r\nconnection: close",
            &list(&["a:1"]),
        )
    })
    .await;
    let running = Running::start(section(&server.origin));
    running.wait(&["a:1"]).await;

    let nobody = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let origin = format!("http://{}", nobody.local_addr().unwrap());
    drop(nobody);
    let running = Running::start(section(&origin));
    running.wait_error("refused").await;
    let status = running.probe.status();
    assert!(status.waiting_for.unwrap().contains(&origin));
    assert!(!status.synced);
}

#[tokio::test]
async fn settings_that_can_never_work_are_refused_at_once() {
    let mut bad = section("https://h");
    bad.http.tls.has_refs = true;
    let error = Running::try_start(bad).err().unwrap();
    assert_eq!(error, "cannot use secret ref without manager");
    assert!(OFTEN > Duration::ZERO);
}
