//! `prometheus.yml` and what Periplus adds to it: from text to a configuration that is ready to run.
//!
//! This crate owns the format: YAML 1.1 as Prometheus reads it, every key, default and check, and
//! errors that say where and what to do. It starts nothing, reads no file but the configuration and
//! those that it includes, and must not know tokio, HTTP, kube or wasmtime.
//!
//! ```text
//! text --yaml--> Node (positions) --raw--> as written --resolve--> Config (ready to run)
//!                          \________________\______________________\--> Diagnostics, all of them
//! ```

mod allocator;
mod config;
mod diagnostic;
mod http_client;
mod identity;
mod kubernetes;
mod load;
mod lost;
mod options;
mod origin;
mod places;
mod plugin;
mod read;
mod scrape_section;
mod scraper;
mod secret;
mod secret_url;
mod section;
mod text;
mod yaml;

pub use allocator::{
    AllocationStrategy, Collector, CollectorSource, Handover, JobCollectors, TargetAllocator,
};
pub use config::{Config, ExplicitScrape, Job, TargetLimits};
pub use diagnostic::{ConfigErrors, Diagnostic};
pub use http_client::{
    Authorization, BasicAuth, HeaderValues, HttpClientConfig, OAuth2, ProxyConfig, TlsConfig,
    TlsVersion,
};
pub use kubernetes::{
    AttachMetadata, ClusterAccess, ClusterEntry, ClusterSelection, FieldRequirement, FieldSelector,
    FolderSelection, KubernetesResourceSection, KubernetesSection, LabelOperator, LabelRequirement,
    LabelSelector, NamePatterns, NamedCluster, Namespaces, Need, Pointer, ResourceName,
    ResourcePointers, ResourceRow, ResourceRows, Role, RoleSelector, Segment,
};
pub use load::{Loaded, load_file, load_file_with, load_str, plugins_of, readable_plugins_of};
pub use options::{LoadOptions, MechanismSet};
pub use origin::JobOrigin;
pub use places::Places;
pub use plugin::{
    Grants, HttpGrant, OnError, PluginConfig, PluginImage, PluginLimits, PluginSection, PullPolicy,
    TransformerConfig,
};
pub use scrape_section::ScrapeSection;
pub use scraper::{ScraperSection, hide_secrets, scrape_settings, scraper_section};
pub use secret::Secret;
pub use secret_url::SecretUrl;
pub use section::{FileSection, HttpSection, Section, SectionKind};
