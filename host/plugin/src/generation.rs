//! From a file to something that can be instantiated: one generation of a plugin.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use periplus_config::{PluginConfig, PluginSection};
use periplus_core::PromDuration;
use serde_json::Value;

use crate::bindings::{provider, transformer};
use crate::cache::CompileCache;
use crate::engine::{Clock, Engines};
use crate::error::{CallError, LimitPassed, PluginError};
use crate::functions;
use crate::image::ImageSource;
use crate::inspect::{Exports, inspect};
use crate::limits::{Limits, MAX_MANIFEST_BYTES};
use crate::manifest::Manifest;
use crate::metrics::PluginMeters;
use crate::presets::{self, Preset};
use crate::schema::{ConfigSchema, Problem};
use crate::secrets::Secrets;
use crate::source::{self, VerifiedPlugin};
use crate::store::{GuestLog, GuestState, Kind, Meter, new_store};

/// The key that the host reads, and hands on to plugins whose schema has it.
const INTERVAL: &str = "refresh_interval";

/// What it takes to prepare plugins. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Workshop {
    pub(crate) engines: Engines,
    pub(crate) cache: CompileCache,
    pub(crate) images: ImageSource,
}

/// A plugin as one file and one entry of `plugins:` make it: compiled, linked and described.
pub(crate) struct Generation {
    pub(crate) digest: String,
    pub(crate) manifest: Manifest,
    pub(crate) config: PluginConfig,
    pub(crate) loaded_at: SystemTime,
    pub(crate) provider: Option<provider::ProviderPluginPre<GuestState>>,
    pub(crate) transformer: Option<transformer::TransformerHostPre<GuestState>>,
    pub(crate) clock: Arc<Clock>,
    mechanisms: BTreeMap<String, ConfigSchema>,
    transformer_schema: Option<ConfigSchema>,
}

/// Compiled and linked, nothing run yet.
struct LinkedPlugin {
    clock: Arc<Clock>,
    provider: Option<provider::ProviderPluginPre<GuestState>>,
    transformer: Option<transformer::TransformerHostPre<GuestState>>,
}

// === impl Workshop ===

impl Workshop {
    /// Everything up to and including `describe`, off the runtime's threads.
    pub(crate) async fn prepare(
        &self,
        config: &PluginConfig,
        meters: &PluginMeters,
    ) -> Result<Arc<Generation>, PluginError> {
        let config = config.clone();
        let path = config.source.clone();
        let plugin = self.images.read(&config).await?;
        let task = tokio::task::spawn_blocking(move || {
            let exports = inspect(&plugin.path, &plugin.bytes)?;
            Ok((Arc::new(plugin), exports))
        });
        let (plugin, exports) = task.await.unwrap_or_else(|e| {
            Err(PluginError::Host {
                action: "prepare a plugin",
                source: e.into(),
            })
        })?;
        let linked = self.link(&plugin, exports).await?;
        let digest = plugin.digest.clone();
        drop(plugin);
        let text = self
            .describe(&linked, &config, meters)
            .await
            .map_err(|error| PluginError::Describe {
                path: path.clone(),
                reason: error.to_string(),
            })?;
        Generation::new(config, digest, &text, exports, linked)
            .map(Arc::new)
            .map_err(|problems| PluginError::Manifest { path, problems })
    }

    /// Compiles a file into the cache; whether it was there already.
    pub(crate) async fn compile(&self, file: &Path) -> Result<bool, PluginError> {
        let path = file.to_owned();
        let task = tokio::task::spawn_blocking(move || {
            let plugin = source::read(&path, None)?;
            inspect(&plugin.path, &plugin.bytes)?;
            Ok(Arc::new(plugin))
        });
        let plugin = task.await.unwrap_or_else(|e| {
            Err(PluginError::Host {
                action: "read a plugin",
                source: e.into(),
            })
        })?;
        // One entry serves both engines.
        let engine = &self.engines.providers;
        let held = self.cache.holds(engine, &plugin.digest);
        self.cache.component(engine, &plugin).await?;
        Ok(held)
    }

    async fn link(
        &self,
        plugin: &Arc<VerifiedPlugin>,
        exports: Exports,
    ) -> Result<LinkedPlugin, PluginError> {
        let incompatible = |error: wasmtime::Error| PluginError::Incompatible {
            path: plugin.path.clone(),
            reason: format!("{error:#}"),
        };
        let Engines {
            providers,
            transformers,
            clock,
        } = &self.engines;
        let mut linked = LinkedPlugin {
            clock: Arc::clone(clock),
            provider: None,
            transformer: None,
        };
        if exports.provider {
            let component = self.cache.component(providers, plugin).await?;
            let pre = functions::provider_linker(providers)
                .and_then(|linker| linker.instantiate_pre(&component))
                .and_then(provider::ProviderPluginPre::new);
            linked.provider = Some(pre.map_err(incompatible)?);
        }
        if exports.transformer {
            let component = self.cache.component(transformers, plugin).await?;
            let pre = functions::transformer_linker(transformers)
                .and_then(|linker| linker.instantiate_pre(&component))
                .and_then(transformer::TransformerHostPre::new);
            linked.transformer = Some(pre.map_err(incompatible)?);
        }
        Ok(linked)
    }

    /// Calls `describe` in a store of its own, with nothing granted.
    async fn describe(
        &self,
        linked: &LinkedPlugin,
        config: &PluginConfig,
        meters: &PluginMeters,
    ) -> Result<String, CallError> {
        let name: Arc<str> = config.source.display().to_string().into();
        let log = GuestLog::new(&name, "describe", meters);
        if let Some(pre) = &linked.provider {
            let limits = described(Limits::provider(&config.limits));
            let meter = Arc::new(Meter::new(limits.cpu, &linked.clock));
            let mut store = new_store(
                &self.engines.providers,
                Kind::Provider,
                &limits,
                &meter,
                log,
            );
            let call = async {
                let guest = pre.instantiate_async(&mut store).await?;
                guest
                    .periplus_discovery_plugin()
                    .call_describe(&mut store)
                    .await
            };
            return match tokio::time::timeout(limits.wall, meter.measure(call)).await {
                Ok(answer) => answer.map_err(|e| CallError::from_wasmtime(&e, limits.output)),
                Err(_) => Err(LimitPassed::Wall(limits.wall).into()),
            };
        }
        let Some(pre) = linked.transformer.clone() else {
            return Ok(String::new());
        };
        let limits = described(Limits::transformer(&config.limits));
        let engine = self.engines.transformers.clone();
        let clock = Arc::clone(&linked.clock);
        let call = tokio::task::spawn_blocking(move || {
            let meter = Arc::new(Meter::new(limits.cpu, &clock));
            let mut store = new_store(&engine, Kind::Transformer, &limits, &meter, log);
            meter.measure_blocking(|| {
                let guest = pre.instantiate(&mut store)?;
                guest.periplus_discovery_plugin().call_describe(&mut store)
            })
        });
        match call.await {
            Ok(answer) => answer.map_err(|e| CallError::from_wasmtime(&e, limits.output)),
            Err(error) => Err(CallError::Trap(error.to_string())),
        }
    }
}

/// A manifest is small and takes no time.
fn described(limits: Limits) -> Limits {
    Limits {
        output: MAX_MANIFEST_BYTES,
        wall: limits.wall.min(std::time::Duration::from_secs(30)),
        ..limits
    }
}

// === impl Generation ===

impl Generation {
    fn new(
        config: PluginConfig,
        digest: String,
        manifest: &str,
        exports: Exports,
        linked: LinkedPlugin,
    ) -> Result<Self, Vec<Problem>> {
        let manifest = Manifest::parse(manifest, exports)?;
        let mut problems = Vec::new();
        let mut compile = |at: String, schema: &Value| {
            ConfigSchema::new(schema.clone())
                .map_err(|e| problems.push(Problem::new(&at, &e)))
                .ok()
        };
        let mechanisms = manifest
            .mechanisms
            .iter()
            .filter_map(|(name, mechanism)| {
                let at = format!("/mechanisms/{name}/config");
                Some((name.clone(), compile(at, &mechanism.config)?))
            })
            .collect();
        let transformer_schema = manifest
            .transformer
            .as_ref()
            .and_then(|t| compile("/transformer/config".to_owned(), &t.config));
        if !problems.is_empty() {
            return Err(problems);
        }
        let LinkedPlugin {
            clock,
            provider,
            transformer,
        } = linked;
        Ok(Self {
            digest,
            manifest,
            config,
            loaded_at: SystemTime::now(),
            provider,
            transformer,
            clock,
            mechanisms,
            transformer_schema,
        })
    }

    /// The name by which the configuration refers to the plugin.
    pub(crate) fn name(&self) -> &str {
        self.config.name.as_deref().unwrap_or(&self.manifest.name)
    }

    /// A section as the plugin sees it.
    pub(crate) fn resolve_section(
        &self,
        mechanism: &str,
        section: &PluginSection,
    ) -> Result<Value, Vec<Problem>> {
        match self.mechanisms.get(mechanism) {
            Some(schema) => match (&section.config, section.written_interval) {
                (Value::Object(fields), Some(interval)) if schema.has_key(INTERVAL) => {
                    let mut fields = fields.clone();
                    fields.insert(
                        INTERVAL.to_owned(),
                        PromDuration(interval).to_string().into(),
                    );
                    schema.resolve(&Value::Object(fields))
                }
                _ => schema.resolve(&section.config),
            },
            None => {
                let text = format!("plugin `{}` does not serve `{mechanism}`", self.name());
                Err(vec![Problem::new("", &text)])
            }
        }
    }

    /// What the host adds to a section of this plugin.
    pub(crate) fn preset(
        &self,
        mechanism: &str,
        section: &PluginSection,
        resolved: &Value,
    ) -> Result<Preset, Vec<Problem>> {
        presets::of(mechanism, &self.digest, section, resolved)
    }

    /// Puts stand-ins in the place of the secrets of a resolved section.
    pub(crate) fn hide_secrets(&self, mechanism: &str, resolved: &mut Value) -> Secrets {
        self.mechanisms
            .get(mechanism)
            .map(|schema| Secrets::take(schema.schema(), resolved))
            .unwrap_or_default()
    }

    /// A transformer's configuration as the plugin sees it.
    pub(crate) fn resolve_transformer(&self, config: &Value) -> Result<Value, Vec<Problem>> {
        match &self.transformer_schema {
            Some(schema) => schema.resolve(config),
            None => {
                let text = format!("plugin `{}` is not a transformer", self.name());
                Err(vec![Problem::new("", &text)])
            }
        }
    }
}

impl std::fmt::Debug for Generation {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Generation")
            .field("name", &self.name())
            .field("digest", &self.digest)
            .finish_non_exhaustive()
    }
}

/// Measures one call for the plugin's metrics.
pub(crate) struct CallClock {
    began: Instant,
}

impl CallClock {
    pub(crate) fn start() -> Self {
        Self {
            began: Instant::now(),
        }
    }

    pub(crate) fn stop(
        &self,
        meters: &PluginMeters,
        call: &'static str,
        meter: &Meter,
        memory: usize,
    ) {
        meters.called(call, meter.spent(), self.began.elapsed(), memory);
    }
}
