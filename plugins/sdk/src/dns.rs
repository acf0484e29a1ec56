//! Look-ups of granted names through the host's resolver and its search list.

use crate::Failure;

#[cfg(target_family = "wasm")]
use crate::component::host;
#[cfg(not(target_family = "wasm"))]
use crate::testing::host;

/// One record. `data` is in presentation format, for example `10 5 8080 host.example.` for SRV.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The name that has it.
    pub name: String,
    /// As in a zone file: `A`, `SRV` and so on.
    pub kind: String,
    /// Seconds.
    pub ttl: u32,
    /// Presentation format.
    pub data: String,
}

/// The records of one name. Empty: no such name, or nothing of that kind.
pub fn resolve(name: &str, kind: &str) -> Result<Vec<Record>, Failure> {
    resolve_all(&[(name, kind)])
        .pop()
        .unwrap_or_else(|| Ok(Vec::new()))
}

/// Several look-ups at once, each a name and a kind; results stand in the order of the questions.
pub fn resolve_all(questions: &[(&str, &str)]) -> Vec<Result<Vec<Record>, Failure>> {
    host::dns_resolve(questions)
}
