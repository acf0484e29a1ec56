//! All plugins of a configuration: loading them, and making discoverers and transformers of them.

use std::collections::{BTreeMap, HashMap};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use periplus_config::{
    MechanismSet, PluginConfig, PluginSection, Section, SectionKind, TransformerConfig,
};
use periplus_core::ContentHash;
use periplus_discovery::{Discoverer, PluginStatus, PluginStatuses, Transformer};
use periplus_oci::ImageOptions;
use serde_json::Value;

use crate::cache::CompileCache;
use crate::compiler::Compiler;
use crate::engine::Engines;
use crate::error::{PluginError, list};
use crate::generation::{Generation, Workshop};
use crate::grants::Outside;
use crate::image::{self, ImageSource, Waiting};
use crate::limits::MAX_CACHE_BYTES;
use crate::manifest::Manifest;
use crate::metrics::PluginMetrics;
use crate::plugin::{Plugin, failed_status};
use crate::provider::{PluginDiscoverer, Seed};
use crate::schema::Problem;
use crate::transformer::PluginTransformer;
use crate::watch;

/// What a host is made from.
#[derive(Clone, Debug, Default)]
pub struct PluginHostOptions {
    /// Where compiled plugins are kept, for this user alone; without it, each start compiles.
    pub cache_dir: Option<PathBuf>,
    /// Where plugins from registries are kept, and how registries are asked; without it, there are
    /// none.
    pub images: Option<ImageOptions>,
    /// Whether a plugin whose registry cannot be reached is waited for in the background, or is an
    /// error.
    pub wait_for_images: bool,
    /// How often a registry is asked for what a tag means (`pull: always`); five minutes unless set.
    pub recheck: Option<Duration>,
    /// Who compiles them.
    pub compiler: Compiler,
    /// Whether changed files are picked up while running; off for a check of a configuration.
    pub watch: bool,
}

/// Loads plugins and runs them.
///
/// [`load`](Self::load) stages a set of plugins, which checks of sections and mechanisms then go
/// by; [`activate`](Self::activate) makes it the one that runs. So a configuration that turns out
/// to be bad has changed nothing.
pub struct PluginHost {
    workshop: Workshop,
    metrics: PluginMetrics,
    watch: bool,
    /// For images, if this host waits for any.
    waiting: Option<Waiting>,
    sets: Mutex<Sets>,
    transformers: Mutex<HashMap<(String, ContentHash), Weak<PluginTransformer>>>,
}

#[derive(Default)]
struct Sets {
    active: Arc<PluginSet>,
    staged: Option<Arc<PluginSet>>,
}

/// The plugins of one configuration.
#[derive(Default)]
struct PluginSet {
    /// In the order of the configuration.
    entries: Vec<Entry>,
    /// Index into the entries.
    mechanisms: BTreeMap<String, usize>,
}

/// One entry of `plugins:`.
struct Entry {
    config: PluginConfig,
    loaded: Result<Loaded, PluginError>,
}

struct Loaded {
    plugin: Arc<Plugin>,
    /// What activation makes the newest, if it is not already.
    generation: Arc<Generation>,
}

// === impl PluginHost ===

impl PluginHost {
    /// A host without plugins.
    pub fn new(options: PluginHostOptions) -> Result<Arc<Self>, PluginError> {
        let cache = CompileCache::open(
            options.cache_dir.as_deref(),
            MAX_CACHE_BYTES,
            options.compiler,
        )
        .map_err(|e| PluginError::Host {
            action: "open the plugin cache",
            source: e.into(),
        })?;
        Ok(Arc::new(Self {
            workshop: Workshop {
                engines: Engines::new()?,
                cache,
                images: ImageSource::new(options.images, options.recheck),
            },
            metrics: PluginMetrics::new(),
            watch: options.watch,
            waiting: options.wait_for_images.then(Waiting::default),
            sets: Mutex::default(),
            transformers: Mutex::default(),
        }))
    }

    /// The metrics, to register once.
    pub fn metrics(&self) -> &PluginMetrics {
        &self.metrics
    }

    /// Reads, compiles and describes plugins, reaching nothing outside, and stages them. A plugin
    /// that is loaded already, with the same file, is not prepared again.
    pub async fn load(
        &self,
        plugins: &[PluginConfig],
    ) -> Vec<(PluginConfig, Result<Manifest, String>)> {
        let before = self.active();
        let mut set = PluginSet::default();
        for config in plugins {
            let loaded = self.load_one(config, &before).await;
            self.note_waiting(config, &loaded, &before);
            set.add(config.clone(), loaded);
        }
        if let Some(waiting) = &self.waiting {
            waiting.retain(plugins);
        }
        let outcomes = set
            .entries
            .iter()
            .map(|entry| {
                let outcome = match &entry.loaded {
                    Ok(loaded) => Ok(loaded.generation.manifest.clone()),
                    Err(error) => Err(crate::grants::chain(error)),
                };
                (entry.config.clone(), outcome)
            })
            .collect();
        self.sets().staged = Some(Arc::new(set));
        outcomes
    }

    /// Compiles a file into the cache and returns whether it was there already. Runs nothing of it.
    pub async fn compile(&self, file: &Path) -> Result<bool, PluginError> {
        self.workshop.compile(file).await
    }

    /// Whether a plugin that [`load`](Self::load) reported as an error is tried again in the
    /// background: its registry could not be reached, and it never ran here.
    pub fn is_awaited(&self, plugin: &PluginConfig) -> bool {
        let waiting = self.waiting.as_ref();
        waiting.is_some_and(|it| it.holds(plugin))
    }

    /// Ends when a plugin that was waited for can be had, so that the configuration should be loaded
    /// again.
    pub async fn arrived(&self) {
        match &self.waiting {
            Some(waiting) => waiting.arrived().await,
            None => std::future::pending().await,
        }
    }

    /// What the operator can do about a plugin that [`load`](Self::load) reported as an error.
    pub fn advice(&self, plugin: &PluginConfig) -> Option<&'static str> {
        let set = self.newest_set();
        let mut entries = set.entries.iter();
        let entry = entries.find(|entry| entry.config.key_path == plugin.key_path)?;
        entry.loaded.as_ref().err()?.hint()
    }

    /// Makes the staged plugins the ones that run: new ones are watched, changed entries are
    /// tried by their instances, and those that are gone end with their sections.
    pub fn activate(&self) {
        let set = {
            let mut sets = self.sets();
            let Some(staged) = sets.staged.take() else {
                return;
            };
            sets.active = Arc::clone(&staged);
            staged
        };
        for loaded in set
            .entries
            .iter()
            .filter_map(|entry| entry.loaded.as_ref().ok())
        {
            if !Arc::ptr_eq(&loaded.plugin.newest(), &loaded.generation) {
                loaded.plugin.offer(Arc::clone(&loaded.generation));
            }
            if self.watch {
                loaded.plugin.watch_once(watch::spawn);
            }
        }
    }

    /// The mechanisms that the plugins serve, of the staged set if there is one.
    pub fn mechanisms(&self) -> MechanismSet {
        self.newest_set().mechanisms.keys().cloned().collect()
    }

    /// A section as its plugin will see it, by the staged set if there is one. Offline: this is
    /// the schema's judgement, and that of grants and client settings.
    pub fn check_section(
        &self,
        mechanism: &str,
        section: &PluginSection,
    ) -> Result<Value, Vec<Problem>> {
        let set = self.newest_set();
        let generation = set
            .serving(mechanism)
            .map_err(|e| vec![Problem::new("", &e)])?;
        let resolved = generation.generation.resolve_section(mechanism, section)?;
        Outside::new(
            &generation.generation.config.allow,
            section,
            generation
                .generation
                .preset(mechanism, section, &resolved)?,
        )
        .map_err(|e| vec![Problem::new("", &e)])?;
        Ok(resolved)
    }

    /// A transformer's configuration as its plugin will see it, by the staged set if there is one.
    pub fn check_transformer(&self, config: &TransformerConfig) -> Result<Value, Vec<Problem>> {
        let set = self.newest_set();
        let loaded = set
            .named(&config.plugin)
            .map_err(|e| vec![Problem::new("/plugin", &e)])?;
        loaded
            .generation
            .resolve_transformer(&config.config)
            .map_err(|problems| {
                let below = |p: Problem| Problem {
                    path: format!("/config{}", p.path),
                    ..p
                };
                problems.into_iter().map(below).collect()
            })
    }

    /// The discoverer for a section; activates what is staged.
    pub fn discoverer(&self, section: &Section, name: &str) -> Result<Box<dyn Discoverer>, String> {
        self.activate();
        let SectionKind::Plugin(content) = &section.kind else {
            return Err(format!("`{}` is not served by a plugin", section.mechanism));
        };
        let set = self.active();
        let loaded = set.serving(&section.mechanism)?;
        loaded
            .generation
            .resolve_section(&section.mechanism, content)
            .map_err(|problems| list(&problems))?;
        Ok(Box::new(PluginDiscoverer {
            plugin: Arc::clone(&loaded.plugin),
            seed: Seed {
                name: name.into(),
                mechanism: section.mechanism.as_str().into(),
                section: Arc::new(content.clone()),
            },
        }))
    }

    /// The transformer for an entry of `transformers:`; activates what is staged. Equal entries
    /// share one. Must be called within a runtime.
    pub fn transformer(&self, config: &TransformerConfig) -> Result<Arc<dyn Transformer>, String> {
        self.activate();
        let set = self.active();
        let loaded = set.named(&config.plugin)?;
        loaded
            .generation
            .resolve_transformer(&config.config)
            .map_err(|problems| list(&problems))?;
        let key = (config.plugin.clone(), config.identity);
        let mut known = self
            .transformers
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        known.retain(|_, transformer| transformer.strong_count() > 0);
        let shared = known
            .get(&key)
            .and_then(Weak::upgrade)
            .filter(|transformer| transformer.is_of(&loaded.plugin));
        if let Some(transformer) = shared {
            return Ok(transformer);
        }
        let transformer = PluginTransformer::start(&loaded.plugin, config.config.clone())?;
        known.insert(key, Arc::downgrade(&transformer));
        Ok(transformer)
    }

    async fn load_one(
        &self,
        config: &PluginConfig,
        before: &PluginSet,
    ) -> Result<Loaded, PluginError> {
        let known = before.entries.iter().find_map(|entry| {
            let same = entry.config.source == config.source && entry.config.name == config.name;
            entry.loaded.as_ref().ok().filter(|_| same)
        });
        let Some(known) = known else {
            let meters = self.metrics.plugin(&display_name(config).into());
            let generation = self.workshop.prepare(config, &meters).await?;
            let workshop = self.workshop.clone();
            let plugin = Plugin::new(Arc::clone(&generation), workshop, meters);
            return Ok(Loaded {
                plugin: Arc::new(plugin),
                generation,
            });
        };
        let plugin = Arc::clone(&known.plugin);
        if config.image.is_some() && config.image == plugin.newest().config.image {
            // Whatever its registry says: what runs goes on.
            image::look(&plugin).await;
        }
        let newest = plugin.newest();
        // Lines and key paths move with every edit of the file.
        let same = newest.config.sha256 == config.sha256
            && newest.config.image == config.image
            && newest.config.allow == config.allow
            && newest.config.limits == config.limits;
        if same {
            return Ok(Loaded {
                plugin,
                generation: newest,
            });
        }
        let generation = self.workshop.prepare(config, &plugin.meters).await?;
        Ok(Loaded { plugin, generation })
    }

    /// At a start there is nothing that could run on, so a plugin that never ran is waited for. On
    /// a reload the configuration of before runs on instead.
    fn note_waiting(
        &self,
        config: &PluginConfig,
        loaded: &Result<Loaded, PluginError>,
        before: &PluginSet,
    ) {
        let Some(waiting) = &self.waiting else {
            return;
        };
        let failed = loaded.as_ref().err().is_some_and(PluginError::is_temporary);
        let first = before.entries.is_empty() || waiting.holds(config);
        if failed && first {
            waiting.begin(config, &self.workshop.images);
        } else {
            waiting.end(config);
        }
    }

    fn sets(&self) -> std::sync::MutexGuard<'_, Sets> {
        self.sets.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn active(&self) -> Arc<PluginSet> {
        Arc::clone(&self.sets().active)
    }

    fn newest_set(&self) -> Arc<PluginSet> {
        let sets = self.sets();
        Arc::clone(sets.staged.as_ref().unwrap_or(&sets.active))
    }
}

impl PluginStatuses for PluginHost {
    fn plugins(&self) -> Vec<PluginStatus> {
        let status = |entry: &Entry| match &entry.loaded {
            Ok(loaded) => loaded.plugin.status(),
            Err(error) => failed_status(&entry.config, error),
        };
        self.active().entries.iter().map(status).collect()
    }
}

// === impl PluginSet ===

impl PluginSet {
    /// Adds an entry; one that clashes with an earlier one is an error instead.
    fn add(&mut self, config: PluginConfig, loaded: Result<Loaded, PluginError>) {
        let loaded = loaded.and_then(|loaded| match self.clash(&loaded.generation) {
            Some(reason) => Err(PluginError::Clash {
                path: config.source.clone(),
                reason,
            }),
            None => Ok(loaded),
        });
        if let Ok(loaded) = &loaded {
            for mechanism in loaded.generation.manifest.mechanisms.keys() {
                self.mechanisms
                    .insert(mechanism.clone(), self.entries.len());
            }
        }
        self.entries.push(Entry { config, loaded });
    }

    fn clash(&self, generation: &Generation) -> Option<String> {
        let name = generation.name();
        if self.loaded().any(|loaded| loaded.generation.name() == name) {
            return Some(format!(
                "another plugin is named `{name}`; give one of them a `name`"
            ));
        }
        let builtin = ["static", "file", "kubernetes", "kubernetes_resource"];
        generation.manifest.mechanisms.keys().find_map(|mechanism| {
            if builtin.contains(&mechanism.as_str()) {
                return Some(format!("mechanism `{mechanism}` is the host's own"));
            }
            let other = &self.entries[*self.mechanisms.get(mechanism)?].config.source;
            Some(format!(
                "mechanism `{mechanism}` is served by `{}` already",
                other.display()
            ))
        })
    }

    fn loaded(&self) -> impl Iterator<Item = &Loaded> {
        self.entries
            .iter()
            .filter_map(|entry| entry.loaded.as_ref().ok())
    }

    fn serving(&self, mechanism: &str) -> Result<&Loaded, String> {
        let at = self.mechanisms.get(mechanism);
        at.and_then(|at| self.entries[*at].loaded.as_ref().ok())
            .ok_or_else(|| format!("no plugin serves mechanism `{mechanism}`"))
    }

    /// By the name in the configuration or, where there is none, in the manifest.
    fn named(&self, name: &str) -> Result<&Loaded, String> {
        if let Some(loaded) = self
            .loaded()
            .find(|loaded| loaded.generation.name() == name)
        {
            return Ok(loaded);
        }
        let failed = self
            .entries
            .iter()
            .find(|entry| entry.config.name.as_deref() == Some(name));
        match failed.map(|entry| &entry.loaded) {
            Some(Err(error)) => Err(crate::grants::chain(error)),
            _ => Err(format!("no plugin is named `{name}`")),
        }
    }
}

/// For metrics, before the manifest is known.
fn display_name(config: &PluginConfig) -> String {
    let stem = || {
        if let Some(image) = &config.image {
            return Some(image::short_name(&image.name).to_owned());
        }
        Path::new(&config.source)
            .file_stem()
            .map(|s| s.to_string_lossy().into_owned())
    };
    config
        .name
        .clone()
        .or_else(stem)
        .unwrap_or_else(|| "plugin".to_owned())
}
