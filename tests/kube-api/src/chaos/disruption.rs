//! The kinds of disruptions, and what each is.

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
    ServersApart,
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
    pub const ALL: [Self; 35] = [
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
        Self::ServersApart,
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
            Self::ServersApart => ("servers apart", "shows older states where that is allowed"),
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
