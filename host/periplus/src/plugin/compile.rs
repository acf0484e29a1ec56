//! `periplus plugin compile`, and the process of its own in which every host compiles.

use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::bail;
use clap::Args;
use periplus_plugin::{
    ChildCompiler, Compiler, CompilerBounds, PluginHost, PluginHostOptions, compile_as_child,
};

use crate::args::LoadArgs;
use crate::load;

#[derive(Debug, Args)]
pub(crate) struct CompileArgs {
    /// Components, `.wasm`.
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,

    #[command(flatten)]
    load: LoadArgs,
}

/// What the host tells its compiler.
#[derive(Debug, Args)]
pub(crate) struct CompileChildArgs {
    /// Bytes of address space.
    #[arg(long)]
    memory: u64,

    /// Seconds of processor time.
    #[arg(long)]
    cpu: u64,
}

/// Compiles into the cache and says what each file took. One bad file does not keep the others
/// from it.
pub(crate) async fn compile(args: CompileArgs) -> anyhow::Result<()> {
    let host = PluginHost::new(PluginHostOptions {
        watch: false,
        ..load::plugin_options(&args.load)
    })?;
    let mut failed = 0;
    for file in &args.files {
        let (shown, began) = (file.display(), Instant::now());
        if std::io::stderr().is_terminal() {
            writeln!(std::io::stderr(), "compiling {shown} ...")?;
        }
        match host.compile(file).await {
            Ok(true) => writeln!(std::io::stdout(), "{shown}: compiled already")?,
            Ok(false) => {
                let seconds = began.elapsed().as_secs_f64();
                writeln!(std::io::stdout(), "{shown}: compiled in {seconds:.1} s")?;
            }
            Err(error) => {
                failed += 1;
                let error = anyhow::Error::new(error);
                writeln!(std::io::stderr(), "error: {error:#}")?;
            }
        }
    }
    if failed > 0 {
        bail!("{failed} of {} files were not compiled", args.files.len());
    }
    Ok(())
}

/// The compiler's own side; the exit code says how it went.
pub(crate) fn compile_child(args: &CompileChildArgs) -> ExitCode {
    compile_as_child(&CompilerBounds {
        memory: args.memory,
        cpu: Duration::from_secs(args.cpu),
        ..CompilerBounds::default()
    })
    .into()
}

/// This program once more, for each component; without a path to it, this process.
pub(crate) fn compiler() -> Compiler {
    let Some(program) = this_program() else {
        return Compiler::InProcess;
    };
    let bounds = CompilerBounds::default();
    let arguments = [
        "plugin".to_owned(),
        "compile-child".to_owned(),
        format!("--memory={}", bounds.memory),
        format!("--cpu={}", bounds.cpu.as_secs()),
    ];
    let arguments = arguments.into_iter().map(Into::into).collect();
    Compiler::Child(ChildCompiler::new(program, arguments, bounds))
}

fn this_program() -> Option<PathBuf> {
    // The very program that runs, even where an upgrade has put another in its place: code of
    // another version would not fit this engine.
    let running = Path::new("/proc/self/exe");
    if running.exists() {
        return Some(running.to_owned());
    }
    std::env::current_exe().ok()
}
