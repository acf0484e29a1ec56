//! Reading a state page by page.

use std::time::Duration;

use tokio::time::Instant;

use super::state::{Listing, Outcome};
use super::turn::Turn;
use super::{Consumer, Driver};
use crate::api::{ApiError, Call};
use crate::frame::ListSplitter;
use crate::resource::Resource;

/// How long a page may pause between two pieces.
pub(super) const PAGE_STALL: Duration = Duration::from_secs(30);
/// How long a page may take. A body that goes on for longer has no end.
pub(super) const PAGE_TIME: Duration = Duration::from_mins(15);

impl<R: Resource, C: Consumer> Driver<R, C> {
    /// Asks for one page and takes its objects.
    pub(super) async fn list(&mut self, listing: &Listing) -> Outcome {
        if listing.begins() {
            self.intake.list_begins();
        }
        match self.page(listing).await {
            Ok(outcome) => outcome,
            Err(error) => Outcome::PageFailed(error),
        }
    }

    async fn page(&mut self, listing: &Listing) -> Result<Outcome, ApiError> {
        let continue_token = listing.continue_token.clone();
        let mut body = self
            .send(Call::List {
                limit: listing.limit(),
                continue_token,
            })
            .await?;
        let mut turn = Turn::wait(&self.gate).await;
        let began = Instant::now();
        let mut splitter = ListSplitter::default();
        loop {
            let piece = match turn.next(&mut body, PAGE_STALL).await {
                Ok(Some(piece)) => piece?,
                Ok(None) => break,
                Err(_) => return Err(ApiError::Timeout(PAGE_STALL)),
            };
            let read_at = Instant::now();
            let fed = splitter.feed(&piece, |item| self.intake.item(item));
            self.intake.publish(read_at);
            fed.map_err(|error| ApiError::garbled(&error))?;
            if began.elapsed() > PAGE_TIME {
                return Err(ApiError::Garbled("the list does not end".to_owned()));
            }
        }
        let end = splitter
            .finish()
            .map_err(|error| ApiError::garbled(&error))?;
        self.answered();
        Ok(Outcome::Page(end))
    }
}
