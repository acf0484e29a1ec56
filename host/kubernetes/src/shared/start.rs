//! From a need to the driver that follows its kind of object.

use std::sync::Arc;

use futures::future::BoxFuture;
use tokio_util::sync::CancellationToken;
use tracing::Instrument;

use super::WatchContext;
use super::fanout::Fanout;
use super::need::Need;
use crate::driver::Driver;
use crate::driver::kept::SharedKept;
use crate::resource::Resource;
use crate::resource::custom::Custom;
use crate::resource::endpoints::Endpoints;
use crate::resource::ingress::Ingress;
use crate::resource::job::Job;
use crate::resource::namespace::Namespace;
use crate::resource::node::Node;
use crate::resource::pod::Pod;
use crate::resource::replica_set::ReplicaSet;
use crate::resource::service::Service;
use crate::resource::slice::EndpointSlice;
use crate::view::ObjectKind;

/// The work of one watch, until `stop` is cancelled.
pub(super) fn watch(
    context: &WatchContext,
    need: &Need,
    kept: SharedKept<Fanout>,
    stop: CancellationToken,
) -> BoxFuture<'static, ()> {
    let drop = need.drop.clone();
    match need.kind {
        ObjectKind::Pod => run(Pod::new(drop), context, need, kept, stop),
        ObjectKind::Node => run(Node::new(drop), context, need, kept, stop),
        ObjectKind::Service => run(Service::new(drop), context, need, kept, stop),
        ObjectKind::Endpoints => run(Endpoints::new(drop), context, need, kept, stop),
        ObjectKind::EndpointSlice => run(EndpointSlice::new(drop), context, need, kept, stop),
        ObjectKind::Ingress => run(Ingress::new(drop), context, need, kept, stop),
        ObjectKind::Namespace => run(Namespace::new(drop), context, need, kept, stop),
        ObjectKind::ReplicaSet => run(ReplicaSet, context, need, kept, stop),
        ObjectKind::Job => run(Job, context, need, kept, stop),
        ObjectKind::Custom => match &need.custom {
            Some(spec) => run(
                Custom::new(Arc::clone(spec), drop),
                context,
                need,
                kept,
                stop,
            ),
            // Who needs a custom resource says which.
            None => Box::pin(std::future::ready(())),
        },
    }
}

fn run<R: Resource>(
    resource: R,
    context: &WatchContext,
    need: &Need,
    kept: SharedKept<Fanout>,
    stop: CancellationToken,
) -> BoxFuture<'static, ()> {
    let WatchContext { api, metrics, gate } = context.clone();
    let collection = need.collection(resource.kind());
    let span = tracing::info_span!("watch", %collection);
    let driver = Driver::new(api, resource, collection, kept, gate, metrics);
    Box::pin(driver.run(stop).instrument(span))
}
