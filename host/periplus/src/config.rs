//! `periplus config`: what a configuration means, and what belongs on the scraper beside it.

mod explain;
mod scraper;
mod yaml;

pub(crate) use explain::explain;
pub(crate) use scraper::scraper;
