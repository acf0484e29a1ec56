//! Many clusters in one section.

use periplus_config::{ClusterSelection, FolderSelection, KubernetesSection, NamePatterns, Role};
use periplus_kube_api::{KubeApi, Options};

use crate::support::{World, pod, section};

fn all_of(world: &World) -> KubernetesSection {
    let selection = ClusterSelection {
        named: Vec::new(),
        folders: vec![FolderSelection {
            path: world.folder.path().join("clusters"),
            patterns: NamePatterns::new(["*"]).unwrap(),
        }],
    };
    KubernetesSection {
        clusters: Some(selection),
        ..section(Role::Pod)
    }
}

async fn cluster(world: &World, name: &str) -> KubeApi {
    let api = KubeApi::start(Options::default()).await.unwrap();
    api.apply(pod("ns", name, "10.0.0.1"));
    world.file(&format!("clusters/{name}.yaml"), &api.kubeconfig());
    api
}

#[tokio::test]
async fn clusters_come_and_go_with_their_files() {
    let world = World::new();
    let a = cluster(&world, "a").await;
    let running = world.start(&a, all_of(&world));
    running.until_sources(&["a/pod/ns/a"]).await;
    running.until_synced().await;
    let groups = running.probe.groups();
    let name = groups["a/pod/ns/a"].labels.get("__meta_kubernetes_cluster");
    assert_eq!(name, Some("a"));

    let _b = cluster(&world, "b").await;
    running.until_sources(&["a/pod/ns/a", "b/pod/ns/b"]).await;
    std::fs::remove_file(world.folder.path().join("clusters/a.yaml")).unwrap();
    running.until_sources(&["b/pod/ns/b"]).await;
    // A folder that cannot be read takes nothing away.
    std::fs::rename(
        world.folder.path().join("clusters"),
        world.folder.path().join("elsewhere"),
    )
    .unwrap();
    running
        .until("unreadable", |probe| probe.status().last_error.is_some())
        .await;
    running.until_sources(&["b/pod/ns/b"]).await;
}

#[tokio::test]
async fn a_dead_cluster_leaves_the_others_alone() {
    let world = World::new();
    let a = cluster(&world, "a").await;
    let dead = cluster(&world, "dead").await;
    drop(dead);
    let running = world.start(&a, all_of(&world));
    running.until_sources(&["a/pod/ns/a"]).await;
    running
        .until("named", |probe| {
            let error = probe.status().last_error;
            error.is_some_and(|(_, text)| text.contains("cluster `dead`: list of `pods`"))
        })
        .await;
    a.apply(pod("ns", "later", "10.0.0.2"));
    running.until_sources(&["a/pod/ns/a", "a/pod/ns/later"]).await;
    running.until_synced().await;
}

#[tokio::test]
async fn an_empty_folder_is_waited_for() {
    let world = World::new();
    std::fs::create_dir(world.folder.path().join("clusters")).unwrap();
    let elsewhere = KubeApi::start(Options::default()).await.unwrap();
    let running = world.start(&elsewhere, all_of(&world));
    running
        .until("waiting", |probe| {
            let waiting = probe.status().waiting_for.unwrap_or_default();
            waiting.contains("no cluster that the section names")
        })
        .await;
    assert!(!running.probe.status().synced);
    let _a = cluster(&world, "a").await;
    running.until_sources(&["a/pod/ns/a"]).await;
}
