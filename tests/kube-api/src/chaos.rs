//! A server under which everything goes wrong: objects come, change and go while at random moments each
//! fault that this crate knows happens.
//!
//! ```text
//!   seed --> deck of disruptions --> KubeApi <-- churn <-- World
//!                     |                                      |
//!                     +---------------> Journal <------------+  lives of objects, final state
//! ```
//!
//! The [`Journal`] is what a test compares a client with. An object *existed throughout* an interval if it
//! had one UID, was in the server's state all the time, also over a restore from a backup, and was never
//! shown malformed.

mod disruption;
mod journal;
mod world;

use std::io::{self, Write};
use std::time::Duration;

use serde_json::Value;
use tokio::time::Instant;

pub use disruption::Disruption;
pub use journal::{Happened, Journal, Life};

use crate::load::Random;
use crate::{Fault, KubeApi, Options, Rule};
use world::World;

/// Versions lie this far apart before and after history is lost, so that no version of before is reached
/// again: a client could not tell.
const BAND: u64 = 1_000_000;

/// How much happens.
#[derive(Clone, Debug)]
pub struct ChaosOptions {
    /// Pods; their number stays within a fifth of this.
    pub pods: usize,
    /// Nodes that the Pods are on.
    pub nodes: usize,
    /// Namespaces, each with a service and a slice of endpoints.
    pub namespaces: usize,
    /// Changes to objects per second.
    pub churn_per_second: f64,
    /// What goes wrong; every kind comes once before one comes twice.
    pub disruptions: Vec<Disruption>,
    /// Mean time between two of them. By default so that each comes at least once, and at most 2 s.
    pub every: Option<Duration>,
    /// Whether each is told on standard error as it happens.
    pub loud: bool,
}

/// A run to come. Everything but the clock follows from its seed.
#[derive(Debug)]
pub struct Chaos {
    seed: u64,
    options: ChaosOptions,
}

/// A run under way.
struct Run<'a> {
    api: &'a mut KubeApi,
    random: Random,
    world: World,
    journal: Journal,
    /// How long a fault stays, at most.
    lasts: Duration,
    /// Rules in force and when they end; with them what they made malformed.
    rules: Vec<(Instant, u64)>,
    malformed: Option<(Instant, u64)>,
    /// Older states that a restore may go back to.
    backups: Vec<Vec<Value>>,
    /// The version to begin at when history is lost next.
    band: u64,
    loud: bool,
}

// === impl ChaosOptions ===

impl Default for ChaosOptions {
    fn default() -> Self {
        Self {
            pods: 60,
            nodes: 5,
            namespaces: 3,
            churn_per_second: 25.0,
            disruptions: Disruption::ALL.to_vec(),
            every: None,
            loud: false,
        }
    }
}

// === impl Chaos ===

impl Chaos {
    /// A run that follows from the seed.
    pub fn new(seed: u64, options: ChaosOptions) -> Self {
        Self { seed, options }
    }

    /// Options for a server that is to live through this: versions high enough to lose history often,
    /// bookmarks every second.
    pub fn server() -> Options {
        Options {
            first_version: 1_000 * BAND,
            bookmark_interval: Duration::from_secs(1),
            ..Options::default()
        }
    }

    /// Fills the server, so that a client can be started before anything goes wrong. [`Chaos::run`] does it
    /// if it was not done.
    pub fn fill(&self, api: &KubeApi) {
        if api.names("v1/pods").is_empty() {
            let mut journal = Journal::new(self.seed);
            World::new(&self.options, self.seed).fill(api, &mut journal);
        }
    }

    /// Runs for `duration` by tokio's clock. At the end all faults are removed, the server has been
    /// restarted once more, and what was malformed has been written again: from there on a client that is
    /// right comes to the final state. Half-open connections stay so.
    pub async fn run(self, api: &mut KubeApi, duration: Duration) -> io::Result<Journal> {
        let deck = self.options.disruptions.clone();
        let share = duration.mul_f64(0.9) / deck.len().max(1) as u32;
        let every = self.options.every.unwrap_or(share);
        let every = every.clamp(Duration::from_millis(1), Duration::from_secs(2));
        let mut journal = Journal::new(self.seed);
        let mut world = World::new(&self.options, self.seed);
        self.fill(api);
        world.adopt(&api.backup(), &mut journal);
        let band = api.version();
        let mut run = Run {
            random: Random::for_object(self.seed, "chaos", 0),
            backups: vec![api.backup()],
            api,
            world,
            journal,
            lasts: every.mul_f64(1.5),
            rules: Vec::new(),
            malformed: None,
            band,
            loud: self.options.loud,
        };
        run.disrupt_until(
            Instant::now() + duration,
            &deck,
            every,
            self.options.churn_per_second,
        )
        .await?;
        run.settle().await?;
        run.journal.finish(run.api.backup());
        Ok(run.journal)
    }
}

// === impl Run ===

impl Run<'_> {
    async fn disrupt_until(
        &mut self,
        end: Instant,
        kinds: &[Disruption],
        every: Duration,
        churn_per_second: f64,
    ) -> io::Result<()> {
        let between = Duration::from_secs_f64(1.0 / churn_per_second.max(0.001));
        let mut deck: Vec<Disruption> = Vec::new();
        let mut next_change = Instant::now();
        let mut next_fault = Instant::now() + every / 2;
        loop {
            let next = next_change.min(next_fault).min(self.next_end());
            if next >= end {
                tokio::time::sleep_until(end).await;
                return Ok(());
            }
            tokio::time::sleep_until(next).await;
            let now = Instant::now();
            self.end_due(now).await?;
            if next_change <= now {
                self.world.step(self.api, &mut self.journal);
                next_change = now + between;
            }
            if next_fault <= now && !kinds.is_empty() {
                if deck.is_empty() {
                    deck = kinds.to_vec();
                }
                let drawn = deck.swap_remove(self.random.below(deck.len()));
                self.happen(drawn).await?;
                next_fault = Instant::now() + self.between(every.mul_f64(0.5), every);
            }
        }
    }

    /// A random time between two.
    fn between(&mut self, least: Duration, most: Duration) -> Duration {
        least + (most.saturating_sub(least)).mul_f64(self.random.below(1_000) as f64 / 1_000.0)
    }

    fn next_end(&self) -> Instant {
        let ends = self
            .rules
            .iter()
            .chain(&self.malformed)
            .map(|(end, _)| *end);
        ends.min()
            .unwrap_or_else(|| Instant::now() + Duration::from_hours(1))
    }

    /// Puts a fault in force for a while.
    fn rule(&mut self, rule: Rule) -> u64 {
        let id = self.api.faults().add(rule);
        let end = Instant::now() + self.between(self.lasts / 4, self.lasts);
        self.rules.push((end, id));
        id
    }

    async fn end_due(&mut self, now: Instant) -> io::Result<()> {
        let faults = self.api.faults();
        self.rules.retain(|(end, id)| {
            let stays = *end > now;
            if !stays {
                faults.remove(*id);
            }
            stays
        });
        if self.malformed.is_some_and(|(end, _)| end <= now) {
            self.heal().await?;
        }
        Ok(())
    }

    /// Shows an object malformed in lists and watches that begin from now on.
    fn spoil(&mut self) -> String {
        let Some((namespace, name)) = self.world.spoil(&mut self.journal) else {
            return "no Pod to spoil".to_owned();
        };
        const BROKEN: &[&str] = &[
            r#"{"metadata":{"namespace":"NS","name":"NAME","resourceVersion":"7"},"spec":{"containers":7}}"#,
            r#"{"metadata":{"namespace":["NS"],"name":null},"status":{"podIP":{}}}"#,
            r#"{"metadata":7,"spec":null,"status":"Running"}"#,
        ];
        let broken = BROKEN[self.random.below(BROKEN.len())];
        let json = broken.replace("NS", &namespace).replace("NAME", &name);
        let text = format!("{namespace}/{name}");
        let fault = Fault::Replace {
            namespace,
            name,
            json,
        };
        let id = self.api.faults().add(Rule::new(fault).resource("pods"));
        let end = Instant::now() + self.between(self.lasts / 4, self.lasts);
        self.malformed = Some((end, id));
        text
    }

    /// Shows what was malformed as it is. Watches that began while it was malformed would go on to show it
    /// so, and end; then it is written again, for clients that have skipped it.
    async fn heal(&mut self) -> io::Result<()> {
        let Some((_, id)) = self.malformed.take() else {
            return Ok(());
        };
        self.api.faults().remove(id);
        self.api.pause().await;
        self.api.resume()?;
        self.world.touch_spoiled(self.api);
        Ok(())
    }

    async fn settle(&mut self) -> io::Result<()> {
        self.api.faults().clear();
        self.api.set_watch_list(crate::WatchList::On);
        self.heal().await?;
        self.api.pause().await;
        self.api.resume()?;
        self.world.touch_spoiled(self.api);
        Ok(())
    }

    fn note(&mut self, what: Disruption, detail: String) {
        let happened = self.journal.note(what, detail);
        if self.loud {
            // Whoever does not read the lines misses nothing that the journal lacks.
            let _ = writeln!(io::stderr(), "{happened}");
        }
    }
}
