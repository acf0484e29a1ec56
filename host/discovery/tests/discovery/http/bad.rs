//! What is no list: an error, and the old targets stay.

use std::time::Duration;

use periplus_config::HttpSection;

use super::server::{Reply, Server, gzip, json, list, reply};
use super::{Running, section};

const JSON: &str = "200 OK\r\ncontent-type: application/json";

fn packed(body: &[u8]) -> Reply {
    reply(&format!("{JSON}\r\ncontent-encoding: gzip"), body)
}

/// A body whose length is not told.
fn until_close(body: &[u8]) -> Reply {
    let mut bytes = format!("HTTP/1.1 {JSON}\r\nconnection: close\r\n\r\n").into_bytes();
    bytes.extend_from_slice(body);
    bytes
}

/// Answers each of these after a good list, which must stay, and waits for the reason.
async fn change_nothing(cases: Vec<(Reply, &str)>) {
    let server = Server::start(|_| json(&list(&["a:1"]))).await;
    let running = Running::start(HttpSection {
        body_size_limit: 1 << 20,
        refresh_interval: Duration::from_millis(200),
        ..section(&server.origin)
    });
    running.wait(&["a:1"]).await;
    for (bad, reason) in cases {
        server.replies(move |_| bad.clone());
        running.wait_error(reason).await;
        assert_eq!(running.addresses(), ["a:1"], "{reason}");
        assert!(running.error().contains(&server.origin), "{reason}");
    }
    server.replies(|_| json(&list(&["b:1"])));
    running.wait(&["b:1"]).await;
}

#[tokio::test]
async fn bodies_that_are_no_list() {
    let cases: [(&[u8], &str); 9] = [
        (b"", "no list of target groups: EOF"),
        (b"<html>", "no list of target groups: expected value"),
        (b"{}", "invalid type: map"),
        (br#"[{"targets": ["a:1"#, "EOF while parsing a string"),
        (b"[null]", "nil target group item found"),
        (br#"[{"targets": [1]}]"#, "invalid type: integer `1`"),
        (br#"[{"labels": {"a": 2}}]"#, "invalid type: integer `2`"),
        (
            br#"[{"labels": {"": ""}}]"#,
            "\"\" is not a valid label name",
        ),
        (br#"[{"hosts": []}]"#, "unknown field `hosts`"),
    ];
    change_nothing(cases.map(|(body, reason)| (json(body), reason)).into()).await;
}

#[tokio::test]
async fn answers_that_promise_no_list() {
    let text = "200 OK\r\ncontent-type: text/plain; charset=utf-8";
    let cases = [
        (
            text,
            "unsupported content type \"text/plain; charset=utf-8\"",
        ),
        ("200 OK", "unsupported content type \"\""),
        (
            "204 No Content",
            "server returned HTTP status 204 No Content",
        ),
        (
            "400 Bad Request",
            "server returned HTTP status 400 Bad Request",
        ),
        ("404 Not Found", "server returned HTTP status 404 Not Found"),
        ("799 Whatever", "server returned HTTP status 799"),
    ];
    change_nothing(
        cases
            .map(|(head, reason)| (reply(head, b"[]"), reason))
            .into(),
    )
    .await;
}

#[tokio::test]
async fn answers_that_are_too_long_or_broken() {
    let long = format!("[{}]", " ".repeat(2 << 20)).into_bytes();
    let bomb = gzip(&vec![b' '; 64 << 20]);
    let whole = gzip(&list(&["x:1"; 1000]));
    let cut_off = format!("HTTP/1.1 {JSON}\r\nconnection: close\r\ncontent-length: 99\r\n\r\n[]");
    let brotli = reply(&format!("{JSON}\r\ncontent-encoding: br"), b"[]");
    change_nothing(vec![
        (json(&long), "`body_size_limit`, 1048576 bytes"),
        (packed(b"[]"), "not valid gzip"),
        (until_close(&long), "`body_size_limit`"),
        (brotli, "encoded as `br`"),
        (packed(&bomb), "`body_size_limit`"),
        (packed(&whole[..whole.len() / 2]), "not valid gzip"),
        (cut_off.into_bytes(), "end of file before message length"),
        (b"connection: close\r\n\r\n".to_vec(), "invalid HTTP"),
    ])
    .await;
}

#[tokio::test]
async fn the_usual_bound_is_64_mebibytes() {
    let head = format!("HTTP/1.1 {JSON}\r\ncontent-length: 67108865\r\n\r\n[");
    let server = Server::start(move |_| head.clone().into_bytes()).await;
    let running = Running::start(section(&server.origin));
    running
        .wait_error("`body_size_limit`, 67108864 bytes; raise it if that is right")
        .await;
}
