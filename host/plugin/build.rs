//! Notes the digests of the plugins of this repository that are built, so that the host knows them again.

use std::path::PathBuf;
use std::{env, fs};

use sha2::{Digest, Sha256};

/// Plugins whose mechanisms have presets.
const WITH_PRESETS: [&str; 1] = ["consul"];

fn main() {
    println!("cargo::rerun-if-env-changed=PERIPLUS_PLUGINS_DIR");
    let manifest = PathBuf::from(env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it"));
    let folder = env::var_os("PERIPLUS_PLUGINS_DIR").map_or_else(
        || manifest.join("../../plugins/target/wasm32-wasip2/release"),
        PathBuf::from,
    );
    for name in WITH_PRESETS {
        let file = folder.join(format!("{name}.wasm"));
        println!("cargo::rerun-if-changed={}", file.display());
        // One that is not built is one that the host does not know; nothing else depends on it.
        let digest = fs::read(&file).map_or_else(
            |_| String::new(),
            |bytes| format!("{:x}", Sha256::digest(&bytes)),
        );
        println!(
            "cargo::rustc-env=PERIPLUS_DIGEST_{}={digest}",
            name.to_uppercase()
        );
    }
}
