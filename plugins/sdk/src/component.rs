//! The WebAssembly side: conversions between the types of the bindings and the SDK's.
//!
//! Nothing here decides anything; what can be tested without WebAssembly lies outside of it.

use std::cell::RefCell;

use crate::{Provider, Transformer, http};
use crate::{provider as provider_calls, transformer as transformer_calls};

pub(crate) mod host;

pub use periplus_bindings_provider as provider;
pub use periplus_bindings_transformer as transformer;

use provider::exports::periplus::discovery::provider as provider_types;
use transformer::exports::periplus::discovery::transformer as transformer_types;

/// Holds the one instance of a component between calls.
pub struct Slot<T>(RefCell<Option<T>>);

impl<T> Slot<T> {
    /// Before `configure`.
    pub const fn empty() -> Self {
        Self(RefCell::new(None))
    }
}

impl<P: Provider> Slot<P> {
    /// `configure` of a provider.
    pub fn configure_provider(
        &self,
        mechanism: &str,
        config: &str,
    ) -> Result<(), Vec<provider_types::Problem>> {
        let convert = |problem: crate::Problem| provider_types::Problem {
            path: problem.path,
            message: problem.message,
        };
        match provider_calls::configure(mechanism, config) {
            Ok(provider) => {
                self.0.replace(Some(provider));
                Ok(())
            }
            Err(problems) => Err(problems.into_iter().map(convert).collect()),
        }
    }

    /// `refresh` of a provider.
    pub fn refresh(
        &self,
        full: bool,
    ) -> Result<provider_types::Update, provider_types::Unavailable> {
        let mut slot = self.0.borrow_mut();
        let refreshed = match slot.as_mut() {
            Some(provider) => provider.refresh(full),
            None => Err(crate::Unavailable::new(
                "`refresh` was called before `configure`",
            )),
        };
        refreshed
            .map(update)
            .map_err(|unavailable| provider_types::Unavailable {
                message: unavailable.message,
                retry_after_ms: unavailable.retry_after.map(http::millis),
            })
    }
}

impl<T: Transformer> Slot<T> {
    /// `configure` of a transformer.
    pub fn configure_transformer(
        &self,
        config: &str,
    ) -> Result<transformer_types::Interest, Vec<transformer_types::Problem>> {
        let convert = |problem: crate::Problem| transformer_types::Problem {
            path: problem.path,
            message: problem.message,
        };
        match transformer_calls::configure(config) {
            Ok((transformer, interest)) => {
                self.0.replace(Some(transformer));
                let crate::Interest { reads, requires } = interest;
                Ok(transformer_types::Interest { reads, requires })
            }
            Err(problems) => Err(problems.into_iter().map(convert).collect()),
        }
    }

    /// `transform` of a transformer.
    pub fn transform(
        &self,
        batch: transformer_types::Batch,
    ) -> Result<Vec<transformer_types::Edit>, String> {
        let slot = self.0.borrow();
        let Some(transformer) = slot.as_ref() else {
            return Err("`transform` was called before `configure`".into());
        };
        let transformer_types::Batch {
            text,
            ends,
            rows,
            cells,
        } = batch;
        let batch = crate::Batch {
            text,
            ends,
            rows,
            cells,
        };
        let edits = transformer_calls::transform(transformer, &batch)?;
        Ok(edits.into_iter().map(edit).collect())
    }
}

fn update(update: crate::Update) -> provider_types::Update {
    let group = |group: crate::Group| {
        let (source, labels, targets) = group.into_parts();
        let targets = targets
            .into_iter()
            .map(crate::Target::into_labels)
            .collect();
        provider_types::TargetGroup {
            source,
            labels,
            targets,
        }
    };
    let lapse = |lapse: crate::Lapse| provider_types::Lapse {
        source: lapse.source,
        message: lapse.message,
    };
    provider_types::Update {
        groups: update.groups.into_iter().map(group).collect(),
        complete: update.complete,
        lapses: update.lapses.into_iter().map(lapse).collect(),
        next_after_ms: update.next_after.map(http::millis),
    }
}

fn edit(edit: crate::Edit) -> transformer_types::Edit {
    use transformer_types::{AddTarget, Edit, SetLabel};
    match edit {
        crate::Edit::Set { row, name, value } => Edit::Set(SetLabel { row, name, value }),
        crate::Edit::Drop(row) => Edit::Drop(row),
        crate::Edit::Add { row, labels } => Edit::Add(AddTarget { row, labels }),
    }
}
