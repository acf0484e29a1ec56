use super::*;

/// A folder with a web configuration.
fn folder(text: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("web.yml"), text).unwrap();
    folder
}

fn headers(web: &WebConfig) -> usize {
    web.settings().headers.len()
}

#[tokio::test]
async fn bad_change_leaves_the_old_settings_and_a_good_one_replaces_them() {
    let one = "http_server_config: {headers: {X-Frame-Options: deny}}";
    let folder = folder(one);
    let file = folder.path().join("web.yml");
    let web = WebConfig::load(&file).await.unwrap();
    let mut seen = Ok(web.0.first.clone());
    assert_eq!(headers(&web), 1);
    for bad in [
        "http_server_config: {headers: {X-Frame-Options: x}}",
        "http_server_config: [",
        "basic_auth_users: {alice: x}",
        "tls_server_config: {cert_file: none, key_file: none}",
    ] {
        std::fs::write(&file, bad).unwrap();
        seen = web.look(seen).await;
        assert_eq!(headers(&web), 1, "{bad}");
    }
    std::fs::remove_file(&file).unwrap();
    seen = web.look(seen).await;
    assert!(seen.is_err());
    assert_eq!(headers(&web), 1);
    std::fs::write(&file, "").unwrap();
    web.look(seen).await.unwrap();
    assert_eq!(headers(&web), 0);
}

#[tokio::test]
async fn tls_is_not_switched_on_while_listeners_are_open() {
    let folder = folder("");
    let file = folder.path().join("web.yml");
    let key = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    let web = WebConfig::load(&file).await.unwrap();
    std::fs::write(folder.path().join("a.crt"), key.cert.pem()).unwrap();
    std::fs::write(folder.path().join("a.key"), key.signing_key.serialize_pem()).unwrap();
    std::fs::write(
        &file,
        "tls_server_config: {cert_file: a.crt, key_file: a.key}",
    )
    .unwrap();
    let read = read(&file).await.unwrap();
    let error = web.change(&read).unwrap_err().to_string();
    assert!(
        error.contains("TLS cannot be switched on or off"),
        "{error}"
    );
    assert!(!web.is_tls());
    assert!(
        WebConfig::load(&file).await.unwrap().is_tls(),
        "it is a good one"
    );
}
