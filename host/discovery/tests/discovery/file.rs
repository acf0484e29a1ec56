//! `file_sd_configs`: real files in temporary directories, waiting for what must happen.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use periplus_config::{FileSection, Section, SectionKind};
use periplus_core::ContentHash;
use periplus_discovery::{DiscoveryMetrics, ProviderState, Updates, UpdatesProbe, native};
use tempfile::TempDir;
use tokio_util::sync::{CancellationToken, DropGuard};

use crate::support::within;

const TWO: &str = "- targets: [a:1]\n  labels: {foo: bar}\n- targets: [b:1, c:1]\n";
const TWO_JSON: &str =
    r#"[{"targets": ["a:1"], "labels": {"foo": "bar"}}, {"targets": ["b:1", "c:1"]}]"#;

/// A running file provider.
struct Running {
    probe: UpdatesProbe,
    directory: TempDir,
    _stop: DropGuard,
}

impl Running {
    /// Starts on patterns below a new directory, after `prepare` has filled it.
    fn start(patterns: &[&str], prepare: impl FnOnce(&Path)) -> Self {
        Self::start_every(Duration::from_mins(5), patterns, prepare)
    }

    fn start_every(every: Duration, patterns: &[&str], prepare: impl FnOnce(&Path)) -> Self {
        let directory = tempfile::tempdir().unwrap();
        prepare(directory.path());
        let patterns: Vec<PathBuf> = patterns.iter().map(|p| directory.path().join(p)).collect();
        let section = Section {
            mechanism: "file".to_owned(),
            key_path: "scrape_configs[0].file_sd_configs[0]".to_owned(),
            line: 1,
            identity: ContentHash::default(),
            kind: SectionKind::File(FileSection {
                patterns,
                refresh_interval: every,
            }),
        };
        let discoverer = native::discoverer(&section, &DiscoveryMetrics::default());
        let discoverer = discoverer.unwrap().unwrap();
        let (updates, probe) = Updates::testing();
        let stop = CancellationToken::new();
        tokio::spawn(discoverer.run(updates, stop.clone()));
        Self {
            probe,
            directory,
            _stop: stop.drop_guard(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    /// Writes beside the file and renames, as a careful writer does.
    fn replace(&self, name: &str, content: &str) {
        let aside = self.path("aside.tmp");
        fs::write(&aside, content).unwrap();
        fs::rename(aside, self.path(name)).unwrap();
    }

    /// All groups as `file:index address,address`, without the directory.
    fn groups(&self) -> Vec<String> {
        let prefix = format!("{}/", self.directory.path().display());
        let groups = self.probe.groups();
        let lines = groups.iter().map(|(source, group)| {
            let addresses: Vec<_> = group
                .targets
                .iter()
                .map(|target| target.get("__address__").unwrap())
                .collect();
            format!(
                "{} {}",
                source.replacen(&prefix, "", 1),
                addresses.join(",")
            )
        });
        lines.collect()
    }

    async fn wait(&self, expected: &[&str]) {
        let reached = self.probe.wait_until(|_| self.groups() == expected);
        let waited = tokio::time::timeout(Duration::from_secs(20), reached).await;
        assert!(
            waited.is_ok(),
            "expected {expected:?}, got {:?}",
            self.groups()
        );
    }

    /// Waits until an error is told that contains all of these texts.
    async fn wait_error(&self, texts: &[&str]) {
        let error = || {
            self.probe
                .status()
                .last_error
                .map(|(_, error)| error)
                .unwrap_or_default()
        };
        let told = self
            .probe
            .wait_until(|_| texts.iter().all(|text| error().contains(text)));
        let waited = tokio::time::timeout(Duration::from_secs(20), told).await;
        assert!(waited.is_ok(), "expected {texts:?}, got {:?}", error());
    }
}

#[tokio::test]
async fn groups_of_yaml_and_json_are_there_at_once_with_their_path() {
    for (name, content) in [
        ("t.yml", TWO),
        ("t.yaml", TWO),
        ("t.json", TWO_JSON),
        ("t.JSON", TWO_JSON),
    ] {
        let running = Running::start(&[name], |at| fs::write(at.join(name), content).unwrap());
        running
            .wait(&[&format!("{name}:0 a:1"), &format!("{name}:1 b:1,c:1")])
            .await;
        let groups = running.probe.groups();
        let first = groups.values().next().unwrap();
        assert_eq!(first.labels.get("foo"), Some("bar"));
        let path = running.path(name);
        assert_eq!(first.labels.get("__meta_filepath"), path.to_str());
        within(
            running
                .probe
                .wait_until(|p| p.status().state == ProviderState::Ready),
        )
        .await;
    }
}

#[tokio::test]
async fn invalid_files_deliver_nothing_and_say_why() {
    for (name, content, why) in [
        (
            "t.yml",
            "- targets: [a:1]\n- null\n",
            "nil target group item found",
        ),
        (
            "t.json",
            r#"[{"targets": ["a:1"]}, null]"#,
            "nil target group item found",
        ),
        (
            "t.json",
            r#"[{"targets": ["a:1"], "label": {}}]"#,
            "unknown field `label`",
        ),
        ("t.yml", "- targets: [a:1]\n  target: []\n", "target"),
        ("t.yml", "- targets: a:1\n", "sequence"),
        ("t.yml", "- targets: [a:1]\n  targets: [b:1]\n", "duplicate"),
        (
            "t.json",
            r#"[{"targets": ["a:1"], "labels": {"": "x"}}]"#,
            "not a valid label name",
        ),
        ("t.json", "", "empty"),
        ("t.yml", "", "empty"),
        ("t.yml", "gibberish", "sequence"),
    ] {
        let running = Running::start(&[name], |at| fs::write(at.join(name), content).unwrap());
        let path = running.path(name);
        running.wait_error(&[path.to_str().unwrap(), why]).await;
        assert_eq!(running.groups(), [""; 0], "{content}");
        let status = running.probe.status();
        assert!(!status.synced, "`{content}` is no complete state");
        assert!(status.waiting_for.unwrap().contains(name));
    }
}

#[tokio::test]
async fn file_that_says_no_groups_is_a_complete_state() {
    for (name, content) in [("t.yml", "[]"), ("t.yml", "# none yet\n"), ("t.json", "[]")] {
        let running = Running::start(&[name], |at| fs::write(at.join(name), content).unwrap());
        within(
            running
                .probe
                .wait_until(|p| p.status().state == ProviderState::Ready),
        )
        .await;
        assert!(running.groups().is_empty());
    }
}

#[tokio::test]
async fn changed_file_changes_its_groups() {
    let running = Running::start(&["t.yml"], |at| fs::write(at.join("t.yml"), TWO).unwrap());
    running.wait(&["t.yml:0 a:1", "t.yml:1 b:1,c:1"]).await;
    running.replace(
        "t.yml",
        "- targets: [x:1]\n- targets: [y:1]\n- targets: [z:1]\n",
    );
    running
        .wait(&["t.yml:0 x:1", "t.yml:1 y:1", "t.yml:2 z:1"])
        .await;
    running.replace("t.yml", "- targets: [x:1]\n");
    running.wait(&["t.yml:0 x:1"]).await;
}

#[tokio::test]
async fn partial_and_broken_writes_keep_the_old_groups() {
    let running = Running::start(&["t.yml"], |at| fs::write(at.join("t.yml"), TWO).unwrap());
    running.wait(&["t.yml:0 a:1", "t.yml:1 b:1,c:1"]).await;
    let path = running.path("t.yml");
    // Truncated first, as an editor does; then half a document; then the rest.
    for (content, why) in [
        ("", "empty"),
        ("- targets: [x:1]\n- targ", ""),
        ("gibberish", ""),
    ] {
        fs::write(&path, content).unwrap();
        running.wait_error(&[path.to_str().unwrap(), why]).await;
        assert_eq!(running.groups(), ["t.yml:0 a:1", "t.yml:1 b:1,c:1"]);
    }
    fs::write(&path, "- targets: [x:1]\n").unwrap();
    running.wait(&["t.yml:0 x:1"]).await;
    within(
        running
            .probe
            .wait_until(|p| p.status().state == ProviderState::Ready),
    )
    .await;
}

#[tokio::test]
async fn removed_file_takes_its_groups_along() {
    let running = Running::start(&["*.yml"], |at| {
        fs::write(at.join("a.yml"), TWO).unwrap();
        fs::write(at.join("b.yml"), "- targets: [z:1]\n").unwrap();
        fs::write(at.join("other.txt"), "not ours").unwrap();
    });
    running
        .wait(&["a.yml:0 a:1", "a.yml:1 b:1,c:1", "b.yml:0 z:1"])
        .await;
    fs::remove_file(running.path("a.yml")).unwrap();
    running.wait(&["b.yml:0 z:1"]).await;
    running.replace("c.yml", "- targets: [y:1]\n");
    running.wait(&["b.yml:0 z:1", "c.yml:0 y:1"]).await;
}

#[tokio::test]
async fn new_broken_file_takes_nothing_away_and_does_not_hold_removals() {
    let running = Running::start(&["*.yml"], |at| {
        fs::write(at.join("a.yml"), "- targets: [a:1]\n").unwrap();
        fs::write(at.join("b.yml"), "- targets: [b:1]\n").unwrap();
    });
    running.wait(&["a.yml:0 a:1", "b.yml:0 b:1"]).await;
    fs::write(running.path("broken.yml"), "{{{").unwrap();
    running.wait_error(&["broken.yml"]).await;
    assert_eq!(running.groups().len(), 2);
    fs::remove_file(running.path("a.yml")).unwrap();
    running.wait(&["b.yml:0 b:1"]).await;
}

#[cfg(unix)]
#[tokio::test]
async fn swapped_links_as_of_a_config_map_are_followed() {
    use std::os::unix::fs::symlink;
    let running = Running::start(&["t.yml"], |at| {
        fs::create_dir(at.join("..one")).unwrap();
        fs::write(at.join("..one/t.yml"), "- targets: [a:1]\n").unwrap();
        symlink("..one", at.join("..data")).unwrap();
        symlink("..data/t.yml", at.join("t.yml")).unwrap();
    });
    running.wait(&["t.yml:0 a:1"]).await;
    for (directory, address) in [("..two", "b:1"), ("..three", "c:1")] {
        fs::create_dir(running.path(directory)).unwrap();
        let content = format!("- targets: [{address}]\n");
        fs::write(running.path(directory).join("t.yml"), content).unwrap();
        symlink(directory, running.path("..data_tmp")).unwrap();
        fs::rename(running.path("..data_tmp"), running.path("..data")).unwrap();
        running.wait(&[&format!("t.yml:0 {address}")]).await;
    }
}

#[cfg(unix)]
#[tokio::test]
async fn file_that_a_link_leads_to_is_watched_where_it_lies() {
    use std::os::unix::fs::symlink;
    let elsewhere = tempfile::tempdir().unwrap();
    let real = elsewhere.path().join("real.yml");
    fs::write(&real, "- targets: [a:1]\n").unwrap();
    let running = Running::start(&["t.yml"], |at| symlink(&real, at.join("t.yml")).unwrap());
    running.wait(&["t.yml:0 a:1"]).await;
    fs::write(&real, "- targets: [b:1]\n").unwrap();
    running.wait(&["t.yml:0 b:1"]).await;
}

#[tokio::test]
async fn labels_of_yaml_are_texts_whatever_they_look_like() {
    let content = "- targets: [a:1]\n  labels: {number: 1, float: 1.50, flag: true, none: null}\n";
    let running = Running::start(&["t.yml"], |at| {
        fs::write(at.join("t.yml"), content).unwrap();
    });
    running.wait(&["t.yml:0 a:1"]).await;
    let groups = running.probe.groups();
    let labels = &groups.values().next().unwrap().labels;
    assert_eq!(labels.get("number"), Some("1"));
    assert_eq!(labels.get("float"), Some("1.50"));
    assert_eq!(labels.get("flag"), Some("true"));
    assert_eq!(labels.get("none").unwrap_or_default(), "");
}

#[cfg(unix)]
#[tokio::test]
async fn swapped_link_to_the_directory_itself_is_followed() {
    use std::os::unix::fs::symlink;
    let running = Running::start(&["current/*.yml"], |at| {
        for (release, address) in [("one", "a:1"), ("two", "b:1")] {
            fs::create_dir(at.join(release)).unwrap();
            let content = format!("- targets: [{address}]\n");
            fs::write(at.join(release).join("t.yml"), content).unwrap();
        }
        symlink("one", at.join("current")).unwrap();
    });
    running.wait(&["current/t.yml:0 a:1"]).await;
    symlink("two", running.path("next")).unwrap();
    fs::rename(running.path("next"), running.path("current")).unwrap();
    running.wait(&["current/t.yml:0 b:1"]).await;
    fs::write(running.path("two/t.yml"), "- targets: [c:1]\n").unwrap();
    running.wait(&["current/t.yml:0 c:1"]).await;
}

#[tokio::test]
async fn directory_may_come_later_go_and_come_again() {
    let running = Running::start(&["deep/er/t.yml"], |_| {});
    within(running.probe.wait_until(|probe| probe.status().synced)).await;
    for address in ["a:1", "b:1"] {
        fs::create_dir_all(running.path("deep/er")).unwrap();
        running.replace("deep/er/t.yml", &format!("- targets: [{address}]\n"));
        running.wait(&[&format!("deep/er/t.yml:0 {address}")]).await;
        fs::write(running.path("deep/er/t.yml"), "- targets: [x:1]\n").unwrap();
        running.wait(&["deep/er/t.yml:0 x:1"]).await;
        fs::remove_dir_all(running.path("deep")).unwrap();
        running.wait(&[]).await;
    }
}

#[cfg(unix)]
#[tokio::test]
async fn what_cannot_be_watched_is_read_every_now_and_then() {
    use std::os::unix::fs::symlink;
    // A link to a link: the place in between is not watched.
    let running = Running::start_every(Duration::from_millis(50), &["at/t.yml"], |at| {
        for directory in ["at", "between", "one", "two"] {
            fs::create_dir(at.join(directory)).unwrap();
        }
        fs::write(at.join("one/t.yml"), "- targets: [a:1]\n").unwrap();
        fs::write(at.join("two/t.yml"), "- targets: [b:1]\n").unwrap();
        symlink("../one/t.yml", at.join("between/t.yml")).unwrap();
        symlink("../between/t.yml", at.join("at/t.yml")).unwrap();
    });
    running.wait(&["at/t.yml:0 a:1"]).await;
    symlink("../two/t.yml", running.path("between/next")).unwrap();
    fs::rename(running.path("between/next"), running.path("between/t.yml")).unwrap();
    running.wait(&["at/t.yml:0 b:1"]).await;
}
