//! Objects by their metadata alone.

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt, Full};
use periplus_kube_api::KubeApi;
use serde_json::Value;

use crate::client::{Http, Watch, pod, server};

const ONE: &str = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1";
const LIST: &str = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";

async fn send(
    api: &KubeApi,
    http: &Http,
    path: &str,
    accept: &str,
) -> http::Response<hyper::body::Incoming> {
    let request = Request::get(format!("{}{path}", api.url()))
        .header("accept", accept)
        .body(Full::<Bytes>::default())
        .unwrap();
    http.0.request(request).await.unwrap()
}

async fn get(api: &KubeApi, http: &Http, path: &str, accept: &str) -> (StatusCode, Value) {
    let response = send(api, http, path, accept).await;
    let code = response.status();
    let body = response.into_body().collect().await.unwrap().to_bytes();
    (code, serde_json::from_slice(&body).unwrap())
}

fn assert_partial(object: &Value) {
    let fields: Vec<&String> = object.as_object().unwrap().keys().collect();
    assert_eq!(fields, ["kind", "apiVersion", "metadata"]);
    assert_eq!(object["kind"], "PartialObjectMetadata");
    assert_eq!(object["apiVersion"], "meta.k8s.io/v1");
}

#[tokio::test]
async fn lists_objects_and_watches_show_metadata_to_those_who_want_no_more() {
    let (api, http) = server().await;
    api.apply(pod("x", "a", "web"));
    let (_, list) = get(&api, &http, "/api/v1/pods", LIST).await;
    assert_eq!(list["kind"], "PartialObjectMetadataList");
    assert_eq!(list["apiVersion"], "meta.k8s.io/v1");
    assert_eq!(
        list["metadata"]["resourceVersion"],
        api.version().to_string()
    );
    let item = &list["items"][0];
    assert_partial(item);
    assert_eq!(item["metadata"]["labels"]["app"], "web");
    let (_, one) = get(&api, &http, "/api/v1/namespaces/x/pods/a", ONE).await;
    assert_eq!(one, *item);

    let path = "/api/v1/pods?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan\
                &allowWatchBookmarks=true";
    let mut watch = Watch::new(send(&api, &http, path, ONE).await);
    assert_eq!(watch.expect("ADDED", "a").await, *item);
    let (kind, bookmark) = watch.event().await;
    assert_eq!(kind, "BOOKMARK");
    assert_partial(&bookmark);
    api.delete("v1/pods", "x", "a");
    assert_partial(&watch.expect("DELETED", "a").await);
}

#[tokio::test]
async fn the_first_that_can_be_had_is_taken() {
    let (api, http) = server().await;
    let protobuf = "application/vnd.kubernetes.protobuf";
    for (accept, code, kind) in [
        (
            format!("{protobuf},{LIST},application/json"),
            200,
            "PartialObjectMetadataList",
        ),
        ("application/json".to_owned(), 200, "PodList"),
        ("*/*".to_owned(), 200, "PodList"),
        (format!("{LIST};q=0.5,application/json"), 200, "PodList"),
        (protobuf.to_owned(), 406, "Status"),
        (ONE.to_owned(), 406, "Status"),
        (LIST.replace("v=v1", "v=v7"), 406, "Status"),
    ] {
        let (got, body) = get(&api, &http, "/api/v1/pods", &accept).await;
        assert_eq!(
            (got.as_u16(), body["kind"].as_str()),
            (code, Some(kind)),
            "{accept}"
        );
    }
    let requests = api.requests();
    assert_eq!(requests[1].accept, "application/json");
}
