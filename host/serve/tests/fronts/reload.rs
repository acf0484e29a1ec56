//! `POST /-/reload`.

use crate::support::{Answer, Host};

const LOCAL: (&str, &str) = ("host", "127.0.0.1:9099");

/// Asks for a reload and lets it end like this.
async fn reload(host: &mut Host, method: &str, outcome: Result<(), String>) -> Answer {
    let mut reloads = std::mem::replace(&mut host.reloads, tokio::sync::mpsc::channel(1).1);
    let owner = async {
        let request = reloads.recv().await.expect("no request came");
        request.answer.send(outcome).expect("nobody waits");
    };
    let (answer, ()) = tokio::join!(host.ask_admin(method, "/-/reload", &[LOCAL]), owner);
    host.reloads = reloads;
    answer
}

#[tokio::test]
async fn good_reload_is_200() {
    let mut host = Host::start();
    for method in ["POST", "PUT"] {
        let answer = reload(&mut host, method, Ok(())).await;
        assert_eq!(answer.status, 200, "{method}");
    }
}

#[tokio::test]
async fn bad_reload_is_500_with_all_errors() {
    let mut host = Host::start();
    let errors = "periplus.yml:3:5: scrape_configs[0].job_nam: unknown key\nperiplus.yml:9:1: ...";
    let answer = reload(&mut host, "POST", Err(errors.into())).await;
    assert_eq!(answer.status, 500);
    assert_eq!(
        answer.text(),
        format!("failed to reload the configuration:\n{errors}\n"),
    );
}

#[tokio::test]
async fn reading_methods_do_not_reload() {
    let mut host = Host::start();
    for method in ["GET", "HEAD", "DELETE"] {
        let answer = host.ask_admin(method, "/-/reload", &[LOCAL]).await;
        assert_eq!(answer.status, 405, "{method}");
        assert_eq!(answer.header("allow"), "POST,PUT", "{method}");
    }
    assert!(host.reloads.try_recv().is_err());
}

#[tokio::test]
async fn pages_of_other_origins_cannot_reload() {
    let mut host = Host::start();
    let foreign: &[&[(&str, &str)]] = &[
        &[LOCAL, ("origin", "https://evil.example")],
        &[LOCAL, ("sec-fetch-site", "cross-site")],
        &[("host", "rebound.evil.example:9099")],
        &[
            ("host", "rebound.evil.example"),
            ("origin", "http://rebound.evil.example"),
        ],
    ];
    for headers in foreign {
        let answer = host.ask_admin("POST", "/-/reload", headers).await;
        assert_eq!(answer.status, 403, "{headers:?}");
        assert_eq!(answer.json()["errorType"], "forbidden");
    }
    assert!(
        host.reloads.try_recv().is_err(),
        "a refused request came through"
    );
}

#[tokio::test]
async fn reload_of_a_stopping_host_is_503() {
    let mut host = Host::start();
    host.reloads.close();
    assert_eq!(
        host.ask_admin("POST", "/-/reload", &[LOCAL]).await.status,
        503
    );
}

#[tokio::test]
async fn listener_for_readers_says_where_to_reload() {
    let mut host = Host::start();
    for method in ["POST", "PUT", "GET"] {
        let answer = host.ask(method, "/-/reload", &[LOCAL]).await;
        assert_eq!(answer.status, 404, "{method}");
        assert!(
            answer.text().contains("--admin-listen"),
            "{}",
            answer.text()
        );
    }
    assert!(host.reloads.try_recv().is_err());
}

#[tokio::test]
async fn listener_for_administration_shows_what_it_changes() {
    let host = Host::start();
    for path in ["/", "/metrics", "/api/v1/targets", "/jobs"] {
        let answer = host.ask_admin("GET", path, &[LOCAL]).await;
        assert_eq!(answer.status, 200, "{path}");
        let elsewhere = [("host", "evil.test")];
        let answer = host.ask_admin("GET", path, &elsewhere).await;
        assert_eq!(answer.status, 403, "{path}");
    }
    let answer = host.ask_admin("GET", "/otel/jobs", &[LOCAL]).await;
    assert_eq!(answer.status, 404);
}
