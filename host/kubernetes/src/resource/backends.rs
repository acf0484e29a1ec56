//! What stands behind a service, as records of Endpoints and of slices hold it alike.

use crate::record::{PairIter, Reader, Writer};
use crate::wire::{ObjectReference, Pairs, Text};

/// Backends with the ports that each of them has. A slice is one subset.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Subset<'a> {
    ports: Reader<'a>,
    backends: Reader<'a>,
}

/// One endpoint of a slice, or one address of Endpoints.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backend<'a> {
    /// All of it: two backends with equal bytes are equal.
    pub(crate) bytes: &'a [u8],
    /// The object that it is.
    pub(crate) target: Option<Target<'a>>,
    pub(crate) node: Option<&'a str>,
    addresses: Reader<'a>,
    details: Reader<'a>,
}

/// The object that a backend is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Target<'a> {
    pub(crate) kind: &'a str,
    pub(crate) namespace: &'a str,
    pub(crate) name: &'a str,
}

/// What is said of a backend besides.
#[derive(Clone, Debug)]
pub(crate) struct Details<'a> {
    pub(crate) ready: Option<bool>,
    pub(crate) serving: Option<bool>,
    pub(crate) terminating: Option<bool>,
    pub(crate) hostname: Option<&'a str>,
    pub(crate) zone: Option<&'a str>,
    pub(crate) topology: PairIter<'a>,
}

/// A port of a subset.
#[derive(Clone, Copy, Debug)]
pub(crate) struct BackendPort<'a> {
    pub(crate) number: Option<u64>,
    pub(crate) name: Option<&'a str>,
    pub(crate) protocol: Option<&'a str>,
    pub(crate) app_protocol: Option<&'a str>,
}

/// What is packed of a backend.
#[derive(Default)]
pub(super) struct Packable<'w, 'a> {
    pub(super) addresses: &'w [Text<'a>],
    pub(super) target: Option<&'w ObjectReference<'a>>,
    pub(super) node: Option<&'w Text<'a>>,
    /// Ready, serving, terminating.
    pub(super) conditions: [Option<bool>; 3],
    pub(super) hostname: Option<&'w Text<'a>>,
    pub(super) zone: Option<&'w Text<'a>>,
    pub(super) topology: Option<&'w Pairs<'a>>,
}

/// The subsets that a record holds from `reader` on.
pub(crate) fn subsets(mut reader: Reader<'_>) -> impl Iterator<Item = Subset<'_>> {
    std::iter::from_fn(move || {
        (!reader.is_empty()).then(|| Subset {
            ports: reader.block(),
            backends: reader.block(),
        })
    })
}

/// Packs one subset.
pub(super) fn pack_subset<'w>(
    writer: &mut Writer,
    ports: impl Iterator<Item = BackendPort<'w>>,
    backends: impl Iterator<Item = Packable<'w, 'w>>,
) {
    writer.block(|writer| ports.for_each(|port| port.pack(writer)));
    writer.block(|writer| {
        backends.for_each(|backend| writer.block(|writer| backend.pack(writer)));
    });
}

// === impl Subset ===

impl<'a> Subset<'a> {
    /// All ports: two subsets with equal bytes have equal ones.
    pub(crate) fn port_bytes(&self) -> &'a [u8] {
        self.ports.bytes()
    }

    /// Its ports.
    pub(crate) fn ports(&self) -> impl Iterator<Item = BackendPort<'a>> + use<'a> {
        let mut reader = self.ports;
        std::iter::from_fn(move || {
            (!reader.is_empty()).then(|| BackendPort {
                number: reader.flag().then(|| reader.number()),
                name: reader.optional_text(),
                protocol: reader.optional_text(),
                app_protocol: reader.optional_text(),
            })
        })
    }

    /// How many backends it has.
    pub(crate) fn backend_count(&self) -> usize {
        self.backends.block_count()
    }

    /// Its backends.
    pub(crate) fn backends(&self) -> impl Iterator<Item = Backend<'a>> + use<'a> {
        let mut reader = self.backends;
        std::iter::from_fn(move || (!reader.is_empty()).then(|| Backend::read(reader.block())))
    }
}

// === impl Backend ===

impl<'a> Backend<'a> {
    fn read(mut reader: Reader<'a>) -> Self {
        Self {
            bytes: reader.bytes(),
            addresses: reader.block(),
            target: reader.flag().then(|| Target {
                kind: reader.text(),
                namespace: reader.text(),
                name: reader.text(),
            }),
            node: reader.optional_text(),
            details: reader,
        }
    }

    /// Its addresses.
    pub(crate) fn addresses(&self) -> impl Iterator<Item = &'a str> + use<'a> {
        let mut reader = self.addresses;
        std::iter::from_fn(move || (!reader.is_empty()).then(|| reader.text()))
    }

    /// How many addresses it has.
    pub(crate) fn address_count(&self) -> usize {
        self.addresses.block_count()
    }

    /// What is said of it besides.
    pub(crate) fn details(&self) -> Details<'a> {
        let mut reader = self.details;
        Details {
            ready: reader.optional_flag(),
            serving: reader.optional_flag(),
            terminating: reader.optional_flag(),
            hostname: reader.optional_text(),
            zone: reader.optional_text(),
            topology: reader.pairs(),
        }
    }
}

// === impl BackendPort ===

impl BackendPort<'_> {
    fn pack(&self, writer: &mut Writer) {
        writer.flag(self.number.is_some());
        if let Some(number) = self.number {
            writer.number(number);
        }
        writer.optional_text(self.name);
        writer.optional_text(self.protocol);
        writer.optional_text(self.app_protocol);
    }
}

// === impl Packable ===

impl Packable<'_, '_> {
    fn pack(&self, writer: &mut Writer) {
        writer.block(|writer| {
            for address in self.addresses {
                writer.text(address.as_str());
            }
        });
        writer.flag(self.target.is_some());
        if let Some(target) = self.target {
            writer.text(target.kind.as_str());
            writer.text(target.namespace.as_str());
            writer.text(target.name.as_str());
        }
        writer.optional_text(self.node.map(Text::as_str));
        for condition in self.conditions {
            writer.optional_flag(condition);
        }
        writer.optional_text(self.hostname.map(Text::as_str));
        writer.optional_text(self.zone.map(Text::as_str));
        writer.pairs(self.topology.iter().flat_map(|pairs| pairs.iter()));
    }
}
