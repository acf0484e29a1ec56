use std::time::{Duration, SystemTime};

use sha2::{Digest as _, Sha256};

use super::*;
use crate::source::hex;

const BOUND: u64 = 1 << 30;

fn plugin_with(text: &str) -> Arc<VerifiedPlugin> {
    let bytes = wat::parse_str(text).unwrap();
    let digest = hex(&Sha256::digest(&bytes));
    Arc::new(VerifiedPlugin {
        path: "x.wasm".into(),
        bytes,
        digest,
    })
}

fn plugin() -> Arc<VerifiedPlugin> {
    plugin_with("(component (core module (func (export \"f\"))))")
}

fn other() -> Arc<VerifiedPlugin> {
    plugin_with("(component (core module (func (export \"other\"))))")
}

fn cache(directory: &Path, bound: u64) -> CompileCache {
    CompileCache::open(Some(directory), bound, Compiler::InProcess).unwrap()
}

fn entries(directory: &Path) -> Vec<PathBuf> {
    fs::read_dir(directory)
        .unwrap()
        .map(|e| e.unwrap().path())
        .collect()
}

/// Makes a file look as if it was not used for an hour and a minute.
fn age(path: &Path) {
    let long_ago = SystemTime::now() - Duration::from_mins(61);
    fs::File::open(path)
        .unwrap()
        .set_modified(long_ago)
        .unwrap();
}

#[tokio::test]
async fn an_entry_is_private_and_used_again() {
    let home = tempfile::tempdir().unwrap();
    let directory = home.path().join("a/b");
    let cache = cache(&directory, BOUND);
    let engine = Engine::default();
    cache.component(&engine, &plugin()).await.unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&directory), 0o700);
    let path = entries(&directory).pop().unwrap();
    assert_eq!(mode(&path), 0o600);
    assert!(cache.holds(&engine, &plugin().digest));
    let inode = std::os::unix::fs::MetadataExt::ino(&fs::metadata(&path).unwrap());
    cache.component(&engine, &plugin()).await.unwrap();
    assert_eq!(entries(&directory), std::slice::from_ref(&path));
    let now = std::os::unix::fs::MetadataExt::ino(&fs::metadata(&path).unwrap());
    assert_eq!(now, inode);
}

#[tokio::test]
async fn a_damaged_entry_is_built_anew() {
    let home = tempfile::tempdir().unwrap();
    let cache = cache(home.path(), BOUND);
    let engine = Engine::default();
    cache.component(&engine, &plugin()).await.unwrap();
    let path = entries(home.path()).pop().unwrap();
    let good = fs::read(&path).unwrap();
    let mut flipped = good.clone();
    flipped[good.len() / 2] ^= 1;
    for damaged in [
        &good[..good.len() / 2],
        &[good.as_slice(), b"x"].concat(),
        &flipped,
        b"",
    ] {
        fs::write(&path, damaged).unwrap();
        assert!(cache.load(&engine, &plugin().digest).is_none());
        cache.component(&engine, &plugin()).await.unwrap();
        assert_eq!(fs::read(&path).unwrap().len(), good.len());
    }
}

#[tokio::test]
async fn what_was_not_used_for_longest_makes_room() {
    let home = tempfile::tempdir().unwrap();
    let engine = Engine::default();
    let roomy = cache(home.path(), BOUND);
    roomy.component(&engine, &plugin()).await.unwrap();
    let first = entries(home.path()).pop().unwrap();
    age(&first);
    let draft = home.path().join("1-2.draft");
    fs::write(&draft, b"left behind").unwrap();
    age(&draft);
    // Room for one: the newest is kept even where it alone is too large.
    let narrow = cache(home.path(), 1);
    narrow.component(&engine, &other()).await.unwrap();
    let left = entries(home.path());
    assert_eq!(left.len(), 1, "{left:?}");
    assert!(!first.exists() && !draft.exists());
    assert!(narrow.holds(&engine, &other().digest));
}

#[tokio::test]
async fn entries_of_other_versions_go_first() {
    let home = tempfile::tempdir().unwrap();
    let engine = Engine::default();
    let roomy = cache(home.path(), BOUND);
    roomy.component(&engine, &plugin()).await.unwrap();
    age(&entries(home.path()).pop().unwrap());
    let foreign = format!("{}-{}-{}.cwasm", "a".repeat(64), "b".repeat(16), "c");
    let foreign = home.path().join(foreign);
    fs::write(&foreign, vec![0; 1 << 20]).unwrap();
    let bound = (1 << 20) - 1;
    cache(home.path(), bound)
        .component(&engine, &other())
        .await
        .unwrap();
    assert!(!foreign.exists());
    assert!(roomy.holds(&engine, &plugin().digest));
}

#[tokio::test]
async fn without_a_directory_everything_is_compiled() {
    let cache = CompileCache::open(None, BOUND, Compiler::InProcess).unwrap();
    cache
        .component(&Engine::default(), &plugin())
        .await
        .unwrap();
}
