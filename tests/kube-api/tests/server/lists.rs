//! Lists: pages, selections, compression, kinds, and what discovery says.

use std::time::Duration;

use http::{Method, Request, StatusCode};
use http_body_util::Full;
use periplus_kube_api::load::Load;
use periplus_kube_api::{Fault, KubeApi, Options, Rule, Verb};
use serde_json::{Value, json};

use crate::client::{Http, names, pod, server};

#[tokio::test]
async fn pages_of_a_list_are_of_one_moment() {
    let (api, http) = server().await;
    for name in ["a", "b", "c", "d", "e"] {
        api.apply(pod("x", name, "web"));
    }
    let (_, first) = http.get("/api/v1/pods?limit=2").await;
    assert_eq!(names(&first), ["a", "b"]);
    assert_eq!(first["metadata"]["remainingItemCount"], 3);
    assert_eq!(first["kind"], "PodList");
    assert!(
        first["items"][0].get("kind").is_none(),
        "items of a list carry no kind"
    );
    api.delete("v1/pods", "x", "c");
    api.apply(pod("x", "bb", "web"));
    let token = first["metadata"]["continue"].as_str().unwrap();
    let (_, second) = http
        .get(&format!("/api/v1/pods?limit=2&continue={token}"))
        .await;
    assert_eq!(names(&second), ["c", "d"]);
    assert_eq!(
        first["metadata"]["resourceVersion"],
        second["metadata"]["resourceVersion"]
    );
    let token = second["metadata"]["continue"].as_str().unwrap();
    let (_, third) = http
        .get(&format!("/api/v1/pods?limit=2&continue={token}"))
        .await;
    assert_eq!(names(&third), ["e"]);
    assert!(third["metadata"].get("continue").is_none());
}

#[tokio::test]
async fn a_page_after_compaction_is_gone_and_can_be_continued_without_consistency() {
    let (api, http) = server().await;
    for name in ["a", "b", "c"] {
        api.apply(pod("x", name, "web"));
    }
    let (_, first) = http.get("/api/v1/pods?limit=1").await;
    api.compact();
    api.delete("v1/pods", "x", "b");
    let token = first["metadata"]["continue"].as_str().unwrap();
    let (code, status) = http
        .get(&format!("/api/v1/pods?limit=5&continue={token}"))
        .await;
    assert_eq!(
        (code.as_u16(), status["reason"].as_str()),
        (410, Some("Expired"))
    );
    let token = status["metadata"]["continue"].as_str().unwrap();
    let (_, rest) = http
        .get(&format!("/api/v1/pods?limit=5&continue={token}"))
        .await;
    assert_eq!(names(&rest), ["c"]);
}

#[tokio::test]
async fn lists_select_by_namespace_label_and_field() {
    let (api, http) = server().await;
    api.apply(pod("x", "a", "web"));
    api.apply(pod("y", "b", "db"));
    for (path, expected) in [
        ("/api/v1/namespaces/x/pods", vec!["a"]),
        ("/api/v1/pods?labelSelector=app%3Ddb", vec!["b"]),
        ("/api/v1/pods?fieldSelector=metadata.name%3Da", vec!["a"]),
        ("/api/v1/pods?resourceVersion=0&limit=1", vec!["a", "b"]),
        ("/api/v1/namespaces", vec!["x", "y"]),
    ] {
        assert_eq!(names(&http.get(path).await.1), expected, "{path}");
    }
    assert_eq!(
        http.get("/api/v1/pods?fieldSelector=spec.x%3D1")
            .await
            .0
            .as_u16(),
        400
    );
    assert_eq!(http.get("/api/v1/nothings").await.0.as_u16(), 404);
}

#[tokio::test]
async fn big_lists_are_compressed_for_those_who_ask() {
    let (api, http) = server().await;
    Load {
        pods: 20,
        ..Load::default()
    }
    .fill(&api);
    let request = Request::get(format!("{}/api/v1/pods", api.url()))
        .header("accept-encoding", "gzip")
        .body(Full::default())
        .unwrap();
    let response = http.0.request(request).await.unwrap();
    assert_eq!(response.headers()["content-encoding"], "gzip");
    let plain = http.send(Method::GET, "/api/v1/pods", &Value::Null).await;
    assert!(plain.headers().get("content-encoding").is_none());
}

#[tokio::test]
async fn discovery_names_what_there_is() {
    let (_api, http) = server().await;
    assert!(
        http.get("/version").await.1["gitVersion"]
            .as_str()
            .unwrap()
            .starts_with("v1.")
    );
    let (_, groups) = http.get("/apis").await;
    let text = groups.to_string();
    assert!(
        text.contains("discovery.k8s.io") && text.contains("networking.k8s.io"),
        "{text}"
    );
    let (_, core) = http.get("/api/v1").await;
    assert!(
        core["resources"]
            .as_array()
            .unwrap()
            .iter()
            .any(|r| r["name"] == "pods")
    );
}

#[tokio::test]
async fn continue_tokens_expire_on_demand_and_by_age() {
    let options = Options {
        token_lifetime: Duration::from_millis(5),
        ..Options::default()
    };
    let short = KubeApi::start(options).await.unwrap();
    let (long, _) = server().await;
    for (api, fault) in [(&short, None), (&long, Some(())), (&long, None)] {
        let http = Http::new(api);
        for name in ["a", "b", "c", "d"] {
            api.apply(pod("x", name, "web"));
        }
        let (_, first) = http.get("/api/v1/pods?limit=1").await;
        match fault {
            Some(()) => {
                let rule = Rule::new(Fault::ExpiredToken).verb(Verb::List).times(1);
                api.faults().add(rule);
            }
            None => api.expire_tokens(),
        }
        let token = first["metadata"]["continue"].as_str().unwrap();
        let path = format!("/api/v1/pods?limit=1&continue={token}");
        let mut status = http.get(&path).await;
        while status.0 == StatusCode::OK {
            status = http.get(&path).await;
        }
        assert_eq!(status.0.as_u16(), 410);
        // The token that comes with it goes on, page by page, with what there is now.
        api.delete("v1/pods", "x", "b");
        let mut token = status.1["metadata"]["continue"].clone();
        let mut rest = Vec::new();
        while let Some(next) = token.as_str() {
            let path = format!("/api/v1/pods?limit=1&continue={next}");
            let (code, page) = http.get(&path).await;
            assert_eq!(code, StatusCode::OK, "{page}");
            rest.extend(names(&page).iter().map(|n| (*n).to_owned()));
            token = page["metadata"]["continue"].clone();
        }
        assert_eq!(rest, ["c", "d"]);
    }
}

#[tokio::test]
async fn any_kind_is_listed_watched_and_written() {
    let (api, http) = server().await;
    let route = json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "HTTPRoute",
                       "metadata": {"namespace": "x", "name": "r"}, "spec": {}});
    let base = "/apis/gateway.networking.k8s.io/v1";
    let mut watch = http.watch(&format!("{base}/httproutes?watch=1")).await;
    let path = format!("{base}/namespaces/x/httproutes");
    let (code, _) = http.json(Method::POST, &path, &route).await;
    assert_eq!(code.as_u16(), 201);
    watch.expect("ADDED", "r").await;
    let list = http.get(&format!("{base}/httproutes")).await.1;
    assert_eq!(
        (list["kind"].as_str(), names(&list)),
        (Some("HTTPRouteList"), vec!["r"])
    );
    let class = json!({"apiVersion": "gateway.networking.k8s.io/v1", "kind": "GatewayClass",
                       "metadata": {"name": "c"}});
    api.apply(class);
    assert_eq!(
        names(&http.get(&format!("{base}/gatewayclasses")).await.1),
        ["c"]
    );

    api.apply(
        json!({"apiVersion": "example.com/v1alpha1", "kind": "Widget",
                     "metadata": {"namespace": "x", "name": "w"}}),
    );
    let path = "/apis/example.com/v1alpha1/widgets?fieldSelector=metadata.name%3Dw";
    assert_eq!(names(&http.get(path).await.1), ["w"]);
    let refused = http
        .get("/apis/example.com/v1alpha1/widgets?fieldSelector=spec.x%3D1")
        .await;
    assert_eq!(refused.1["message"], "field label not supported: spec.x");
    let missing = http
        .get(&format!("{base}/namespaces/x/httproutes/q"))
        .await
        .1;
    assert_eq!(
        missing["message"],
        "httproutes.gateway.networking.k8s.io \"q\" not found"
    );
}
