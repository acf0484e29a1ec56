//! Plugins as OCI artifacts: pulling them from registries and pushing them there, a private store,
//! archives for machines without a network, and signatures.
//!
//! This crate owns everything between the text of a reference and a file whose bytes have the
//! digest that was asked for. It knows nothing of WebAssembly but the media types of the CNCF's
//! layout, so that other tools can pull what it pushed; nothing is parsed before its digest and,
//! where keys are given, its signature were checked.
//!
//! ```text
//! reference --registry--> digest --signature--> manifest, layers --> Store --> file of a component
//!                                                                      ^
//!                                              archive (tar) <--save---+---load-- archive
//! ```

mod archive;
mod credentials;
mod digest;
mod error;
mod images;
mod key;
mod manifest;
mod obtain;
mod reference;
mod registry;
mod signature;
mod store;

pub use credentials::Credentials;
pub use digest::Digest;
pub use error::ImageError;
pub use images::{ImageOptions, Images, Interfaces};
pub use key::{PrivateKey, PublicKey};
pub use obtain::{Obtained, PullPolicy, Wanted};
pub use reference::ImageName;
