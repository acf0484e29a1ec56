//! Selectors of Kubernetes, checked as client-go parses them, with its texts.

mod fields;
mod labels;
mod names;

pub(super) use fields::check as check_fields;
pub(super) use labels::check as check_labels;
