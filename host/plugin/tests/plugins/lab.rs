//! What the tests share: components to load, a host to load them into, and a provider's running
//! instance with what it says.

use std::future::Future;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use periplus_config::{
    Grants, HttpClientConfig, HttpGrant, OnError, PluginConfig, PluginLimits, PluginSection,
    Section, SectionKind, TransformerConfig,
};
use periplus_core::{ContentHash, LabelSet};
use periplus_discovery::{PluginStatus, PluginStatuses, Transformer, Updates, UpdatesProbe};
use periplus_plugin::{PluginHost, PluginHostOptions};
use serde_json::{Value, json};
use tokio_util::sync::{CancellationToken, DropGuard};

/// The bytes in the hostile guest that tests overwrite.
pub(crate) const VERSION: &str = "hostile-version-0001";

/// A host and a folder for its plugins.
pub(crate) struct Lab {
    pub(crate) home: tempfile::TempDir,
    pub(crate) host: Arc<PluginHost>,
}

/// A provider that runs until this is dropped.
pub(crate) struct Running {
    pub(crate) probe: UpdatesProbe,
    _stop: DropGuard,
}

// === impl Lab ===

impl Lab {
    pub(crate) fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let options = PluginHostOptions {
            cache_dir: Some(cache()),
            watch: true,
            ..PluginHostOptions::default()
        };
        Self {
            home,
            host: PluginHost::new(options).unwrap(),
        }
    }

    /// A lab with the hostile guest loaded, with changes to its entry.
    pub(crate) async fn hostile(change: impl FnOnce(&mut PluginConfig)) -> Self {
        let lab = Self::new();
        let mut config = lab.entry("hostile.wasm", &hostile());
        change(&mut config);
        lab.load(&[config]).await.unwrap();
        lab
    }

    /// Writes a file and makes an entry of `plugins:` for it.
    pub(crate) fn entry(&self, name: &str, bytes: &[u8]) -> PluginConfig {
        let source = self.home.path().join(name);
        std::fs::write(&source, bytes).unwrap();
        entry(&source)
    }

    /// Loads and activates; the first error, if any.
    pub(crate) async fn load(&self, plugins: &[PluginConfig]) -> Result<(), String> {
        let outcomes = self.host.load(plugins).await;
        self.host.activate();
        outcomes
            .into_iter()
            .try_for_each(|(_, outcome)| outcome.map(drop))
    }

    pub(crate) fn run(&self, mechanism: &str, config: Value) -> Running {
        self.run_every(mechanism, config, Duration::from_hours(1))
    }

    pub(crate) fn run_every(&self, mechanism: &str, config: Value, every: Duration) -> Running {
        let section = section(mechanism, config, every);
        let discoverer = self
            .host
            .discoverer(&section, &format!("{mechanism}/0"))
            .unwrap();
        let (updates, probe) = Updates::testing();
        let stop = CancellationToken::new();
        tokio::spawn(discoverer.run(updates, stop.clone()));
        Running {
            probe,
            _stop: stop.drop_guard(),
        }
    }

    /// The hostile provider in a mode.
    pub(crate) fn run_mode(&self, mode: &str) -> Running {
        self.run("hostile", json!({"mode": mode}))
    }

    pub(crate) fn transformer(&self, plugin: &str, config: Value) -> Arc<dyn Transformer> {
        self.host.transformer(&transformer(plugin, config)).unwrap()
    }

    pub(crate) fn status(&self) -> PluginStatus {
        self.host.plugins().remove(0)
    }
}

// === impl Running ===

impl Running {
    /// Waits until there are targets; their addresses, sorted.
    pub(crate) async fn addresses(&self) -> Vec<String> {
        within(self.probe.wait_until(|probe| !probe.groups().is_empty())).await;
        self.now()
    }

    /// The addresses at this moment.
    pub(crate) fn now(&self) -> Vec<String> {
        let groups = self.probe.groups();
        let targets = groups.values().flat_map(|group| &group.targets);
        targets
            .filter_map(|target| target.get("__address__"))
            .map(str::to_owned)
            .collect()
    }

    /// Waits until the provider reports a failure.
    pub(crate) async fn failure(&self) -> String {
        within(
            self.probe
                .wait_until(|probe| probe.status().last_error.is_some()),
        )
        .await;
        self.probe.status().last_error.unwrap().1
    }

    /// Waits until a label of some group has a value.
    pub(crate) async fn until_label(&self, name: &str, value: &str) {
        within(self.probe.wait_until(|probe| {
            probe
                .groups()
                .values()
                .any(|group| group.labels.get(name) == Some(value))
        }))
        .await;
    }
}

/// A deadline that only a hang reaches.
pub(crate) async fn within<F: Future>(future: F) -> F::Output {
    tokio::time::timeout(Duration::from_mins(1), future)
        .await
        .expect("it took a minute")
}

/// Waits for a condition that nothing announces.
pub(crate) async fn until(mut condition: impl FnMut() -> bool) {
    within(async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

pub(crate) fn entry(source: &Path) -> PluginConfig {
    PluginConfig {
        name: None,
        source: source.to_owned(),
        image: None,
        sha256: None,
        allow: Grants::default(),
        limits: PluginLimits::default(),
        line: 1,
        key_path: "plugins[0]".into(),
    }
}

pub(crate) fn http_grant(origin: &str) -> HttpGrant {
    HttpGrant {
        origin: origin.into(),
        methods: Vec::new(),
        paths: Vec::new(),
    }
}

pub(crate) fn section(mechanism: &str, config: Value, every: Duration) -> Section {
    Section {
        mechanism: mechanism.into(),
        key_path: format!("scrape_configs[0].{mechanism}_sd_configs[0]"),
        line: 1,
        identity: ContentHash::of(config.to_string().as_bytes()),
        kind: SectionKind::Plugin(PluginSection {
            config,
            refresh_interval: every,
            written_interval: None,
            http_client: Value::Null,
            http: HttpClientConfig::default(),
        }),
    }
}

pub(crate) fn transformer(plugin: &str, config: Value) -> TransformerConfig {
    TransformerConfig {
        plugin: plugin.into(),
        identity: ContentHash::of(config.to_string().as_bytes()),
        config,
        on_error: OnError::Keep,
        key_path: "scrape_configs[0].transformers[0]".into(),
        line: 1,
    }
}

pub(crate) fn row(labels: &[(&str, &str)]) -> LabelSet {
    labels.iter().copied().collect()
}

/// The hostile guest, built once per run of the tests.
pub(crate) fn hostile() -> Vec<u8> {
    static BUILT: OnceLock<Vec<u8>> = OnceLock::new();
    BUILT
        .get_or_init(|| {
            let manifest = here().join("tests/guests/hostile/Cargo.toml");
            let target = here().join("../../target/guests");
            build(&manifest, &target);
            std::fs::read(target.join("wasm32-wasip2/release/hostile.wasm")).unwrap()
        })
        .clone()
}

/// The hostile guest with other bytes and another version, otherwise the same.
pub(crate) fn hostile_version(version: &str) -> Vec<u8> {
    assert_eq!(version.len(), VERSION.len());
    let mut bytes = hostile();
    let at = bytes
        .windows(VERSION.len())
        .position(|w| w == VERSION.as_bytes());
    let at = at.expect("the guest holds its version");
    bytes[at..at + VERSION.len()].copy_from_slice(version.as_bytes());
    bytes
}

/// A plugin of this repository, built unless `make` did.
pub(crate) fn shipped(name: &str) -> PathBuf {
    static BUILT: OnceLock<PathBuf> = OnceLock::new();
    let folder = BUILT.get_or_init(|| {
        if let Some(folder) = std::env::var_os("PERIPLUS_PLUGINS_DIR") {
            return folder.into();
        }
        let plugins = here().join("../../plugins");
        build(&plugins.join("Cargo.toml"), &plugins.join("target"));
        plugins.join("target/wasm32-wasip2/release")
    });
    folder.join(name)
}

fn build(manifest: &Path, target: &Path) {
    let built = Command::new(env!("CARGO"))
        .args([
            "build",
            "--release",
            "--locked",
            "--target",
            "wasm32-wasip2",
            "--manifest-path",
        ])
        .arg(manifest)
        .arg("--target-dir")
        .arg(target)
        // The settings of this build are not those of a guest.
        .env_remove("RUSTFLAGS")
        .env_remove("CARGO_ENCODED_RUSTFLAGS")
        .output()
        .unwrap();
    assert!(
        built.status.success(),
        "{}",
        String::from_utf8_lossy(&built.stderr)
    );
}

fn here() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// One compile cache for all tests of a run: they compile the same guest.
fn cache() -> PathBuf {
    static CACHE: OnceLock<tempfile::TempDir> = OnceLock::new();
    CACHE
        .get_or_init(|| tempfile::tempdir().unwrap())
        .path()
        .to_owned()
}
