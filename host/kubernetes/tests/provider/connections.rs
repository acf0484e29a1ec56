//! How few connections there are, and what happens to them.

use std::collections::BTreeSet;

use periplus_config::{Namespaces, Role};
use periplus_kube_api::{KubeApi, Login, Options, WatchList};

use crate::support::{World, pod, section};

async fn server(options: Options) -> KubeApi {
    let api = KubeApi::start(Options {
        tls: true,
        ..options
    })
    .await
    .unwrap();
    api.apply(pod("a", "one", "10.0.0.1"));
    api
}

/// Follows Pods as this kubeconfig says.
fn follow(world: &World, kubeconfig: &str) -> crate::support::Running {
    let mut section = section(Role::Pod);
    section.kubeconfig_file = Some(world.file("config", kubeconfig));
    world.start_section(section)
}

#[tokio::test]
async fn watches_share_one_connection_where_the_server_speaks_http_2() {
    for (http2, watch_list) in [
        (true, WatchList::On),
        (true, WatchList::Refused),
        (false, WatchList::On),
    ] {
        let api = server(Options {
            http2,
            watch_list,
            ..Options::default()
        })
        .await;
        let world = World::new();
        let mut wanted = section(Role::Pod);
        wanted.namespaces = Namespaces {
            names: ["a", "b", "c", "d", "e"].map(str::to_owned).to_vec(),
            ..Namespaces::default()
        };
        let running = world.start(&api, wanted);
        running.until_synced().await;
        api.apply(pod("e", "two", "10.0.0.2"));
        running.until_sources(&["pod/a/one", "pod/e/two"]).await;

        let requests = api.requests();
        let connections: BTreeSet<u64> = requests.iter().map(|it| it.connection).collect();
        assert!(requests.len() >= 5);
        let expected = if http2 { 1 } else { 5 };
        assert_eq!(connections.len(), expected, "{requests:?}");
    }
}

#[tokio::test]
async fn a_server_that_sends_its_clients_away_or_cuts_them_off_costs_nothing() {
    let api = server(Options::default()).await;
    let world = World::new();
    let running = world.start(&api, section(Role::Pod));
    running.until_sources(&["pod/a/one"]).await;
    assert!(api.drain_connections() > 0);
    api.apply(pod("a", "two", "10.0.0.2"));
    running.until_sources(&["pod/a/one", "pod/a/two"]).await;
    api.cut_connections();
    api.delete("v1/pods", "a", "one");
    running.until_sources(&["pod/a/two"]).await;
}

#[tokio::test]
async fn certificates_that_change_need_no_restart() {
    let api = server(Options {
        token: Some("nobody has it".to_owned()),
        ..Options::default()
    })
    .await;
    let world = World::new();
    let login = Login::Certificate("periplus".to_owned());
    let running = follow(&world, &api.kubeconfig_with(&login));
    running.until_sources(&["pod/a/one"]).await;

    // Another authority for the server and for its clients.
    api.rotate_certificates().unwrap();
    world.file("config", &api.kubeconfig_with(&login));
    api.cut_connections();
    api.apply(pod("a", "two", "10.0.0.2"));
    running.until_sources(&["pod/a/one", "pod/a/two"]).await;
}

#[tokio::test]
async fn tokens_that_change_need_no_restart() {
    let api = server(Options {
        token: Some("first".to_owned()),
        ..Options::default()
    })
    .await;
    let world = World::new();
    let token = world.file("token", "first");
    let running = follow(&world, &api.kubeconfig_with(&Login::TokenFile(token)));
    running.until_sources(&["pod/a/one"]).await;

    api.set_tokens(&["second"]);
    world.file("token", "second");
    api.cut_connections();
    api.apply(pod("a", "two", "10.0.0.2"));
    running.until_sources(&["pod/a/one", "pod/a/two"]).await;
}
