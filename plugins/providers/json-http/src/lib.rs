//! Provider plugin `json-http`: an inventory from any HTTP endpoint that answers JSON.
//!
//! ```text
//! url --GET--> JSON --items--> item --address, port--> target --group_by--> group
//!                                   --labels-------->
//! ```
//! [`config`] is what the operator wrote, [`expression`] reads one value of an item, [`inventory`] makes groups of an
//! answer; here they are joined with the endpoint.

mod config;
mod expression;
mod inventory;

use config::{Config, Plan};
use periplus_sdk::http::Request;
use periplus_sdk::prelude::*;
use periplus_sdk::serde_json::Value;
use periplus_sdk::warn;

struct JsonHttp {
    plan: Plan,
    /// Labels left out last time because of their type: said once, and again when their number changes.
    unusable: usize,
}

export_provider!(
    JsonHttp,
    manifest!()
        .mechanism::<Config>("json_http")
        // The operator names the labels, so any name may be meant.
        .writes(["*"])
        .asks_http("{/url}", "reads the inventory")
);

impl Provider for JsonHttp {
    type Config = Config;

    fn configure(_mechanism: &str, config: Config) -> Result<Self, Vec<Problem>> {
        Ok(Self {
            plan: Plan::new(config)?,
            unusable: 0,
        })
    }

    fn refresh(&mut self, _full: bool) -> Result<Update, Unavailable> {
        let url = &self.plan.url;
        let mut request = Request::get(url).header("accept", "application/json");
        for (name, value) in &self.plan.headers {
            request
                .headers
                .retain(|(known, _)| !known.eq_ignore_ascii_case(name));
            request = request.header(name, value);
        }
        let answer: Value = request.send()?.json(url)?;
        let inventory = inventory::read(&self.plan, &answer)?;
        if let Some(first) = inventory.unusable.first()
            && inventory.unusable.len() != self.unusable
        {
            warn!("Left out labels that are no text"; labels = inventory.unusable.len(), first = first);
        }
        self.unusable = inventory.unusable.len();
        Ok(inventory.update)
    }
}

#[cfg(test)]
mod tests;
