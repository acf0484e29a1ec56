//! Who is let in, and to what.

use http::{Request, StatusCode};
use http_body_util::Full;
use periplus_kube_api::{KubeApi, Options, Verb};
use serde_json::json;

use crate::client::{Http, pod, server};

#[tokio::test]
async fn a_token_is_asked_for_if_one_is_set() {
    let options = Options {
        token: Some("secret".into()),
        ..Options::default()
    };
    let api = KubeApi::start(options).await.unwrap();
    let http = Http::new(&api);
    assert_eq!(http.get("/api/v1/pods").await.0.as_u16(), 401);
    assert!(api.kubeconfig().contains("secret"));
    let request = Request::get(format!("{}/api/v1/pods", api.url()))
        .header("authorization", "Bearer secret")
        .body(Full::default())
        .unwrap();
    assert_eq!(
        http.0.request(request).await.unwrap().status(),
        StatusCode::OK
    );
}

#[tokio::test]
async fn one_namespace_can_be_forbidden() {
    let (api, http) = server().await;
    api.apply(pod("x", "a", "web"));
    let id = api.forbid_namespace("x");
    let (code, status) = http.get("/api/v1/namespaces/x/pods").await;
    assert_eq!(code.as_u16(), 403);
    let message = status["message"].as_str().unwrap();
    assert_eq!(
        message,
        "pods is forbidden: User \"stand-in\" cannot list resource \"pods\" in API group \"\" in \
         the namespace \"x\""
    );
    assert_eq!(http.get("/api/v1/namespaces/y/pods").await.0.as_u16(), 200);
    api.faults().remove(id);
    assert_eq!(http.get("/api/v1/namespaces/x/pods").await.0.as_u16(), 200);
}

#[tokio::test]
async fn one_verb_on_one_resource_can_be_forbidden() {
    let (api, http) = server().await;
    api.apply(
        json!({"apiVersion": "networking.k8s.io/v1", "kind": "Ingress",
                     "metadata": {"namespace": "x", "name": "i"}}),
    );
    let everywhere = api.forbid(Verb::Watch, "ingresses", None);
    let base = "/apis/networking.k8s.io/v1";
    let (code, status) = http
        .get(&format!("{base}/namespaces/x/ingresses?watch=1"))
        .await;
    assert_eq!(code.as_u16(), 403);
    assert_eq!(
        status["message"],
        "ingresses.networking.k8s.io is forbidden: User \"stand-in\" cannot watch resource \
         \"ingresses\" in API group \"networking.k8s.io\" in the namespace \"x\""
    );
    assert_eq!(status["details"]["kind"], "ingresses");
    assert_eq!(http.get(&format!("{base}/ingresses")).await.0.as_u16(), 200);
    api.faults().remove(everywhere);

    api.forbid(Verb::List, "ingresses", Some(""));
    let (code, status) = http.get(&format!("{base}/ingresses")).await;
    assert_eq!(code.as_u16(), 403);
    let message = status["message"].as_str().unwrap();
    assert!(message.ends_with("at the cluster scope"), "{message}");
    let inside = http.get(&format!("{base}/namespaces/x/ingresses")).await;
    assert_eq!(inside.0.as_u16(), 200);
}
