//! Provider plugin `consul`: the services of a Consul catalogue, one group each, as `consul_sd_configs` of Prometheus.
//!
//! ```text
//! agent/self --> datacenter
//! catalog/services --names, tags--> which services --health/service/NAME each--> groups
//! ```
//! Each request is held back by Consul until there is news, and goes on while no call runs; an answer wakes `refresh`.
//! [`config`] is what the operator wrote, [`api`] the requests, [`watch`] when each is made, [`health`] makes groups.

mod api;
mod config;
mod health;
mod watch;

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use periplus_sdk::http;
use periplus_sdk::prelude::*;
use periplus_sdk::serde_json::Value;

use config::Config;
use health::Instance;
use watch::Watch;

/// Requests that may be held back at a time; the host takes 64. With more services, all are polled instead.
const MAX_WAITING: usize = 60;
/// The longest pause between two calls.
const HEARTBEAT: Duration = Duration::from_mins(5);
/// The source under which failures of the list of services are told.
const CATALOG: &str = "the list of services";

struct Consul {
    config: Config,
    base: String,
    interval: Duration,
    datacenter: Option<String>,
    /// None: the services are named in the configuration.
    catalog: Option<Watch>,
    /// Whether the services to watch are known.
    is_listed: bool,
    services: BTreeMap<String, Service>,
    /// Whether a complete update was given.
    is_delivered: bool,
}

struct Service {
    watch: Watch,
    /// As last heard.
    group: Option<Group>,
    /// Whether `group` was not handed over yet.
    is_news: bool,
    /// Why the last request failed.
    failure: Option<String>,
}

export_provider!(
    Consul,
    manifest!().mechanism::<Config>("consul").asks_http(
        "http://localhost:8500",
        "asks the agent of this machine, unless `server` says otherwise"
    )
);

impl Provider for Consul {
    type Config = Config;

    fn configure(_mechanism: &str, config: Config) -> Result<Self, Vec<Problem>> {
        let (base, interval) = match (config.base(), config.interval()) {
            (Ok(base), Ok(interval)) => (base, interval),
            (base, interval) => {
                return Err(base.err().into_iter().chain(interval.err()).collect());
            }
        };
        let mut consul = Self {
            base,
            interval,
            datacenter: None,
            catalog: None,
            is_listed: false,
            services: BTreeMap::new(),
            is_delivered: false,
            config,
        };
        consul.begin(Instant::now());
        Ok(consul)
    }

    fn refresh(&mut self, full: bool) -> Result<Update, Unavailable> {
        let now = Instant::now();
        // Until the first complete update every call asks for everything, and nothing that was heard is lost.
        if full && self.is_delivered {
            self.begin(now);
        }
        self.find_datacenter()?;
        let mut removed = Vec::new();
        let mut catalog_failure = None;
        while let Some((ticket, outcome)) = http::next(Duration::ZERO) {
            if self.catalog.as_ref().is_some_and(|it| it.is(ticket)) {
                match self.read_catalog(outcome, now) {
                    Ok(gone) => removed.extend(gone),
                    Err(message) => catalog_failure = Some(message),
                }
            } else {
                self.read_service(ticket, outcome, now);
            }
        }
        self.ask(now);
        if let Some(message) = catalog_failure.take_if(|_| !self.is_listed) {
            let message = format!("Error refreshing service list: {message}");
            return Err(Unavailable::new(message));
        }
        let mut update = self.update(removed);
        if let Some(message) = catalog_failure {
            let message = format!("Error refreshing service list: {message}");
            update = update.lapse(CATALOG, message);
        }
        Ok(update.next_after(self.next_after(now)))
    }
}

// === impl Consul ===

impl Consul {
    /// Forgets what was heard; requests under way are given up.
    fn begin(&mut self, now: Instant) {
        self.is_delivered = false;
        self.services.clear();
        self.catalog = self.config.needs_catalog().then(|| Watch::new(now));
        self.is_listed = self.catalog.is_none();
        if self.is_listed {
            let named = self.config.services.iter();
            self.services = named
                .map(|name| (name.clone(), Service::new(now)))
                .collect();
        }
    }

    fn find_datacenter(&mut self) -> Result<(), Unavailable> {
        if self.datacenter.is_some() {
            return Ok(());
        }
        if !self.config.datacenter.is_empty() {
            self.datacenter = Some(self.config.datacenter.clone());
            return Ok(());
        }
        let failed = |message: String| {
            Unavailable::new(format!("Error retrieving datacenter name: {message}"))
        };
        let answer = api::agent(&self.base, &self.config).timeout(Duration::from_secs(30));
        let agent: Value = api::news(answer.send()).map_err(failed)?.value;
        match &agent["Config"]["Datacenter"] {
            Value::String(name) => {
                self.datacenter = Some(name.clone());
                Ok(())
            }
            other => Err(failed(format!(
                "invalid value '{other}' for Config.Datacenter"
            ))),
        }
    }

    /// Takes up new services; the names of those that are gone.
    fn read_catalog(
        &mut self,
        outcome: Result<http::Response, Failure>,
        now: Instant,
    ) -> Result<Vec<String>, String> {
        let Some(watch) = &mut self.catalog else {
            return Ok(Vec::new());
        };
        let news = api::news::<BTreeMap<String, Option<Vec<String>>>>(outcome);
        let news = news.inspect_err(|_| watch.failed(now))?;
        if !watch.answered(news.index, self.interval, now) {
            return Ok(Vec::new());
        }
        self.is_listed = true;
        for (name, tags) in &news.value {
            if self.config.wants(name, tags.as_deref().unwrap_or_default()) {
                let services = self.services.entry(name.clone());
                services.or_insert_with(|| Service::new(now));
            }
        }
        // As upstream: one that lost a wanted tag is still asked for, and answers with nobody.
        let is_gone = |name: &String| !news.value.contains_key(name);
        let gone: Vec<String> = self
            .services
            .keys()
            .filter(|it| is_gone(it))
            .cloned()
            .collect();
        self.services.retain(|name, _| !is_gone(name));
        Ok(gone)
    }

    fn read_service(
        &mut self,
        ticket: http::Ticket,
        outcome: Result<http::Response, Failure>,
        now: Instant,
    ) {
        let found = self
            .services
            .iter_mut()
            .find(|(_, service)| service.watch.is(ticket));
        let Some((name, service)) = found else {
            return;
        };
        match api::news::<Vec<Instance>>(outcome) {
            Ok(news) => {
                service.failure = None;
                if service.watch.answered(news.index, self.interval, now) || service.group.is_none()
                {
                    let datacenter = self.datacenter.as_deref().unwrap_or_default();
                    let separator = &self.config.tag_separator;
                    let group = health::group(name, datacenter, separator, &news.value);
                    service.group = Some(group);
                    service.is_news = true;
                }
            }
            Err(message) => {
                service.failure = Some(format!("Error refreshing service: {message}"));
                service.watch.failed(now);
            }
        }
    }

    /// Begins every request that is due.
    fn ask(&mut self, now: Instant) {
        let waits = self.services.len() < MAX_WAITING;
        if let Some(watch) = &mut self.catalog
            && watch.is_due(now)
        {
            let request = api::services(&self.base, &self.config, watch.index());
            watch.start(request, now);
        }
        let mut room = MAX_WAITING
            - self
                .services
                .values()
                .filter(|it| it.watch.due().is_none())
                .count()
                .min(MAX_WAITING);
        for (name, service) in &mut self.services {
            if room == 0 {
                break;
            }
            if service.watch.is_due(now) {
                let index = service.watch.index().filter(|_| waits);
                let request = api::health(&self.base, &self.config, name, index);
                service.watch.start(request, now);
                room -= 1;
            }
        }
    }

    /// What is new; everything, once every service was asked for.
    fn update(&mut self, removed: Vec<String>) -> Update {
        let is_heard = |it: &Service| it.group.is_some() || it.failure.is_some();
        let is_first = !self.is_delivered;
        if is_first && !(self.is_listed && self.services.values().all(is_heard)) {
            return Update::default();
        }
        self.is_delivered = true;
        let mut groups: Vec<Group> = removed.into_iter().map(Group::new).collect();
        let mut lapses = Vec::new();
        for (name, service) in &mut self.services {
            let is_news = std::mem::take(&mut service.is_news);
            match (&service.group, &service.failure) {
                // Heard before it failed: told now, and the failure next time, for a group cannot be both.
                (Some(group), _) if is_news => groups.push(group.clone()),
                (_, Some(message)) => lapses.push((name, message)),
                _ => {}
            }
        }
        let update = if is_first {
            Update::complete(groups)
        } else {
            Update::partial(groups)
        };
        lapses.into_iter().fold(update, |update, (name, message)| {
            update.lapse(name, message)
        })
    }

    /// Until the next request is due; those under way wake the plugin by themselves.
    fn next_after(&self, now: Instant) -> Duration {
        let watches = self.services.values().map(|it| &it.watch);
        let due = watches.chain(&self.catalog).filter_map(Watch::due).min();
        due.map_or(HEARTBEAT, |due| due.saturating_duration_since(now))
            .clamp(Duration::from_secs(1), HEARTBEAT)
    }
}

// === impl Service ===

impl Service {
    fn new(now: Instant) -> Self {
        Self {
            watch: Watch::new(now),
            group: None,
            is_news: false,
            failure: None,
        }
    }
}

#[cfg(test)]
mod tests;
