//! `http_sd_configs`: a server on loopback that records what it is asked.

#[path = "http/bad.rs"]
mod bad;
#[path = "http/polls.rs"]
mod polls;
#[path = "http/server.rs"]
mod server;

use std::time::Duration;

use periplus_config::{HttpClientConfig, HttpSection, SecretUrl, Section, SectionKind};
use periplus_core::ContentHash;
use periplus_discovery::{DiscoveryMetrics, Updates, UpdatesProbe, native};
use prometheus_client::registry::Registry;
use tokio_util::sync::{CancellationToken, DropGuard};

/// Long enough that only what a test waits for happens, short enough to repeat.
const OFTEN: Duration = Duration::from_millis(40);

fn section(url: &str) -> HttpSection {
    HttpSection {
        url: SecretUrl::new(url),
        refresh_interval: OFTEN,
        body_size_limit: HttpSection::BODY_SIZE_LIMIT,
        http: HttpClientConfig::default(),
    }
}

/// A running provider.
struct Running {
    probe: UpdatesProbe,
    registry: Registry,
    _stop: DropGuard,
}

// === impl Running ===

impl Running {
    fn start(section: HttpSection) -> Self {
        Self::try_start(section).unwrap_or_else(|error| panic!("{error}"))
    }

    fn try_start(section: HttpSection) -> Result<Self, String> {
        let section = Section {
            mechanism: "http".to_owned(),
            key_path: "scrape_configs[0].http_sd_configs[0]".to_owned(),
            line: 1,
            identity: ContentHash::default(),
            kind: SectionKind::Http(section),
        };
        let mut registry = Registry::default();
        let metrics = DiscoveryMetrics::register(&mut registry);
        let discoverer = native::discoverer(&section, &metrics).unwrap()?;
        let (updates, probe) = Updates::testing();
        let stop = CancellationToken::new();
        tokio::spawn(discoverer.run(updates, stop.clone()));
        Ok(Self {
            probe,
            registry,
            _stop: stop.drop_guard(),
        })
    }

    /// The addresses of all groups, in order of their sources.
    fn addresses(&self) -> Vec<String> {
        let groups = self.probe.groups();
        let targets = groups.values().flat_map(|group| group.targets.clone());
        targets
            .map(|target| target.get("__address__").unwrap().to_owned())
            .collect()
    }

    fn error(&self) -> String {
        let error = self.probe.status().last_error;
        error.map(|(_, error)| error).unwrap_or_default()
    }

    async fn wait(&self, expected: &[&str]) {
        let reached = self
            .probe
            .wait_until(|probe| probe.status().synced && self.addresses() == expected);
        let waited = tokio::time::timeout(Duration::from_secs(20), reached).await;
        assert!(
            waited.is_ok(),
            "expected {expected:?}, got {:?}, {}",
            self.addresses(),
            self.error()
        );
    }

    async fn wait_error(&self, text: &str) {
        let told = self.probe.wait_until(|_| self.error().contains(text));
        let waited = tokio::time::timeout(Duration::from_secs(20), told).await;
        assert!(waited.is_ok(), "expected `{text}`, got `{}`", self.error());
    }

    /// The count of one series.
    fn metric(&self, series: &str) -> u64 {
        let mut text = String::new();
        prometheus_client::encoding::text::encode(&mut text, &self.registry).unwrap();
        let line = text
            .lines()
            .find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
        line.map_or(0, |value| value.parse().unwrap())
    }
}
