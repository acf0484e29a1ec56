//! `make fuzz`: what reads foreign text is fed text that nobody would write.
//!
//! Each target takes bytes and says in a few words what became of them. Inputs begin as recorded and
//! hand-written ones and are changed at random; one that has an outcome which was never seen is
//! changed further, so that a run goes deeper than chance alone would. That works with a stable
//! compiler, which has no coverage to be led by.
//!
//! A run fails if a target panics, takes longer than [`LONGEST`] for one input, or breaks a promise of its
//! own. The input is kept in a file, and the same seed finds it again.

mod host;
mod mutate;
mod targets;
mod words;

use std::collections::HashSet;
use std::io::Write;
use std::panic::AssertUnwindSafe;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use anyhow::{Context, bail};
use clap::Parser;
use rand::SeedableRng;
use rand::rngs::StdRng;

use crate::mutate::mutated;
use crate::targets::Target;

/// What one input may take, in a build without optimisation beside other work.
const LONGEST: Duration = Duration::from_secs(20);
/// Longer inputs are cut: they find nothing that shorter ones do not.
const MOST_BYTES: usize = 16 << 10;
/// Inputs that are changed further.
const MOST_KEPT: usize = 20_000;

/// Feeds parsers what nobody would write.
#[derive(Debug, Parser)]
struct Arguments {
    /// Which parsers [default: all of them, one after the other]
    #[arg(long, value_enum, value_delimiter = ',')]
    targets: Vec<Target>,
    /// Seconds for each
    #[arg(long, default_value_t = 600)]
    seconds: u64,
    /// Begins the random numbers; equal ones give equal inputs
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Folder with recorded cases
    #[arg(long, value_name = "DIR", default_value = "tests/conformance/goldens")]
    goldens: PathBuf,
    /// Where an input is kept that fails
    #[arg(long, value_name = "DIR", default_value = "target/fuzz")]
    kept: PathBuf,
    /// Feed this file to the only target, and nothing else
    #[arg(long, value_name = "FILE")]
    only: Option<PathBuf>,
}

/// The input that is looked at, for the watchman.
struct Current {
    target: Target,
    number: AtomicU64,
    input: Mutex<(Instant, Vec<u8>)>,
    kept: PathBuf,
}

fn main() -> anyhow::Result<()> {
    let arguments = Arguments::parse();
    let targets = if arguments.targets.is_empty() {
        Target::ALL.to_vec()
    } else {
        arguments.targets.clone()
    };
    if let Some(file) = &arguments.only {
        let input =
            std::fs::read(file).with_context(|| format!("failed to read `{}`", file.display()))?;
        let outcome = targets[0].start(&arguments.goldens)?.look(&input);
        return say(&format!("{:?}: {outcome}", targets[0]));
    }
    // The message of a panic is printed once, with its input, and not for each that is caught.
    std::panic::set_hook(Box::new(|_| {}));
    for target in targets {
        fuzz(target, &arguments)?;
    }
    Ok(())
}

/// Feeds one target for as long as asked.
fn fuzz(target: Target, arguments: &Arguments) -> anyhow::Result<()> {
    let looker = target.start(&arguments.goldens)?;
    let (mut inputs, words) = (looker.seeds(), looker.words());
    let mut random = StdRng::seed_from_u64(arguments.seed);
    let current = Arc::new(Current {
        target,
        number: AtomicU64::new(0),
        input: Mutex::new((Instant::now(), Vec::new())),
        kept: arguments.kept.clone(),
    });
    let _watched = watch(&current);
    let (mut outcomes, seeds) = (HashSet::new(), inputs.len());
    let until = Instant::now() + Duration::from_secs(arguments.seconds);
    let mut number = 0;
    while Instant::now() < until {
        let input = if number < seeds {
            inputs[number].clone()
        } else {
            mutated(&inputs, &words, MOST_BYTES, &mut random)
        };
        current.begin(&input);
        let outcome = std::panic::catch_unwind(AssertUnwindSafe(|| looker.look(&input)));
        match outcome {
            Ok(outcome) => {
                if outcomes.insert(outcome) && number >= seeds && inputs.len() < MOST_KEPT {
                    inputs.push(input);
                }
            }
            Err(panic) => {
                let text = panic.downcast_ref::<String>().cloned();
                let text = text.or_else(|| panic.downcast_ref::<&str>().map(|it| (*it).to_owned()));
                let file = keep(&arguments.kept, target, &input)?;
                let text = text.unwrap_or_default();
                bail!(
                    "{target:?} failed on input {number} of seed {}: {text}\n  input: {}",
                    arguments.seed,
                    file.display()
                );
            }
        }
        number += 1;
    }
    say(&format!(
        "{target:?}: {number} inputs, {} different outcomes, no failure (seed {})",
        outcomes.len(),
        arguments.seed
    ))
}

/// A thread that ends the process if one input takes too long; it ends with what it returns.
fn watch(current: &Arc<Current>) -> std::sync::mpsc::Sender<()> {
    let (sender, ended) = std::sync::mpsc::channel::<()>();
    let current = Arc::clone(current);
    std::thread::spawn(move || {
        while ended.recv_timeout(Duration::from_secs(1))
            == Err(std::sync::mpsc::RecvTimeoutError::Timeout)
        {
            let Ok(looked_at) = current.input.lock() else {
                return;
            };
            let (begun, input) = looked_at.clone();
            drop(looked_at);
            if begun.elapsed() > LONGEST {
                let number = current.number.load(Ordering::Relaxed);
                let file = keep(&current.kept, current.target, &input).unwrap_or_default();
                _ = say(&format!(
                    "{:?} took longer than {LONGEST:?} on input {number}: {}",
                    current.target,
                    file.display()
                ));
                std::process::exit(1);
            }
        }
    });
    sender
}

fn keep(folder: &Path, target: Target, input: &[u8]) -> anyhow::Result<PathBuf> {
    std::fs::create_dir_all(folder)?;
    let hash = periplus_core::ContentHash::of(input).to_string();
    let file = folder.join(format!("{target:?}-{}", &hash[..12]));
    std::fs::write(&file, input)?;
    Ok(file)
}

fn say(text: &str) -> anyhow::Result<()> {
    writeln!(std::io::stdout(), "{text}")?;
    Ok(())
}

// === impl Current ===

impl Current {
    fn begin(&self, input: &[u8]) {
        self.number.fetch_add(1, Ordering::Relaxed);
        if let Ok(mut current) = self.input.lock() {
            current.0 = Instant::now();
            current.1.clear();
            current.1.extend_from_slice(input);
        }
    }
}
