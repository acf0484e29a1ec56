//! YAML as Prometheus reads it (YAML 1.1, go-yaml v2), with the position of every node.
//!
//! [`parse`] makes a tree of [`Node`]s in which aliases share the node they name; [`scalar`]
//! resolves plain text to values; [`Value`] walks the tree and reports everything that does not
//! fit, so that one pass finds all errors.

mod binary;
mod fields;
mod json;
mod map;
mod node;
mod parse;
mod report;
mod scalar;
mod value;

pub(crate) use binary::quote_bytes;
pub(crate) use fields::{Fields, nearest};
pub(crate) use parse::parse;
pub(crate) use report::Report;
pub(crate) use value::Value;
