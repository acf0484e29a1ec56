//! Outgoing HTTP for sources and plugins: which origins may be asked, which addresses may be
//! connected to, and the client settings that `prometheus.yml` knows (`basic_auth`,
//! `authorization`, `tls_config`, proxies, headers).
//!
//! This crate owns the one door out. It knows nothing of WebAssembly, Kubernetes or targets: its
//! users say what is granted ([`OriginPolicy`]) and hand over requests ([`EgressRequest`]).
//!
//! ```text
//! request --policy--> hop --resolve once, check every address--> connection to that address
//!    ^                 |                                              |
//!    +--- redirect: checked again, credentials of the old origin dropped
//! ```

mod address;
mod body;
mod connect;
mod egress;
mod error;
mod headers;
mod oauth2;
mod origin;
mod path;
mod policy;
mod proxy;
mod resolve;
mod settings;
#[cfg(test)]
mod tests;
mod tls;
mod transport;

pub use address::{AddressRefused, check_address};
pub use egress::{EgressClient, EgressLimits, EgressOptions, EgressRequest, EgressResponse};
pub use error::{EgressError, FailureKind};
pub use origin::{Origin, OriginError, OriginPattern};
pub use policy::{OriginPolicy, OriginRule};
pub use resolve::{NameResolver, SystemResolver};
pub use settings::{ClientSettings, SettingsError};
