//! Compressed lists.

use std::io::Read;

use crate::support::{Answer, Host, group, job};

/// The body behind the first and only gzip member.
pub(crate) fn unpacked(answer: &Answer) -> Vec<u8> {
    assert_eq!(answer.header("content-encoding"), "gzip");
    assert_eq!(
        answer.header("content-length"),
        answer.body.len().to_string()
    );
    let mut plain = Vec::new();
    let mut decoder = flate2::bufread::GzDecoder::new(&answer.body[..]);
    decoder.read_to_end(&mut plain).unwrap();
    assert!(decoder.into_inner().is_empty(), "more than one member");
    plain
}

async fn host() -> Host {
    let host = Host::start();
    host.serve(job("pods", &[]), &[group("a", &[("10.0.0.1:80", "east")])])
        .await;
    host
}

#[tokio::test]
async fn gzip_is_the_same_list() {
    let host = host().await;
    let plain = host.get("/sd/pods").await;
    assert_eq!(plain.header("content-encoding"), "");
    for accepted in [
        "gzip",
        "deflate, gzip;q=0.5",
        "*, identity;q=0",
        "gzip;q=0.1, identity;q=0",
    ] {
        let packed = host
            .get_with("/sd/pods", &[("accept-encoding", accepted)])
            .await;
        assert_eq!(unpacked(&packed), plain.body, "{accepted}");
        assert_eq!(packed.header("vary"), "accept-encoding");
        assert_eq!(packed.header("content-type"), "application/json");
    }
}

#[tokio::test]
async fn list_stays_plain_unless_gzip_is_asked_for() {
    let host = host().await;
    for accepted in [
        "",
        "identity",
        "*",
        "br",
        "gzip;q=0",
        "gzip;q=0.5, identity",
    ] {
        let answer = host
            .get_with("/sd/pods", &[("accept-encoding", accepted)])
            .await;
        assert_eq!(answer.header("content-encoding"), "", "{accepted}");
        assert_eq!(answer.json().as_array().unwrap().len(), 1, "{accepted}");
    }
}

#[tokio::test]
async fn reader_that_refuses_both_encodings_is_told() {
    let host = host().await;
    let answer = host
        .get_with("/sd/pods", &[("accept-encoding", "br, *;q=0")])
        .await;
    assert_eq!(answer.status, 406);
    assert_eq!(answer.header("vary"), "accept-encoding");
    assert_eq!(answer.json()["errorType"], "not_acceptable");
}

#[tokio::test]
async fn empty_lists_are_packed_too() {
    let host = host().await;
    host.apply([job("other", &[])]).await;
    host.deliver("other", &[]).await;
    host.until("other", |snapshot| snapshot.known).await;
    for path in ["/sd/pods", "/sd/other"] {
        let answer = host.get_with(path, &[("accept-encoding", "gzip")]).await;
        assert_eq!(unpacked(&answer), b"[]", "{path}");
    }
}
