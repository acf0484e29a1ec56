//! The kinds of disruptions, and how each is done.

use std::io;
use std::time::Duration;

use serde_json::Value;

use super::{BAND, Run};
use crate::{Fault, InitialFault, Rule, Verb, WatchFault, WatchList};

/// Resources whose watches are disturbed.
const RESOURCES: &[&str] = &["pods", "nodes", "services", "endpointslices", "namespaces"];

/// A kind of disruption.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is what `Disruption::explain` says")]
pub enum Disruption {
    Restart,
    LongRestart,
    CutConnections,
    DrainConnections,
    HalfOpen,
    Compaction,
    ExpiredTokens,
    BusyWithRetryAfter,
    BusyWithout,
    BusyWatchLists,
    ServerErrors,
    Disconnects,
    Unanswered,
    CutMidLine,
    CutWatches,
    EndWatches,
    Stall,
    TruncatedBodies,
    SlowBodies,
    Garbage,
    Malformed,
    RepeatedEvents,
    WatchListOff,
    WatchListIgnored,
    WatchListOn,
    ServersDisagree,
    InitialDuplicated,
    InitialShuffled,
    InitialTwice,
    InitialWithoutBookmark,
    InitialCut,
    HistoryLost,
    OlderBackup,
    NewUids,
}

// === impl Disruption ===

impl Disruption {
    /// All kinds.
    pub const ALL: [Self; 34] = [
        Self::Restart,
        Self::LongRestart,
        Self::CutConnections,
        Self::DrainConnections,
        Self::HalfOpen,
        Self::Compaction,
        Self::ExpiredTokens,
        Self::BusyWithRetryAfter,
        Self::BusyWithout,
        Self::BusyWatchLists,
        Self::ServerErrors,
        Self::Disconnects,
        Self::Unanswered,
        Self::CutMidLine,
        Self::CutWatches,
        Self::EndWatches,
        Self::Stall,
        Self::TruncatedBodies,
        Self::SlowBodies,
        Self::Garbage,
        Self::Malformed,
        Self::RepeatedEvents,
        Self::WatchListOff,
        Self::WatchListIgnored,
        Self::WatchListOn,
        Self::ServersDisagree,
        Self::InitialDuplicated,
        Self::InitialShuffled,
        Self::InitialTwice,
        Self::InitialWithoutBookmark,
        Self::InitialCut,
        Self::HistoryLost,
        Self::OlderBackup,
        Self::NewUids,
    ];

    /// Its name in lines and tables.
    pub fn name(self) -> &'static str {
        self.words().0
    }

    /// What it is.
    pub fn explain(self) -> &'static str {
        self.words().1
    }

    fn words(self) -> (&'static str, &'static str) {
        match self {
            Self::Restart => ("restart", "stops, and listens again at once"),
            Self::LongRestart => (
                "long restart",
                "is away for a while, in which objects change",
            ),
            Self::CutConnections => ("cut", "cuts every connection"),
            Self::DrainConnections => ("drain", "asks clients to connect anew"),
            Self::HalfOpen => ("half-open", "connections fall silent and stay open"),
            Self::Compaction => ("410 storm", "no version of before can be gone on from"),
            Self::ExpiredTokens => ("expired tokens", "lists cannot be continued, amid relists"),
            Self::BusyWithRetryAfter => (
                "429, retry-after",
                "refuses everything, and says until when",
            ),
            Self::BusyWithout => ("429", "refuses everything, and does not say until when"),
            Self::BusyWatchLists => (
                "429 for watch lists",
                "refuses watches that begin with the state",
            ),
            Self::ServerErrors => ("5xx", "answers everything by an error of its own"),
            Self::Disconnects => ("disconnects", "cuts connections instead of answering"),
            Self::Unanswered => ("unanswered", "takes requests and never answers them"),
            Self::CutMidLine => ("cut mid-line", "cuts watches in the middle of a line"),
            Self::CutWatches => ("cut watches", "cuts watches between lines"),
            Self::EndWatches => ("end watches", "ends watches in good order"),
            Self::Stall => ("stall", "watches stay open and say nothing"),
            Self::TruncatedBodies => ("truncated bodies", "lists break off"),
            Self::SlowBodies => ("slow bodies", "lists and watches come in drops"),
            Self::Garbage => ("garbage", "watches say what is no event"),
            Self::Malformed => ("malformed", "one object is not what its kind is"),
            Self::RepeatedEvents => ("repeated events", "watches say their last event again"),
            Self::WatchListOff => (
                "watch list off",
                "refuses watches that begin with the state",
            ),
            Self::WatchListIgnored => ("watch list ignored", "no longer knows of such watches"),
            Self::WatchListOn => ("watch list on", "offers such watches"),
            Self::ServersDisagree => ("servers disagree", "offers them to every other request"),
            Self::InitialDuplicated => ("initial, duplicated", "each initial event comes twice"),
            Self::InitialShuffled => ("initial, shuffled", "initial events come in no order"),
            Self::InitialTwice => ("initial, twice", "all initial events come twice"),
            Self::InitialWithoutBookmark => ("initial, no bookmark", "their end is not told"),
            Self::InitialCut => ("initial, cut", "the connection breaks before their end"),
            Self::HistoryLost => ("history lost", "the same objects at lower versions"),
            Self::OlderBackup => ("older backup", "the objects of earlier, at lower versions"),
            Self::NewUids => (
                "new uids",
                "the same names under new UIDs, at lower versions",
            ),
        }
    }
}

// === impl Run ===

impl Run<'_> {
    /// Makes it happen, and writes it down.
    pub(super) async fn happen(&mut self, what: Disruption) -> io::Result<()> {
        use Disruption as D;
        let detail = match what {
            D::Restart | D::LongRestart => self.restart(what == D::LongRestart).await?,
            D::Malformed => {
                self.heal().await?;
                let named = self.spoil();
                self.relist(&named)
            }
            D::HistoryLost | D::OlderBackup | D::NewUids => self.lose(what).await?,
            other => self.begin(other),
        };
        self.note(what, detail);
        Ok(())
    }

    /// What happens at once, without a restart.
    fn begin(&mut self, what: Disruption) -> String {
        use Disruption as D;
        match what {
            D::CutConnections => connections(self.api.cut_connections()),
            D::DrainConnections => connections(self.api.drain_connections()),
            D::HalfOpen => connections(self.api.freeze_connections()),
            D::Compaction => self.relist("410"),
            D::ExpiredTokens => {
                self.rule(Rule::new(Fault::ExpiredToken).verb(Verb::List));
                self.api.expire_tokens();
                self.relist("tokens and versions")
            }
            D::CutMidLine => self.watches(&WatchFault::CutMidLine),
            D::CutWatches => self.watches(&WatchFault::Cut),
            D::EndWatches => self.watches(&WatchFault::End),
            D::Stall => self.watches(&WatchFault::Stall),
            D::RepeatedEvents => self.watches(&WatchFault::Repeat),
            D::Garbage => {
                let lines = [
                    "{]",
                    "",
                    "null",
                    r#"{"type":"MODIFIED","object":{"metadata":"#,
                ];
                let line = lines[self.random.below(lines.len())];
                self.watches(&WatchFault::Line(line.to_owned()));
                format!("`{line}`")
            }
            D::TruncatedBodies => {
                let bytes = self.random.below(20_000);
                self.rule(Rule::new(Fault::TruncateBody(bytes)).verb(Verb::List));
                self.relist(&format!("after {bytes} bytes"))
            }
            D::SlowBodies => {
                let slow = Fault::SlowBody {
                    chunk: 512,
                    pause: Duration::from_millis(2),
                };
                self.rule(Rule::new(slow));
                self.relist("512 bytes every 2 ms")
            }
            D::WatchListOff => self.watch_list(WatchList::Refused),
            D::WatchListIgnored => self.watch_list(WatchList::Ignored),
            D::WatchListOn => self.watch_list(WatchList::On),
            D::ServersDisagree => {
                let other = [WatchList::Refused, WatchList::Ignored][self.random.below(2)];
                let rule = Rule::new(Fault::WatchList(other)).initial_events(true);
                self.rule(rule.times(2));
                self.relist(&format!("{other:?} twice"))
            }
            D::InitialDuplicated => self.initial(InitialFault::Duplicated),
            D::InitialShuffled => self.initial(InitialFault::Shuffled),
            D::InitialTwice => self.initial(InitialFault::Twice),
            D::InitialWithoutBookmark => self.initial(InitialFault::NoBookmark),
            D::InitialCut => self.initial(InitialFault::CutBeforeBookmark),
            other => self.refuse(other),
        }
    }

    /// Requests that get no answer, or none that helps.
    fn refuse(&mut self, what: Disruption) -> String {
        use Disruption as D;
        match what {
            D::BusyWithRetryAfter => self.refuse_all(429, Some(1)),
            D::BusyWithout => self.refuse_all(429, None),
            D::ServerErrors => {
                let code = [500, 502, 503, 504][self.random.below(4)];
                self.refuse_all(code, None)
            }
            D::BusyWatchLists => {
                let busy = Fault::Busy {
                    retry_after: Some(1),
                };
                self.rule(Rule::new(busy).verb(Verb::Watch).initial_events(true));
                self.relist("429")
            }
            D::Disconnects => {
                let times = 1 + self.random.below(4) as u32;
                self.rule(Rule::new(Fault::Disconnect).times(times));
                self.watches(&WatchFault::End)
            }
            // `Unanswered`: every other kind has been dealt with.
            _ => {
                let times = 1 + self.random.below(3) as u32;
                self.rule(Rule::new(Fault::Hang).times(times));
                self.watches(&WatchFault::End)
            }
        }
    }

    async fn restart(&mut self, long: bool) -> io::Result<String> {
        self.api.pause().await;
        let away = if long {
            self.between(self.lasts / 4, self.lasts)
        } else {
            Duration::ZERO
        };
        let changes = if long { 5 } else { 0 };
        for _ in 0..changes {
            self.world.step(self.api, &mut self.journal);
        }
        tokio::time::sleep(away).await;
        self.api.resume()?;
        Ok(format!("{} ms, {changes} changes", away.as_millis()))
    }

    /// Something happens to all running watches.
    fn watches(&self, what: &WatchFault) -> String {
        let mut count = 0;
        for resource in RESOURCES {
            count += self.api.open_watches(resource);
            self.api.faults().watches(resource, what.clone());
        }
        format!("{count} watches")
    }

    /// Lets clients list again, by whatever way they have.
    fn relist(&self, detail: &str) -> String {
        self.api.compact();
        let watches = self.watches(&WatchFault::Error(410));
        format!("{detail}, {watches}")
    }

    /// Refuses every request for a while, and makes clients ask.
    fn refuse_all(&mut self, code: u16, retry_after: Option<u32>) -> String {
        let plain = code == 429 && self.random.below(2) == 0;
        let fault = if plain {
            Fault::Busy { retry_after }
        } else {
            Fault::Status { code, retry_after }
        };
        self.rule(Rule::new(fault));
        let watches = self.watches(&WatchFault::End);
        format!("{code}, {watches}")
    }

    fn watch_list(&mut self, mode: WatchList) -> String {
        self.api.set_watch_list(mode);
        self.relist("from now on")
    }

    fn initial(&mut self, what: InitialFault) -> String {
        let rule = Rule::new(Fault::Initial(what)).initial_events(true);
        self.rule(rule.times(6));
        self.relist("up to 6 watches")
    }

    async fn lose(&mut self, what: Disruption) -> io::Result<String> {
        let now = self.api.backup();
        let mut objects = match what {
            Disruption::OlderBackup => self.backups[self.random.below(self.backups.len())].clone(),
            _ => now.clone(),
        };
        self.backups.push(now);
        if what == Disruption::NewUids {
            for object in &mut objects {
                if let Some(metadata) = object["metadata"].as_object_mut() {
                    metadata.shift_remove("uid");
                }
            }
        }
        let Some(band) = self.band.checked_sub(BAND) else {
            return Ok("versions are used up: start the server with `Chaos::server`".to_owned());
        };
        self.band = band;
        self.world.forget_all_but(&objects, &mut self.journal);
        self.api.lose_history(band, objects).await?;
        let restored: Vec<Value> = self.api.backup();
        self.world.adopt(&restored, &mut self.journal);
        Ok(format!("{} objects from version {band}", restored.len()))
    }
}

fn connections(count: usize) -> String {
    format!("{count} connections")
}
