//! Picking up changed files: events where the system has them, a look every second where not.

use std::path::Path;
use std::sync::{Arc, Weak};
use std::time::{Duration, SystemTime};

use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep, timeout_at};

use crate::error::PluginError;
use crate::grants::chain;
use crate::plugin::Plugin;

/// Between two looks at the file without an event: network file systems and mounted volumes
/// send none.
const POLL: Duration = Duration::from_secs(1);
/// How long a file must be quiet before it is read: builds write in pieces.
const SETTLE: Duration = Duration::from_millis(150);

/// What tells one state of a file from the next without reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Stamp {
    modified: Option<SystemTime>,
    len: u64,
    inode: u64,
}

/// Follows a plugin's file for as long as the plugin exists.
pub(crate) async fn follow(plugin: Weak<Plugin>) {
    let Some(source) = plugin.upgrade().map(|p| p.source.clone()) else {
        return;
    };
    let (events, mut changed) = mpsc::channel(1);
    // The folder, not the file: builds and volumes replace files instead of writing into them.
    // One sender stays here, so that the channel is open without a watcher, too.
    let _watcher = watch(&source, events.clone());
    let mut known = stamp(&source).await;
    // What was read when the plugin was loaded may be older than the first look.
    let mut first = true;
    loop {
        let _ = timeout_at(Instant::now() + POLL, changed.recv()).await;
        let Some(plugin) = plugin.upgrade() else {
            return;
        };
        let now = stamp(&source).await;
        if now == known && !std::mem::take(&mut first) {
            continue;
        }
        known = settled(&source, now).await;
        take(&plugin, &source, &mut known).await;
        // Whatever arrived meanwhile is covered by the next look.
        while changed.try_recv().is_ok() {}
    }
}

/// Loads the file; if it changed while being read, the failure was that of half a file.
async fn take(plugin: &Plugin, source: &Path, known: &mut Option<Stamp>) {
    loop {
        let outcome = reload(plugin).await;
        let now = stamp(source).await;
        if now != *known {
            *known = settled(source, now).await;
            continue;
        }
        if let Err(error) = outcome {
            plugin.rejected(&chain(&error));
        }
        return;
    }
}

/// Loads what the file or the image holds now, unless it is what was loaded last.
pub(crate) async fn reload(plugin: &Plugin) -> Result<(), PluginError> {
    let newest = plugin.newest();
    let config = newest.config.clone();
    let digest = plugin.workshop.images.read(&config).await?.digest;
    if digest == newest.digest {
        plugin.file_restored(&newest);
        return Ok(());
    }
    plugin.reload(&config).await
}

/// Waits until two looks in a row agree.
async fn settled(source: &Path, mut now: Option<Stamp>) -> Option<Stamp> {
    loop {
        sleep(SETTLE).await;
        let next = stamp(source).await;
        if next == now {
            return now;
        }
        now = next;
    }
}

async fn stamp(source: &Path) -> Option<Stamp> {
    use std::os::unix::fs::MetadataExt;
    let metadata = tokio::fs::metadata(source).await.ok()?;
    Some(Stamp {
        modified: metadata.modified().ok(),
        len: metadata.len(),
        inode: metadata.ino(),
    })
}

/// None: no events; the look every second goes on.
fn watch(source: &Path, events: mpsc::Sender<()>) -> Option<RecommendedWatcher> {
    let folder = source.parent()?.to_owned();
    let name = source.file_name()?.to_owned();
    let handler = move |event: notify::Result<notify::Event>| {
        let ours = event.is_ok_and(|event| {
            event
                .paths
                .iter()
                .any(|path| path.file_name() == Some(&*name))
        });
        if ours {
            // Full: a look is due already.
            let _ = events.try_send(());
        }
    };
    let watched = notify::recommended_watcher(handler).and_then(|mut watcher| {
        watcher.watch(&folder, RecursiveMode::NonRecursive)?;
        Ok(watcher)
    });
    match watched {
        Ok(watcher) => Some(watcher),
        Err(error) => {
            tracing::debug!(%error, folder = %folder.display(), "No file events; looking every second");
            None
        }
    }
}

/// Follows in the background.
pub(crate) fn spawn(plugin: &Arc<Plugin>) {
    if plugin.newest().config.image.is_some() {
        tokio::spawn(crate::image::follow(Arc::downgrade(plugin)));
    } else {
        tokio::spawn(follow(Arc::downgrade(plugin)));
    }
}
