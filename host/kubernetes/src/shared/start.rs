//! From a need to the driver that follows its kind of object.

use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::WatchContext;
use super::fanout::Fanout;
use super::need::Need;
use crate::api::Collection;
use crate::driver::Driver;
use crate::driver::kept::SharedKept;
use crate::resource::Resource;
use crate::resource::any::ResourceVisitor;

/// Begins to follow the resource that it is shown.
struct Start {
    context: WatchContext,
    collection: Collection,
    kept: SharedKept<Fanout>,
    stop: CancellationToken,
}

/// The work of one watch, until `stop` is cancelled.
pub(super) fn watch(
    context: &WatchContext,
    need: &Need,
    kept: SharedKept<Fanout>,
    stop: CancellationToken,
) -> BoxFuture<'static, ()> {
    let start = Start {
        context: context.clone(),
        collection: need.collection(),
        kept,
        stop,
    };
    need.kind.visit(need.drop.clone(), start)
}

impl ResourceVisitor for Start {
    type Output = BoxFuture<'static, ()>;

    fn visit<R: Resource>(self, resource: R) -> Self::Output {
        let Self {
            context,
            collection,
            kept,
            stop,
        } = self;
        let WatchContext { api, metrics, gate } = context;
        let span = tracing::info_span!("watch", %collection);
        let driver = Driver::new(api, resource, collection, kept, gate, metrics);
        Box::pin(driver.run(stop).instrument(span))
    }
}
