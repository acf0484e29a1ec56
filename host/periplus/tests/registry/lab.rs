//! A real registry on loopback with a password, a proxy before it that cuts, and the binary.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use rcgen::{KeyPair, PKCS_ECDSA_P256_SHA256};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

pub(crate) const USER: &str = "operator";
pub(crate) const PASSWORD: &str = "correct horse";

/// A folder with keys, credentials and a store, and a registry.
pub(crate) struct Lab {
    pub(crate) home: tempfile::TempDir,
    registry: Child,
    /// `host:port`.
    pub(crate) address: String,
}

/// How a command ended.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) ok: bool,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// A proxy that passes bytes on, and cuts answers as told.
pub(crate) struct Proxy {
    pub(crate) address: String,
    /// Answers longer than a few kilobytes that are still to be cut.
    pub(crate) cuts: Arc<AtomicI64>,
    /// Whether connections are closed at once, as if the registry were down.
    pub(crate) down: Arc<AtomicBool>,
}

// === impl Lab ===

impl Lab {
    pub(crate) fn new() -> Self {
        let home = tempfile::tempdir().unwrap();
        let hash = bcrypt::hash(PASSWORD, 4).unwrap();
        std::fs::write(home.path().join("htpasswd"), format!("{USER}:{hash}\n")).unwrap();
        let config = format!(
            "version: 0.1\nlog: {{level: info, accesslog: {{disabled: true}}}}\n\
             storage: {{filesystem: {{rootdirectory: {0}/registry}}, delete: {{enabled: true}}}}\n\
             http: {{addr: '127.0.0.1:0'}}\n\
             auth: {{htpasswd: {{realm: test, path: {0}/htpasswd}}}}\n",
            home.path().display()
        );
        std::fs::write(home.path().join("registry.yml"), config).unwrap();
        let mut registry = Command::new("docker-registry")
            .arg("serve")
            .arg(home.path().join("registry.yml"))
            .env("OTEL_TRACES_EXPORTER", "none")
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("`docker-registry` is needed (Debian: apt-get install docker-registry)");
        let address = listening_at(&mut registry);
        let lab = Self {
            home,
            registry,
            address,
        };
        lab.log_in("config.json", &[&lab.address], PASSWORD);
        lab.key("ours");
        lab.key("other");
        lab
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// What a tool writes that logs in.
    pub(crate) fn log_in(&self, name: &str, registries: &[&str], password: &str) {
        let entry = serde_json::json!({"username": USER, "password": password});
        let auths: serde_json::Map<_, _> = registries
            .iter()
            .map(|it| ((*it).to_owned(), entry.clone()))
            .collect();
        let text = serde_json::json!({ "auths": auths }).to_string();
        std::fs::write(self.path(name), text).unwrap();
    }

    fn key(&self, name: &str) {
        let pair = KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).unwrap();
        std::fs::write(self.path(&format!("{name}.key")), pair.serialize_pem()).unwrap();
        std::fs::write(self.path(&format!("{name}.pub")), pair.public_key_pem()).unwrap();
    }

    pub(crate) fn key_path(&self, name: &str) -> String {
        self.path(name).to_str().unwrap().to_owned()
    }

    /// The binary with this lab's credentials and a store.
    pub(crate) fn command(&self, store: &str) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_periplus"));
        command
            .env_clear()
            .env("DOCKER_CONFIG", self.home.path())
            .env("PERIPLUS_PLUGIN_STORE", self.path(store))
            .env("PERIPLUS_PLUGIN_CACHE", self.path("cache"))
            .current_dir(self.home.path())
            .stdin(Stdio::null());
        command
    }

    /// `periplus plugin ...`, off the runtime's threads, on which the proxy runs.
    pub(crate) async fn plugin(&self, store: &str, words: &[&str]) -> Ended {
        let mut command = self.command(store);
        command.arg("plugin").args(words);
        let output = tokio::task::spawn_blocking(move || command.output());
        Ended::of(output.await.unwrap().unwrap())
    }

    /// Where the registry keeps the bytes of a digest.
    pub(crate) fn registry_blob(&self, digest: &str) -> PathBuf {
        let hex = digest.strip_prefix("sha256:").unwrap();
        let blobs = self.path("registry/docker/registry/v2/blobs/sha256");
        blobs.join(&hex[..2]).join(hex).join("data")
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        let _ = self.registry.kill();
        let _ = self.registry.wait();
    }
}

/// The address that the registry says it listens on; its log is read to the end, or it would wait.
fn listening_at(registry: &mut Child) -> String {
    let mut lines = BufReader::new(registry.stderr.take().unwrap()).lines();
    let mut seen = Vec::new();
    let address = loop {
        let Some(line) = lines.next() else {
            panic!("the registry ended: {seen:?}");
        };
        let line = line.unwrap();
        if let Some((_, rest)) = line.split_once("listening on ") {
            let end = rest.find(['"', ' ', ',']).unwrap_or(rest.len());
            break rest[..end].to_owned();
        }
        seen.push(line);
    };
    std::thread::spawn(move || lines.for_each(drop));
    address
}

// === impl Ended ===

impl Ended {
    fn of(output: Output) -> Self {
        Self {
            ok: output.status.success(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }

    /// What went well has printed the name that pins it; its digest.
    pub(crate) fn digest(&self) -> String {
        assert!(self.ok, "{self:?}");
        let (_, digest) = self.stdout.trim().split_once('@').unwrap();
        digest.to_owned()
    }

    pub(crate) fn refused(&self, expected: &str) {
        assert!(!self.ok, "{self:?}");
        assert!(self.stderr.contains(expected), "{self:?}");
    }
}

// === impl Proxy ===

impl Proxy {
    pub(crate) async fn before(lab: &Lab) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let cuts = Arc::new(AtomicI64::new(0));
        let (behind, remaining) = (lab.address.clone(), Arc::clone(&cuts));
        let down = Arc::new(AtomicBool::new(false));
        let is_down = Arc::clone(&down);
        tokio::spawn(async move {
            while let Ok((front, _)) = listener.accept().await {
                if is_down.load(Ordering::Relaxed) {
                    continue;
                }
                let back = TcpStream::connect(&behind).await.unwrap();
                tokio::spawn(pass(front, back, Arc::clone(&remaining)));
            }
        });
        Self {
            address,
            cuts,
            down,
        }
    }
}

/// Passes both directions on; an answer that grows long while cuts are due ends the connection.
async fn pass(front: TcpStream, back: TcpStream, cuts: Arc<AtomicI64>) {
    let (mut front_in, mut front_out) = front.into_split();
    let (mut back_in, mut back_out) = back.into_split();
    let asking = tokio::spawn(async move {
        let _ = tokio::io::copy(&mut front_in, &mut back_out).await;
    });
    let (mut piece, mut sent) = (vec![0; 4096], 0);
    while let Ok(n @ 1..) = back_in.read(&mut piece).await {
        sent += n;
        if sent > 32 << 10 && cuts.fetch_sub(1, Ordering::Relaxed) > 0 {
            break;
        }
        if front_out.write_all(&piece[..n]).await.is_err() {
            break;
        }
    }
    asking.abort();
}

/// A plugin of this repository.
pub(crate) fn shipped(name: &str) -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    let folder = std::env::var_os("PERIPLUS_PLUGINS_DIR").map_or_else(
        || here.join("../../plugins/target/wasm32-wasip2/release"),
        PathBuf::from,
    );
    let file = folder.join(format!("{name}.wasm"));
    assert!(
        file.is_file(),
        "{} is missing; run `make plugins`",
        file.display()
    );
    file
}
