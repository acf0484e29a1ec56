//! What one API server was found not to offer.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::Collection;

/// How long it is remembered. A server that was updated, or whose other half answers now, is
/// asked again after that, and not sooner: servers behind one address may disagree.
pub(crate) const REMEMBERED: Duration = Duration::from_hours(1);

/// What the watches of one API server have found out about it, each for all.
#[derive(Default)]
pub(crate) struct Capabilities {
    /// Paths of resources whose states are listed and not streamed, and until when that holds.
    /// Bounded by the number of kinds that are followed.
    lists_only: Mutex<HashMap<String, Instant>>,
}

// === impl Capabilities ===

impl Capabilities {
    /// Whether it is worth asking for a streamed state of this resource.
    pub(crate) fn streams(&self, collection: &Collection) -> bool {
        let lists_only = self
            .lists_only
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        lists_only
            .get(&resource(collection))
            .is_none_or(|until| *until <= Instant::now())
    }

    /// Remembers for some time that states of this resource are to be listed.
    pub(crate) fn lists_only(&self, collection: &Collection, time: Duration) {
        let mut lists_only = self
            .lists_only
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        lists_only.insert(resource(collection), Instant::now() + time);
    }
}

/// The resource without its namespace: one handler of the server serves all of them.
fn resource(collection: &Collection) -> String {
    format!("{}/{}", collection.group_path, collection.plural)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_refusal_counts_for_one_resource_in_all_namespaces_and_for_an_hour() {
        let of = |plural: &'static str, namespace: Option<&str>| Collection {
            group_path: "/api/v1".into(),
            plural: plural.into(),
            namespace: namespace.map(str::to_owned),
            ..Collection::default()
        };
        let capabilities = Capabilities::default();
        assert!(capabilities.streams(&of("pods", None)));
        capabilities.lists_only(&of("pods", Some("a")), REMEMBERED);
        assert!(!capabilities.streams(&of("pods", None)));
        assert!(capabilities.streams(&of("nodes", None)));
        tokio::time::advance(REMEMBERED).await;
        assert!(capabilities.streams(&of("pods", None)));
    }
}
