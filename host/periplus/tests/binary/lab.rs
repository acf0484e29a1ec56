//! A folder with a configuration and plugins, and what the binary says about it.

use std::path::{Path, PathBuf};
use std::process::{Output, Stdio};
use std::sync::OnceLock;

use tokio::process::Command;

use crate::running::{Running, within};

/// A folder of its own for one test.
pub(crate) struct Lab {
    home: tempfile::TempDir,
}

/// A command line that came to its end.
#[derive(Debug)]
pub(crate) struct Ended {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

// === impl Lab ===

impl Lab {
    /// A folder with this configuration.
    pub(crate) fn new(config: &str) -> Self {
        let home = tempfile::tempdir().unwrap();
        let lab = Self { home };
        lab.configure(config);
        lab
    }

    /// Writes the configuration anew.
    pub(crate) fn configure(&self, config: &str) {
        self.write("prometheus.yml", config);
    }

    pub(crate) fn config(&self) -> PathBuf {
        self.path("prometheus.yml")
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    pub(crate) fn write(&self, name: &str, content: impl AsRef<[u8]>) {
        std::fs::write(self.path(name), content).unwrap();
    }

    pub(crate) fn make_folder(&self, name: &str) {
        std::fs::create_dir(self.path(name)).unwrap();
    }

    /// Puts a file in the place of another at once, as careful writers do.
    pub(crate) fn replace(&self, name: &str, content: impl AsRef<[u8]>) {
        let beside = self.path(&format!(".{name}.new"));
        std::fs::write(&beside, content).unwrap();
        std::fs::rename(beside, self.path(name)).unwrap();
    }

    /// The binary, serving; with these options besides the ones that every test needs.
    pub(crate) async fn run(&self, options: &[&str]) -> Running {
        let mut command = command();
        command.args(["run", "--listen", "127.0.0.1:0"]);
        if !options.contains(&"--admin-listen") {
            command.args(["--admin-listen", "127.0.0.1:0"]);
        }
        command.arg("--config").arg(self.config()).args(options);
        Running::start(command).await
    }

    /// The binary, when it is expected not to start.
    pub(crate) async fn run_in_vain(&self, options: &[&str]) -> Ended {
        let mut command = command();
        command.args(["run", "--listen", "127.0.0.1:0"]);
        command.args(["--admin-listen", "127.0.0.1:0", "--config"]);
        command.arg(self.config()).args(options);
        let ended = Ended::of(within(command.output()).await.unwrap());
        assert_eq!(ended.code, Some(1), "it began to serve: {ended:?}");
        ended
    }

    /// `periplus check config`.
    pub(crate) async fn check(&self, options: &[&str]) -> Ended {
        self.command(&["check", "config"], options).await
    }

    /// A question to a host that runs.
    pub(crate) async fn ask(&self, host: &Running, words: &[&str]) -> Ended {
        self.ask_at(&host.url(), words).await
    }

    /// The same to whatever is at an address.
    pub(crate) async fn ask_at(&self, url: &str, words: &[&str]) -> Ended {
        let mut command = command();
        command.args(words).args(["--url", url]);
        Ended::of(within(command.output()).await.unwrap())
    }

    /// A command that reads no configuration.
    pub(crate) async fn say(&self, words: &[&str], options: &[&str]) -> Ended {
        let mut command = command();
        command.args(words).args(options);
        Ended::of(within(command.output()).await.unwrap())
    }

    /// A command that takes the configuration as its next argument, and then these options.
    pub(crate) async fn command(&self, words: &[&str], options: &[&str]) -> Ended {
        let mut command = command();
        command.args(words).arg(self.config()).args(options);
        Ended::of(within(command.output()).await.unwrap())
    }
}

// === impl Ended ===

impl Ended {
    fn of(output: Output) -> Self {
        let text = |bytes| String::from_utf8(bytes).unwrap();
        Self {
            code: output.status.code(),
            stdout: text(output.stdout),
            stderr: text(output.stderr),
        }
    }

    /// Standard output with the lab's folder as `DIR`.
    pub(crate) fn shown(&self, lab: &Lab) -> String {
        self.stdout
            .replace(lab.home.path().to_str().unwrap(), "DIR")
    }
}

/// The binary, with nothing of the environment that these tests run in.
fn command() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_periplus"));
    command
        // Not the folder of the configuration: paths in it must not depend on where one is.
        .current_dir(std::env::temp_dir())
        .env_clear()
        // One compile cache for all tests: they load the same plugins.
        .env("PERIPLUS_PLUGIN_CACHE", cache())
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

fn cache() -> PathBuf {
    let cache = Path::new(env!("CARGO_TARGET_TMPDIR")).join("plugin-cache");
    std::fs::create_dir_all(&cache).unwrap();
    cache
}

/// A plugin of this repository, such as `sockets`.
pub(crate) fn shipped(name: &str) -> PathBuf {
    let folder = std::env::var_os("PERIPLUS_PLUGINS_DIR").map_or_else(
        || here().join("../../plugins/target/wasm32-wasip2/release"),
        PathBuf::from,
    );
    let file = folder.join(format!("{name}.wasm"));
    assert!(
        file.is_file(),
        "`{}` is missing; run `make plugins`",
        file.display()
    );
    file.canonicalize().unwrap()
}

pub(crate) fn shipped_bytes(name: &str) -> Vec<u8> {
    std::fs::read(shipped(name)).unwrap()
}

/// The component with some bytes of its data in the place of others of the same length: what a
/// rebuild after an edit of a text amounts to.
pub(crate) fn edited(mut component: Vec<u8>, from: &str, to: &str) -> Vec<u8> {
    assert_eq!(from.len(), to.len(), "the layout must stay");
    let mut found = 0;
    for at in 0..component.len() - from.len() {
        if &component[at..at + from.len()] == from.as_bytes() {
            component[at..at + to.len()].copy_from_slice(to.as_bytes());
            found += 1;
        }
    }
    assert!(found > 0, "the component does not hold `{from}`");
    component
}

/// The guest that does what its section's `mode` says, most of it forbidden; the one of the
/// plugin host's own tests. Built once per run.
pub(crate) fn hostile() -> Vec<u8> {
    static BUILT: OnceLock<Vec<u8>> = OnceLock::new();
    BUILT
        .get_or_init(|| {
            let manifest = here().join("../plugin/tests/guests/hostile/Cargo.toml");
            let target = here().join("../../target/guests");
            build(&manifest, &target);
            std::fs::read(target.join("wasm32-wasip2/release/hostile.wasm")).unwrap()
        })
        .clone()
}

fn build(manifest: &Path, target: &Path) {
    let arguments = [
        "build",
        "--release",
        "--locked",
        "--target",
        "wasm32-wasip2",
    ];
    let built = std::process::Command::new(env!("CARGO"))
        .args(arguments)
        .arg("--manifest-path")
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
