//! Readers: from the tree of a document to the resolved types, one file per part of the format.
//!
//! A reader reports what is wrong and goes on, so that one pass finds everything. It mirrors the
//! order of upstream's checks; where a structure has an error in its shape, checks that build on
//! that shape are left out.

mod allocator;
mod clusters;
mod document;
mod global;
mod http_client;
mod included;
mod job;
mod jobs;
mod kubernetes;
mod path;
mod plugins;
mod relabel;
mod sections;
pub(crate) mod selector;
mod transformers;
mod units;
mod url;

use std::path::Path;

use periplus_core::duration::PromDuration;

use crate::options::LoadOptions;
use crate::yaml::Value;

pub(crate) use clusters::ClusterList;
pub(crate) use document::{read_document, read_plugins};

/// What readers need to know beyond the text.
#[derive(Clone, Copy)]
pub(crate) struct Context<'a> {
    /// The configuration's directory, with which relative paths are joined.
    pub(crate) directory: &'a Path,
    pub(crate) options: &'a LoadOptions,
    /// The clusters that sections may name; empty before they are read.
    pub(crate) clusters: &'a ClusterList,
}

/// A duration; null is zero.
fn duration(value: &Value<'_>) -> Option<PromDuration> {
    if value.is_null() {
        return Some(PromDuration::default());
    }
    match value.string()?.parse() {
        Ok(duration) => Some(duration),
        Err(error) => {
            value.error_with(
                error.to_string(),
                "write a number with a unit: `30s`, `5m`, `1h30m`",
            );
            None
        }
    }
}

/// A text that upstream calls a valid one of a few; empty if there is none.
fn quoted(text: &str) -> String {
    periplus_core::quote(text)
}
