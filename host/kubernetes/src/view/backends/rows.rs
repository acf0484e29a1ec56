//! Where in a group the targets of a backend stand.

use super::Flavor;
use crate::record::Record;
use crate::resource::backends::{Backend, BackendPort, Subset};
use crate::resource::endpoints::Endpoints;
use crate::resource::slice::SliceFields;
use crate::view::joined::{cluster_key, namespaced_key};

/// A backend with the place of its targets. It has one for each port with each address.
pub(super) struct Row<'r, 'a> {
    /// The number of the backend in its object.
    pub(super) ordinal: usize,
    pub(super) subset: Subset<'a>,
    pub(super) ports: &'r [BackendPort<'a>],
    pub(super) backend: Backend<'a>,
    pub(super) place: Place,
}

/// Where targets stand among those of a group.
#[derive(Clone, Copy, Debug)]
pub(super) struct Place {
    first: usize,
    /// How far it is from one to the next.
    stride: usize,
    len: usize,
}

/// Calls `each` for all backends of an object, in order; the number of their targets.
///
/// The targets of an endpoint of a slice stand together. Those of Endpoints are ordered by port.
pub(super) fn each_row<'a>(
    flavor: Flavor,
    record: &'a Record,
    mut each: impl FnMut(&Row<'_, 'a>),
) -> usize {
    let mut ordinal = 0;
    let mut begin = 0;
    let mut of_subset = |subset: Subset<'a>| {
        let ports: Vec<BackendPort<'a>> = subset.ports().collect();
        let backends = match flavor {
            Flavor::Slices => 1,
            Flavor::Endpoints => subset.backend_count(),
        };
        for (at, backend) in subset.backends().enumerate() {
            let place = match flavor {
                Flavor::Slices => Place {
                    first: begin,
                    stride: 1,
                    len: ports.len() * backend.address_count(),
                },
                Flavor::Endpoints => Place {
                    first: begin + at,
                    stride: backends,
                    len: ports.len(),
                },
            };
            each(&Row {
                ordinal,
                subset,
                ports: &ports,
                backend,
                place,
            });
            ordinal += 1;
            if flavor == Flavor::Slices {
                begin += place.len;
            }
        }
        if flavor == Flavor::Endpoints {
            begin += ports.len() * backends;
        }
    };
    match flavor {
        Flavor::Slices => SliceFields::of(record)
            .subset
            .into_iter()
            .for_each(of_subset),
        Flavor::Endpoints => Endpoints::subsets(record).for_each(&mut of_subset),
    }
    begin
}

// === impl Row ===

impl<'a> Row<'_, 'a> {
    /// The name of the node that it runs on or is.
    pub(super) fn node(&self, flavor: Flavor) -> Option<&'a str> {
        let Backend { target, node, .. } = self.backend;
        let is_node = target.filter(|target| target.kind == "Node");
        let is_node = is_node.map(|target| target.name);
        match flavor {
            Flavor::Slices => is_node.or(node),
            Flavor::Endpoints => node.or(is_node),
        }
    }

    pub(super) fn node_key(&self, flavor: Flavor) -> Option<String> {
        self.node(flavor).map(|name| cluster_key("node", name))
    }

    /// Namespace and name of the Pod that it is.
    pub(super) fn pod(&self) -> Option<(&'a str, &'a str)> {
        let target = self.backend.target.filter(|target| target.kind == "Pod");
        target.map(|target| (target.namespace, target.name))
    }

    pub(super) fn pod_key(&self) -> Option<String> {
        let (namespace, name) = self.pod()?;
        Some(namespaced_key("pod", namespace, name))
    }
}

// === impl Place ===

impl Place {
    /// How many targets there are.
    pub(super) fn len(self) -> usize {
        self.len
    }

    pub(super) fn is_empty(self) -> bool {
        self.len == 0
    }

    /// The number of each target.
    pub(super) fn indexes(self) -> impl Iterator<Item = usize> {
        (0..self.len).map(move |at| self.first + at * self.stride)
    }
}
