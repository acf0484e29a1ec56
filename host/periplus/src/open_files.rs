//! How many files and connections the process may have open.

use periplus_serve::ServeLimits;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// Raises the limit to what the system allows at most: the usual one of 1,024 is kept low for
/// programs that use `select`, and fewer than the connections that readers may have.
///
/// Returns the limits for the listener, which gets half of it at most: sources need some too.
pub(crate) fn raise() -> ServeLimits {
    let known = getrlimit(Resource::Nofile);
    let wanted = Rlimit {
        current: known.maximum,
        maximum: known.maximum,
    };
    let raised = match setrlimit(Resource::Nofile, wanted) {
        Ok(()) => known.maximum,
        Err(error) => {
            tracing::warn!(%error, "Failed to raise the number of files that may be open");
            known.current
        }
    };
    let mut limits = ServeLimits::default();
    if let Some(raised) = raised {
        let half = usize::try_from(raised / 2).unwrap_or(usize::MAX);
        limits.connections = limits.connections.min(half.max(1));
    }
    limits
}
