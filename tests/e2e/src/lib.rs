//! End to end on real parts: a real etcd and kube-apiserver, three real Prometheus servers, and Periplus.
//!
//! It owns the differential test: scripts change objects in the API server, and whether Prometheus discovers
//! by itself or through Periplus must make no difference. It must not use any crate of Periplus: what it tests
//! is the binary.
//!
//! ```text
//!   script --> kube-apiserver --> Prometheus (direct) ----------------------\
//!                      \                                                     compare
//!                       `--> Periplus --discovered--> Prometheus (relabels) -/ /
//!                               |-------final-------> Prometheus (as it is) --/
//!                               `-------final-------> reader: nothing missing, ever
//! ```

pub mod collectors;
pub mod compare;
pub mod facts;
pub mod forgive;
pub mod fronts;
pub mod generate;
pub mod history;
pub mod isolate;
pub mod kube;
pub mod marker;
pub mod periplus;
pub mod process;
pub mod prometheus;
pub mod proxy;
pub mod rbac;
pub mod rehearse;
pub mod runner;
pub mod script;
pub mod selector;
pub mod selftest;
pub mod sides;
pub mod steady;
pub mod steps;

/// Prints one line for the person who waits.
pub fn say(line: &str) {
    use std::io::Write;
    // With nobody listening there is nothing to say.
    let _ = writeln!(std::io::stdout(), "{line}");
}
