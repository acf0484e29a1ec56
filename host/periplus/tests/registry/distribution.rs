//! Push, pull, sign, verify, save and load.

use std::sync::atomic::Ordering;

use crate::lab::{Lab, Proxy, shipped};

const STORE: &str = "store";

/// A lab with a plugin pushed as `inventory:1`, and the digest of its manifest.
async fn pushed() -> (Lab, String, String) {
    let lab = Lab::new();
    let image = format!("{}/team/inventory:1", lab.address);
    let file = shipped("known_exporters");
    let pushed = lab
        .plugin("pusher", &["push", file.to_str().unwrap(), &image])
        .await;
    let digest = pushed.digest();
    (lab, image, digest)
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs docker-registry: make e2e-oci"]
async fn what_is_pushed_is_what_is_pulled() {
    let (lab, image, digest) = pushed().await;
    let out = lab.key_path("out.wasm");
    let pulled = lab.plugin(STORE, &["pull", &image, "-o", &out]).await;
    assert_eq!(pulled.digest(), digest);
    let file = shipped("known_exporters");
    assert_eq!(std::fs::read(&out).unwrap(), std::fs::read(&file).unwrap());
    // Once more, under another name: one component has one digest.
    let other = format!("{}/team/inventory:2", lab.address);
    let again = lab
        .plugin(STORE, &["push", file.to_str().unwrap(), &other])
        .await;
    assert_eq!(again.digest(), digest);

    let manifest = std::fs::read(lab.registry_blob(&digest)).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    let config = &manifest["config"];
    assert_eq!(config["mediaType"], "application/vnd.wasm.config.v0+json");
    assert_eq!(manifest["layers"][0]["mediaType"], "application/wasm");
    let config = std::fs::read(lab.registry_blob(config["digest"].as_str().unwrap())).unwrap();
    let config: serde_json::Value = serde_json::from_slice(&config).unwrap();
    assert_eq!(config["os"], "wasip2");
    assert_eq!(config["layerDigests"][0], manifest["layers"][0]["digest"]);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs docker-registry: make e2e-oci"]
async fn a_registry_wants_its_password() {
    let (lab, image, _) = pushed().await;
    lab.log_in("wrong.json", &[&lab.address], "guessed");
    lab.log_in("none.json", &[], "");
    for name in ["wrong.json", "none.json"] {
        let file = lab.key_path(name);
        let pull = ["pull", &image, "--registry-auth-file", &file];
        let refused = lab.plugin(STORE, &pull).await;
        refused.refused("refuses access");
        assert!(!refused.stderr.contains("guessed"), "{refused:?}");
    }
    let missing = format!("{}/team/missing:1", lab.address);
    lab.plugin(STORE, &["pull", &missing])
        .await
        .refused("is not in its registry");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs docker-registry: make e2e-oci"]
async fn a_transfer_that_is_cut_is_tried_again_and_leaves_nothing_half() {
    let (lab, _, digest) = pushed().await;
    let proxy = Proxy::before(&lab).await;
    lab.log_in("config.json", &[&proxy.address], crate::lab::PASSWORD);
    let image = format!("{}/team/inventory:1", proxy.address);
    proxy.cuts.store(1_000, Ordering::Relaxed);
    lab.plugin(STORE, &["pull", &image])
        .await
        .refused("failed to pull");
    let leftovers = std::fs::read_dir(lab.path(STORE)).unwrap();
    let names: Vec<_> = leftovers.map(|it| it.unwrap().file_name()).collect();
    assert_eq!(names.len(), 2, "{names:?}");
    // One cut, and it goes on by itself.
    proxy.cuts.store(1, Ordering::Relaxed);
    let pulled = lab.plugin(STORE, &["pull", &image]).await;
    assert_eq!(pulled.digest(), digest);
    assert!(proxy.cuts.load(Ordering::Relaxed) <= 0, "nothing was cut");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs docker-registry: make e2e-oci"]
async fn another_content_than_the_digest_says_is_refused() {
    let (lab, image, digest) = pushed().await;
    let wrong = format!("{image}@sha256:{}", "0".repeat(64));
    lab.plugin(STORE, &["pull", &wrong])
        .await
        .refused("is not in its registry");

    // Somebody with access to the registry's disk replaces the component.
    let manifest = std::fs::read(lab.registry_blob(&digest)).unwrap();
    let manifest: serde_json::Value = serde_json::from_slice(&manifest).unwrap();
    let layer = manifest["layers"][0]["digest"].as_str().unwrap().to_owned();
    let blob = lab.registry_blob(&layer);
    let good = std::fs::read(&blob).unwrap();
    let mut bad = good.clone();
    let last = bad.len() - 1;
    bad[last] ^= 1;
    std::fs::write(&blob, bad).unwrap();
    let refused = lab.plugin(STORE, &["pull", &image]).await;
    refused.refused("is not what was asked for");
    assert!(refused.stderr.contains(&layer), "{refused:?}");
    std::fs::write(&blob, good).unwrap();
    assert_eq!(lab.plugin(STORE, &["pull", &image]).await.digest(), digest);

    // And the manifest.
    let blob = lab.registry_blob(&digest);
    let text = std::fs::read_to_string(&blob).unwrap();
    std::fs::write(&blob, text.replace("wasip2", "wasip3") + " ").unwrap();
    let refused = lab.plugin("fresh", &["pull", &image]).await;
    assert!(!refused.ok, "{refused:?}");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs docker-registry: make e2e-oci"]
async fn only_what_a_trusted_key_signed_is_pulled() {
    let (lab, image, digest) = pushed().await;
    let (ours, other) = (lab.key_path("ours.pub"), lab.key_path("other.pub"));
    let pull = ["pull", &image, "--key", &ours];
    lab.plugin(STORE, &pull).await.refused("is not signed");
    lab.plugin(STORE, &["verify", &image, "--key", &ours])
        .await
        .refused("is not signed");

    let stranger = lab.key_path("other.key");
    let signed = lab
        .plugin(STORE, &["sign", &image, "--key", &stranger])
        .await;
    assert_eq!(signed.digest(), digest);
    let refused = lab.plugin(STORE, &pull).await;
    refused.refused("no signature of");
    assert!(refused.stderr.contains("ours.pub"), "{refused:?}");

    let key = lab.key_path("ours.key");
    lab.plugin(STORE, &["sign", &image, "--key", &key])
        .await
        .digest();
    // The signature of the stranger is still there.
    for key in [&ours, &other] {
        let verified = lab.plugin(STORE, &["verify", &image, "--key", key]).await;
        assert_eq!(verified.digest(), digest);
    }
    assert_eq!(lab.plugin(STORE, &pull).await.digest(), digest);

    // The tag moves to something that nobody signed.
    let file = shipped("sockets");
    let moved = lab
        .plugin("pusher", &["push", file.to_str().unwrap(), &image])
        .await;
    assert_ne!(moved.digest(), digest);
    lab.plugin(STORE, &pull).await.refused("is not signed");
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs docker-registry: make e2e-oci"]
async fn an_archive_brings_a_plugin_and_its_signature_to_another_machine() {
    let (lab, image, digest) = pushed().await;
    let key = lab.key_path("ours.key");
    lab.plugin(STORE, &["sign", &image, "--key", &key])
        .await
        .digest();
    lab.plugin(STORE, &["pull", &image]).await.digest();
    let archive = lab.key_path("plugins.tar");
    let saved = lab.plugin(STORE, &["save", &image, "-o", &archive]).await;
    assert!(saved.ok, "{saved:?}");
    let loaded = lab.plugin("other-store", &["load", &archive]).await;
    assert!(loaded.ok && loaded.stdout.contains(&image), "{loaded:?}");
    assert!(loaded.stdout.contains(".sig"), "{loaded:?}");
    assert!(
        lab.path("other-store/blobs/sha256")
            .join(&digest[7..])
            .is_file()
    );

    // One flipped bit in it.
    let mut bytes = std::fs::read(&archive).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    std::fs::write(&archive, bytes).unwrap();
    let refused = lab.plugin("third-store", &["load", &archive]).await;
    refused.refused("is not what was asked for");
    let names = std::fs::read_dir(lab.path("third-store/names")).unwrap();
    assert_eq!(names.count(), 0);
    // What the store does not hold cannot be saved.
    lab.plugin("fourth-store", &["save", &image, "-o", &archive])
        .await
        .refused("is not in the store");
}
