//! Services.

use super::filter::AnnotationFilter;
use super::{Kind, ObjectNames, Resource};
use crate::record::{Reader, Record, Writer};
use crate::wire::{Metadata, Text, nullable};

pub(super) static KIND: Kind = Kind::builtin_keyed("/api/v1", "services", "service", "svc");

/// The kind `Service`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Service {
    left_out: AnnotationFilter,
}

/// What a record holds of a Service, besides its metadata.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ServiceFields<'a> {
    /// The family of addresses whose slices count, if the Service has two families; else empty.
    pub(crate) primary_family: &'a str,
    pub(crate) kind: &'a str,
    pub(crate) cluster_ip: &'a str,
    pub(crate) external_name: &'a str,
    /// The addresses of its load balancer, joined by commas.
    pub(crate) load_balancer: &'a str,
    ports: Reader<'a>,
}

/// A port of a Service, as a record holds it.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ServicePortFields<'a> {
    pub(crate) number: i64,
    pub(crate) name: &'a str,
    pub(crate) protocol: &'a str,
}

/// A Service as read, without what discovery does not need.
#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
pub(crate) struct ServiceWire<'a> {
    #[serde(borrow, deserialize_with = "nullable")]
    metadata: Metadata<'a>,
    #[serde(borrow, deserialize_with = "nullable")]
    spec: ServiceSpec<'a>,
    #[serde(borrow, deserialize_with = "nullable")]
    status: ServiceStatus<'a>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ServiceSpec<'a> {
    #[serde(borrow, rename = "type")]
    kind: Text<'a>,
    #[serde(borrow, rename = "clusterIP")]
    cluster_ip: Text<'a>,
    #[serde(borrow)]
    external_name: Text<'a>,
    #[serde(borrow, rename = "loadBalancerIP")]
    load_balancer_ip: Text<'a>,
    #[serde(borrow)]
    ip_family_policy: Text<'a>,
    #[serde(borrow, deserialize_with = "nullable")]
    ip_families: Vec<Text<'a>>,
    #[serde(borrow, deserialize_with = "nullable")]
    ports: Vec<ServicePort<'a>>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct ServicePort<'a> {
    #[serde(borrow)]
    name: Text<'a>,
    #[serde(borrow)]
    protocol: Text<'a>,
    #[serde(rename = "port", deserialize_with = "nullable")]
    number: i32,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct ServiceStatus<'a> {
    #[serde(borrow, deserialize_with = "nullable")]
    load_balancer: LoadBalancer<'a>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct LoadBalancer<'a> {
    #[serde(borrow, deserialize_with = "nullable")]
    ingress: Vec<LoadBalancerIngress<'a>>,
}

#[derive(Debug, Default, serde::Deserialize)]
#[serde(default)]
struct LoadBalancerIngress<'a> {
    #[serde(borrow)]
    ip: Text<'a>,
}

// === impl Service ===

impl Service {
    /// The kind, with annotations left out.
    pub(crate) fn new(left_out: AnnotationFilter) -> Self {
        Self { left_out }
    }
}

impl Resource for Service {
    type Wire<'a> = ServiceWire<'a>;

    fn kind(&self) -> &Kind {
        &KIND
    }

    fn names<'w>(&self, wire: &'w ServiceWire<'_>) -> ObjectNames<'w> {
        wire.metadata.names()
    }

    fn pack(&self, wire: &ServiceWire<'_>, writer: &mut Writer) {
        let ServiceWire {
            metadata,
            spec,
            status,
        } = wire;
        metadata.pack(writer, &self.left_out);
        writer.text(primary_family(spec));
        writer.text(spec.kind.as_str());
        writer.text(spec.cluster_ip.as_str());
        writer.text(spec.external_name.as_str());
        writer.text(&load_balancer(spec, status));
        for port in &spec.ports {
            writer.number(i64::from(port.number) as u64);
            writer.text(port.name.as_str());
            writer.text(port.protocol.as_str());
        }
    }
}

fn primary_family<'w>(spec: &'w ServiceSpec<'_>) -> &'w str {
    match spec.ip_family_policy.as_str() {
        "PreferDualStack" | "RequireDualStack" => {
            spec.ip_families.first().map_or("", Text::as_str)
        }
        _ => "",
    }
}

/// What the load balancer says of itself, else what it was asked for.
fn load_balancer(spec: &ServiceSpec<'_>, status: &ServiceStatus<'_>) -> String {
    let given = status.load_balancer.ingress.iter();
    let given: Vec<&str> = given
        .map(|ingress| ingress.ip.as_str())
        .filter(|ip| !ip.is_empty())
        .collect();
    if given.is_empty() {
        return spec.load_balancer_ip.as_str().to_owned();
    }
    given.join(",")
}

// === impl ServiceFields ===

impl<'a> ServiceFields<'a> {
    /// What a Service's record holds.
    pub(crate) fn of(record: &'a Record) -> Self {
        let mut reader = record.body();
        Self {
            primary_family: reader.text(),
            kind: reader.text(),
            cluster_ip: reader.text(),
            external_name: reader.text(),
            load_balancer: reader.text(),
            ports: reader,
        }
    }

    /// Its ports.
    pub(crate) fn ports(&self) -> impl Iterator<Item = ServicePortFields<'a>> + use<'a> {
        let mut reader = self.ports;
        std::iter::from_fn(move || {
            (!reader.is_empty()).then(|| ServicePortFields {
                number: reader.number() as i64,
                name: reader.text(),
                protocol: reader.text(),
            })
        })
    }
}
