//! Selectors of Kubernetes, checked as client-go parses them, with its texts.

pub(crate) mod fields;
pub(crate) mod labels;
mod names;

pub(super) use fields::check as check_fields;
pub(super) use labels::check as check_labels;
