//! Writes over HTTP.

use http::Method;
use serde_json::{Value, json};

use crate::client::{pod, server};

#[tokio::test]
async fn writes_over_http_follow_the_rules_of_the_server() {
    let (api, http) = server().await;
    let path = "/api/v1/namespaces/x/pods";
    let (code, created) = http.json(Method::POST, path, &pod("x", "a", "web")).await;
    assert_eq!(code.as_u16(), 201);
    assert_eq!(
        created["status"]["phase"], "Pending",
        "a new Pod has no status of the client's"
    );
    assert_eq!(
        http.json(Method::POST, path, &pod("x", "a", "web"))
            .await
            .0
            .as_u16(),
        409
    );

    let one = "/api/v1/namespaces/x/pods/a";
    let status = json!({"status": {"phase": "Running"}, "metadata": {"labels": {"app": "no"}}});
    let (_, patched) = http
        .json(Method::PATCH, &format!("{one}/status"), &status)
        .await;
    assert_eq!(patched["status"]["phase"], "Running");
    assert_eq!(patched["metadata"]["labels"]["app"], "web");

    let mut replaced = pod("x", "a", "db");
    replaced["metadata"]["resourceVersion"] = created["metadata"]["resourceVersion"].clone();
    assert_eq!(
        http.json(Method::PUT, one, &replaced).await.0.as_u16(),
        409,
        "it has changed since"
    );
    replaced["metadata"]["resourceVersion"] = patched["metadata"]["resourceVersion"].clone();
    replaced["status"] = json!({"phase": "Failed"});
    let (_, replaced) = http.json(Method::PUT, one, &replaced).await;
    assert_eq!(replaced["metadata"]["uid"], created["metadata"]["uid"]);
    assert_eq!(replaced["status"]["phase"], "Running");

    let version = api.version();
    let same = json!({"metadata": {"labels": {"app": "db"}}});
    http.json(Method::PATCH, one, &same).await;
    assert_eq!(
        api.version(),
        version,
        "a write that changes nothing is none"
    );
    assert_eq!(
        http.json(Method::DELETE, one, &Value::Null)
            .await
            .0
            .as_u16(),
        200
    );
    assert_eq!(http.get(one).await.0.as_u16(), 404);
}

#[tokio::test]
async fn a_recreated_object_has_another_uid() {
    let (api, _http) = server().await;
    api.apply(pod("x", "a", "web"));
    let first = api.get("v1/pods", "x", "a").unwrap();
    api.delete("v1/pods", "x", "a");
    api.apply(pod("x", "a", "web"));
    assert_ne!(
        api.get("v1/pods", "x", "a").unwrap()["metadata"]["uid"],
        first["metadata"]["uid"]
    );
}
