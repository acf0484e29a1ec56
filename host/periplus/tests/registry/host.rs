//! A host whose plugins are in a registry: waiting for them, following their tags, trusting no other.

use std::sync::atomic::Ordering;

use crate::lab::{Lab, PASSWORD, Proxy, shipped};
use crate::running::Running;

const TARGET: &str = "127.0.0.1:9100";

/// A lab with a signed transformer that the configuration names, behind a proxy.
struct Scene {
    lab: Lab,
    proxy: Proxy,
    image: String,
    digest: String,
}

// === impl Scene ===

impl Scene {
    async fn new() -> Self {
        let lab = Lab::new();
        let proxy = Proxy::before(&lab).await;
        lab.log_in("config.json", &[&lab.address, &proxy.address], PASSWORD);
        let image = format!("{}/team/exporters:1", proxy.address);
        let scene = Self {
            lab,
            proxy,
            image,
            digest: String::new(),
        };
        let digest = scene.push(b"").await;
        scene.sign().await;
        scene.configure(&scene.image, "");
        Self { digest, ..scene }
    }

    /// Pushes the transformer with some bytes more, in a section that nobody reads.
    async fn push(&self, note: &[u8]) -> String {
        let mut component = std::fs::read(shipped("known_exporters")).unwrap();
        let length = u8::try_from(note.len()).unwrap();
        component.extend([0, length + 5, 4]);
        component.extend(b"note");
        component.extend(note);
        let file = self.lab.path("pushed.wasm");
        std::fs::write(&file, component).unwrap();
        let words = ["push", file.to_str().unwrap(), &self.image];
        self.lab.plugin("pusher", &words).await.digest()
    }

    async fn sign(&self) {
        let key = self.lab.key_path("ours.key");
        let words = ["sign", &self.image, "--key", &key];
        self.lab.plugin("pusher", &words).await.digest();
    }

    fn configure(&self, image: &str, more: &str) {
        let config = format!(
            "plugins:\n  - source: oci:{image}\n    pull: always\n    verify: {{keys: [ours.pub]}}\n\
             scrape_configs:\n\
             \x20 - job_name: plain\n    static_configs: [{{targets: ['{TARGET}']}}]\n\
             \x20 - job_name: edited\n    static_configs: [{{targets: ['{TARGET}']}}]\n\
             \x20   transformers: [{{plugin: known-exporters}}]\n{more}"
        );
        std::fs::write(self.lab.path("prometheus.yml"), config).unwrap();
    }

    async fn run(&self) -> Running {
        let mut command = self.lab.command("store");
        command.args(["run", "--listen", "127.0.0.1:0"]);
        command.args(["--admin-listen", "127.0.0.1:0", "--plugin-recheck", "1s"]);
        command.arg("--config").arg(self.lab.path("prometheus.yml"));
        let mut command = tokio::process::Command::from(command);
        command.kill_on_drop(true);
        Running::start(command).await
    }

    /// `periplus check config`: whether it is valid, and what it says.
    async fn check(&self, store: &'static str) -> (bool, String) {
        let mut command = self.lab.command(store);
        command.args(["check", "config"]);
        command.arg(self.lab.path("prometheus.yml"));
        let output = tokio::task::spawn_blocking(move || command.output());
        let output = output.await.unwrap().unwrap();
        let said = String::from_utf8(output.stdout).unwrap();
        (output.status.success(), said)
    }
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs docker-registry: make e2e-oci"]
async fn a_start_waits_for_a_plugin_and_serves_no_job_without_it() {
    let scene = Scene::new().await;
    scene.proxy.down.store(true, Ordering::Relaxed);
    let host = scene.run().await;
    host.until_addresses("plain", &[TARGET]).await;
    let unknown = host.get("/sd/edited").await;
    assert_eq!(unknown.status, 503, "{}", unknown.text());
    let status = host.get("/api/v1/plugins").await;
    assert!(status.text().contains("\"backoff\""), "{}", status.text());
    // A reload meanwhile changes nothing of that.
    assert_eq!(host.reload().await.status, 200);
    assert_eq!(host.get("/sd/edited").await.status, 503);
    // A check has nobody to wait.
    let (valid, said) = scene.check("empty-store").await;
    assert!(!valid && said.contains("cannot be had"), "{said}");

    scene.proxy.down.store(false, Ordering::Relaxed);
    host.until_addresses("edited", &[TARGET]).await;
    assert_eq!(host.plugin("known-exporters").await["state"], "running");

    // The next start needs no registry for what the store holds.
    drop(host);
    scene.proxy.down.store(true, Ordering::Relaxed);
    let host = scene.run().await;
    host.until_addresses("edited", &[TARGET]).await;
    host.until_logged(&["Registry cannot be asked"]).await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs docker-registry: make e2e-oci"]
async fn a_tag_is_followed_to_what_is_signed_and_nowhere_else() {
    let scene = Scene::new().await;
    let host = scene.run().await;
    host.until_addresses("edited", &[TARGET]).await;
    let first = host.plugin("known-exporters").await["digest"].clone();

    // Nobody has signed what the tag means now: what runs goes on.
    scene.push(b"second").await;
    host.until("a reason", "/api/v1/plugins", |it| {
        it.text().contains("is not signed")
    })
    .await;
    assert_eq!(host.plugin("known-exporters").await["digest"], first);
    assert_eq!(host.get("/sd/edited").await.status, 200);
    // A reload is no way around it, nor is a start.
    assert_eq!(host.reload().await.status, 200);
    assert_eq!(host.plugin("known-exporters").await["digest"], first);
    let (valid, said) = scene.check("store").await;
    assert!(!valid && said.contains("is not signed"), "{said}");

    scene.sign().await;
    let first = first.as_str().unwrap().to_owned();
    host.until("the second plugin", "/api/v1/plugins", |it| {
        !it.text().contains(&first) && !it.text().contains("is not signed")
    })
    .await;
    assert_eq!(host.plugin("known-exporters").await["state"], "running");
    assert_eq!(host.get("/sd/edited").await.addresses().len(), 1);
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs docker-registry: make e2e-oci"]
async fn a_pinned_digest_is_what_runs_whatever_the_tag_means() {
    let scene = Scene::new().await;
    scene.configure(&format!("{}@{}", scene.image, scene.digest), "");
    let host = scene.run().await;
    host.until_addresses("edited", &[TARGET]).await;
    let first = host.plugin("known-exporters").await["digest"].clone();
    scene.push(b"moved").await;
    assert_eq!(host.reload().await.status, 200);
    assert_eq!(host.plugin("known-exporters").await["digest"], first);

    // A digest that is not there is refused, and what runs goes on.
    let wrong = format!("{}@sha256:{}", scene.image, "0".repeat(64));
    scene.configure(&wrong, "");
    let refused = host.reload().await;
    assert_eq!(refused.status, 500);
    // Nobody signed it, which is found before it is asked for.
    assert!(
        refused.text().contains("is not signed"),
        "{}",
        refused.text()
    );
    assert_eq!(host.get("/sd/edited").await.status, 200);
}
