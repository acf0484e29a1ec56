//! The command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};
use periplus_serve::{FileFormat, SdFiles};

/// Discovery tier for Prometheus-compatible scrapers.
#[derive(Debug, Parser)]
#[command(version, about, disable_help_subcommand = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Discover targets and serve them.
    Run(RunArgs),
    /// Check a configuration, or what one of its jobs finds.
    #[command(subcommand)]
    Check(CheckCommand),
    /// Show what a configuration means.
    #[command(subcommand)]
    Config(ConfigCommand),
    /// Prepare and distribute plugins.
    #[command(subcommand)]
    Plugin(crate::plugin::PluginCommand),
    /// Prepare a Kubernetes cluster.
    #[command(subcommand)]
    Kubernetes(KubernetesCommand),
    /// Print the targets of a host that runs.
    Targets(TargetsArgs),
    /// Print where each label of a target comes from, or why the target is not served.
    Explain(ExplainArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum CheckCommand {
    /// Read a configuration with its plugins and print every error in it.
    Config(CheckConfigArgs),
    /// Run the discovery of one job and print its targets before and after relabeling.
    Discovery(CheckDiscoveryArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum ConfigCommand {
    /// Print the configuration with defaults filled in and where each part stands; secrets are hidden.
    Explain(ExplainConfigArgs),
    /// Print the scrape section for a scraper that reads a job's final targets from here.
    Scraper(ScraperArgs),
}

#[derive(Debug, Subcommand)]
pub(crate) enum KubernetesCommand {
    /// Print the smallest roles that a configuration needs, for `kubectl apply -f -`.
    Rbac(RbacArgs),
}

/// The configuration that a command reads.
#[derive(Debug, Args)]
pub(crate) struct ConfigFile {
    /// The configuration, a `prometheus.yml`.
    #[arg(
        id = "config",
        long = "config",
        value_name = "FILE",
        env = "PERIPLUS_CONFIG",
        default_value = "prometheus.yml"
    )]
    pub(crate) path: PathBuf,
}

#[derive(Debug, Args)]
pub(crate) struct RbacArgs {
    #[command(flatten)]
    pub(crate) config: ConfigFile,

    /// Name of the roles and bindings.
    #[arg(long, value_name = "NAME", default_value = "periplus", value_parser = parse_object_name)]
    pub(crate) name: String,

    /// Namespace that Periplus runs in.
    #[arg(long, value_name = "NS", default_value = "default", value_parser = parse_object_name)]
    pub(crate) namespace: String,

    /// Service account that Periplus runs as; the name of the roles unless given.
    #[arg(long, value_name = "SA", value_parser = parse_object_name)]
    pub(crate) service_account: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) config: ConfigFile,

    /// Address to serve on.
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "PERIPLUS_LISTEN",
        default_value = "127.0.0.1:9099"
    )]
    pub(crate) listen: SocketAddr,

    /// Address of a listener that serves OpenTelemetry's target allocator API alone, at `/`; it is
    /// always served under `/otel`, too.
    #[arg(long, value_name = "ADDRESS", env = "PERIPLUS_OTEL_LISTEN")]
    pub(crate) otel_listen: Option<SocketAddr>,

    /// Address of the listener for administration (`POST /-/reload`), or `off`.
    #[arg(
        long,
        value_name = "ADDRESS",
        env = "PERIPLUS_ADMIN_LISTEN",
        value_parser = parse_admin_listen,
        default_value = "127.0.0.1:9098"
    )]
    pub(crate) admin_listen: AdminListen,

    /// A name by which the listener for administration may be asked, besides `localhost` and
    /// addresses; repeatable.
    #[arg(long = "admin-host", value_name = "NAME")]
    pub(crate) admin_hosts: Vec<String>,

    /// TLS, client certificates and passwords for every listener, in the format of exporter-toolkit.
    #[arg(
        long = "web.config.file",
        alias = "web-config-file",
        value_name = "FILE",
        env = "PERIPLUS_WEB_CONFIG"
    )]
    pub(crate) web_config: Option<PathBuf>,

    /// How long `/-/ready` waits for jobs that are not known yet.
    #[arg(long, value_name = "DURATION", default_value = "2m", value_parser = parse_duration)]
    pub(crate) ready_timeout: Duration,

    /// How long a job that a reload removed answers an empty list before it is 404.
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = parse_duration)]
    pub(crate) removed_grace: Duration,

    /// Folder for the last known good targets of each section, private to the user: a start serves
    /// them until the source answers. Nothing is kept without it.
    #[arg(long, value_name = "DIR", env = "PERIPLUS_STATE_DIR")]
    pub(crate) state_dir: Option<PathBuf>,

    /// How old last known good targets may be before they are no longer served.
    #[arg(long, value_name = "DURATION", default_value = "24h", value_parser = parse_duration)]
    pub(crate) max_stale_age: Duration,

    #[command(flatten)]
    pub(crate) sd_files: SdFilesArgs,

    #[command(flatten)]
    pub(crate) load: LoadArgs,
}

/// Where administration is served.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AdminListen {
    Off,
    At(SocketAddr),
}

/// Files for `file_sd_configs`.
#[derive(Debug, Args)]
pub(crate) struct SdFilesArgs {
    /// Also write each job's targets to a file in this folder, for `file_sd_configs`.
    #[arg(
        long = "sd-files-dir",
        value_name = "DIR",
        env = "PERIPLUS_SD_FILES_DIR"
    )]
    directory: Option<PathBuf>,

    /// How these files are written.
    #[arg(
        long = "sd-files-format",
        value_name = "FORMAT",
        default_value = "json"
    )]
    format: SdFilesFormat,

    /// Into how many files each job is parted.
    #[arg(long = "sd-files-shards", value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..=4096))]
    shards: u32,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
pub(crate) enum SdFilesFormat {
    Json,
    Yaml,
}

#[derive(Debug, Args)]
pub(crate) struct CheckConfigArgs {
    /// The configuration to check.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    #[command(flatten)]
    pub(crate) load: LoadArgs,
}

#[derive(Debug, Args)]
pub(crate) struct CheckDiscoveryArgs {
    /// The configuration.
    #[arg(value_name = "FILE")]
    pub(crate) file: PathBuf,

    /// The job, by its `job_name`.
    #[arg(value_name = "JOB")]
    pub(crate) job: String,

    /// How long to wait until every section of the job has delivered.
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = parse_duration)]
    pub(crate) timeout: Duration,

    /// What to print.
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: OutputFormat,

    #[command(flatten)]
    pub(crate) load: LoadArgs,
}

#[derive(Debug, Args)]
pub(crate) struct TargetsArgs {
    /// Only this job.
    #[arg(value_name = "JOB")]
    pub(crate) job: Option<String>,

    /// Those that were dropped too.
    #[arg(long)]
    pub(crate) dropped: bool,

    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// The job, by its `job_name`.
    #[arg(value_name = "JOB")]
    pub(crate) job: String,

    /// The target, by its address as discovered or at the end, or by its `instance`.
    #[arg(value_name = "TARGET")]
    pub(crate) target: String,

    #[command(flatten)]
    pub(crate) client: ClientArgs,
}

/// Which host to ask.
#[derive(Debug, Args)]
pub(crate) struct ClientArgs {
    /// Address of the host.
    #[arg(
        long,
        value_name = "URL",
        env = "PERIPLUS_URL",
        hide_env_values = true,
        default_value = "http://127.0.0.1:9099"
    )]
    pub(crate) url: url::Url,

    /// How long to wait for the answer.
    #[arg(long, value_name = "DURATION", default_value = "30s", value_parser = parse_duration)]
    pub(crate) timeout: Duration,

    /// What to print.
    #[arg(long, value_enum, default_value = "table")]
    pub(crate) format: OutputFormat,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainConfigArgs {
    /// A job, by its `job_name`; all of them unless given.
    #[arg(value_name = "JOB")]
    pub(crate) job: Option<String>,

    #[command(flatten)]
    pub(crate) config: ConfigFile,

    /// What to print.
    #[arg(long, value_enum, default_value = "yaml")]
    pub(crate) format: ExplainFormat,

    #[command(flatten)]
    pub(crate) load: LoadArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ScraperArgs {
    /// The job, by its `job_name`.
    #[arg(value_name = "JOB")]
    pub(crate) job: String,

    #[command(flatten)]
    pub(crate) config: ConfigFile,

    /// Where the scraper reaches Periplus.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:9099")]
    pub(crate) url: url::Url,

    /// Print secrets instead of `<secret>`.
    #[arg(long)]
    pub(crate) with_secrets: bool,

    #[command(flatten)]
    pub(crate) load: LoadArgs,
}

/// How a configuration is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExplainFormat {
    Yaml,
    Json,
}

/// For people or for programs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum OutputFormat {
    Table,
    Json,
}

/// What reading a configuration depends on.
#[derive(Clone, Debug, Args)]
pub(crate) struct LoadArgs {
    /// Warn about mechanisms that nothing serves, instead of refusing them; their jobs answer 503.
    #[arg(long)]
    pub(crate) allow_missing: bool,

    /// Folder of plugins (`*.wasm`) that are loaded as if `plugins:` listed them, without grants and limits of their own.
    #[arg(long, value_name = "DIR", env = "PERIPLUS_PLUGIN_DIR")]
    pub(crate) plugin_dir: Option<PathBuf>,

    /// Folder for compiled plugins; private to the user.
    #[arg(long, value_name = "DIR", env = "PERIPLUS_PLUGIN_CACHE")]
    pub(crate) plugin_cache: Option<PathBuf>,

    /// How often registries are asked what tags mean, for plugins with `pull: always`.
    #[arg(long, value_name = "DURATION", default_value = "5m", value_parser = parse_duration)]
    pub(crate) plugin_recheck: Duration,

    #[command(flatten)]
    pub(crate) store: crate::plugin::StoreArgs,
}

// === impl AdminListen ===

impl AdminListen {
    /// Where nobody asked for another place.
    pub(crate) const DEFAULT: Self = Self::At(SocketAddr::new(
        std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST),
        9098,
    ));
}

// === impl SdFilesArgs ===

impl SdFilesArgs {
    /// What to write, if anything.
    pub(crate) fn files(&self) -> Option<SdFiles> {
        Some(SdFiles {
            directory: self.directory.clone()?,
            format: match self.format {
                SdFilesFormat::Json => FileFormat::Json,
                SdFilesFormat::Yaml => FileFormat::Yaml,
            },
            shards: self.shards,
        })
    }
}

// === impl LoadArgs ===

impl LoadArgs {
    /// The cache folder as given, else one in the user's cache folder.
    pub(crate) fn plugin_cache(&self) -> PathBuf {
        self.plugin_cache.clone().unwrap_or_else(|| {
            let user_cache = std::env::var_os("XDG_CACHE_HOME")
                .map(PathBuf::from)
                .or_else(|| {
                    std::env::var_os("HOME").map(|home| PathBuf::from(home).join(".cache"))
                });
            user_cache
                .unwrap_or_else(std::env::temp_dir)
                .join("periplus")
                .join("plugins")
        })
    }
}

/// A duration as Prometheus writes it (`90s`, `2m`, `1h30m`).
fn parse_duration(text: &str) -> Result<Duration, String> {
    let parsed: periplus_core::duration::PromDuration = text
        .parse()
        .map_err(|error: periplus_core::duration::DurationError| error.to_string())?;
    Ok(parsed.into())
}

fn parse_admin_listen(text: &str) -> Result<AdminListen, String> {
    if text == "off" {
        return Ok(AdminListen::Off);
    }
    let address = text.parse().map(AdminListen::At);
    address.map_err(|_| "use an address with a port, such as `127.0.0.1:9098`, or `off`".to_owned())
}

/// A name that objects of Kubernetes can have.
fn parse_object_name(text: &str) -> Result<String, String> {
    let inner = |byte: u8| matches!(byte, b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.');
    let is_edge = |edge: Option<char>| edge.is_some_and(|it| it.is_ascii_alphanumeric());
    let is_name = text.len() <= 253
        && text.bytes().all(inner)
        && is_edge(text.chars().next())
        && is_edge(text.chars().last());
    if is_name {
        Ok(text.to_owned())
    } else {
        Err("use lower-case letters, digits, `-` and `.`".to_owned())
    }
}
