//! Compiling plugins in a process of its own.

use std::path::PathBuf;
use std::time::Duration;

use periplus_plugin::{ChildCompiler, Compiler, CompilerBounds, PluginHost, PluginHostOptions};

use crate::lab::{Lab, shipped, shipped_bytes};

fn entries(lab: &Lab) -> Vec<PathBuf> {
    let files = std::fs::read_dir(lab.path("cache")).unwrap();
    files.map(|it| it.unwrap().path()).collect()
}

/// A host whose compiler is the binary under these bounds.
fn host(lab: &Lab, bounds: CompilerBounds) -> std::sync::Arc<PluginHost> {
    let arguments = [
        "plugin".to_owned(),
        "compile-child".to_owned(),
        format!("--memory={}", bounds.memory),
        format!("--cpu={}", bounds.cpu.as_secs()),
    ];
    let arguments = arguments.into_iter().map(Into::into).collect();
    let program = env!("CARGO_BIN_EXE_periplus").into();
    PluginHost::new(PluginHostOptions {
        cache_dir: Some(lab.path("cache")),
        compiler: Compiler::Child(ChildCompiler::new(program, arguments, bounds)),
        ..PluginHostOptions::default()
    })
    .unwrap()
}

#[tokio::test]
async fn the_cache_is_filled_ahead_of_time() {
    let lab = Lab::new("");
    lab.write("module.wasm", wat::parse_str("(module)").unwrap());
    let (good, bad) = (shipped("sockets"), lab.path("module.wasm"));
    let (good, bad) = (good.to_str().unwrap(), bad.to_str().unwrap());
    let cache = lab.path("cache");
    let options = ["--plugin-cache", cache.to_str().unwrap()];

    // One that is none does not keep the other from it.
    let first = lab.say(&["plugin", "compile", bad, good], &options).await;
    assert_eq!(first.code, Some(1));
    assert!(
        first.stderr.contains("core module") && first.stderr.contains("1 of 2 files"),
        "{first:?}"
    );
    assert!(first.stdout.contains(": compiled in "), "{first:?}");
    let filled = entries(&lab);
    assert_eq!(filled.len(), 1, "{filled:?}");

    let second = lab.say(&["plugin", "compile", good], &options).await;
    assert_eq!(second.code, Some(0));
    assert!(second.stdout.contains(": compiled already"), "{second:?}");
    assert_eq!(entries(&lab), filled);
}

#[tokio::test]
async fn code_that_is_not_valid_is_the_plugins_mistake() {
    let lab = Lab::new("");
    let mut component = shipped_bytes("sockets");
    let middle = component.len() / 3;
    component[middle..middle + 64].fill(0xff);
    lab.write("damaged.wasm", &component);
    let host = host(&lab, CompilerBounds::default());
    let file = lab.path("damaged.wasm");
    let error = host.compile(&file).await.unwrap_err().to_string();
    assert!(
        error.contains("does not compile: ") || error.contains("damaged"),
        "{error}"
    );
    assert_eq!(entries(&lab), Vec::<PathBuf>::new(), "nothing is left");
}

#[tokio::test]
async fn a_compiler_that_needs_too_much_ends_and_the_host_goes_on() {
    let lab = Lab::new("");
    let file = shipped("sockets");
    let usual = CompilerBounds::default();
    // Enough to start with, and not enough for Cranelift.
    let narrow = CompilerBounds {
        memory: 96 << 20,
        ..usual
    };
    let hasty = CompilerBounds {
        wall: Duration::from_nanos(1),
        ..usual
    };
    for (bounds, expected) in [
        (narrow, "needed more than 96 MiB of memory"),
        (hasty, "was not done after 1ns"),
    ] {
        let error = host(&lab, bounds).compile(&file).await.unwrap_err();
        let text = error.to_string();
        assert!(
            text.contains(expected) && text.contains("sockets.wasm"),
            "{text}"
        );
        assert_eq!(entries(&lab), Vec::<PathBuf>::new(), "nothing is left");
    }
    assert!(!host(&lab, usual).compile(&file).await.unwrap());
    assert!(host(&lab, usual).compile(&file).await.unwrap());
}
