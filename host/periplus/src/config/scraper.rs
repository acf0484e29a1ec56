//! `periplus config scraper`: the scrape section beside one of our URLs.

use std::io::Write;

use periplus_config::scraper_section;
use serde_json::json;

use crate::args::ScraperArgs;
use crate::load::{find_job, load_or_say, plugin_host};

/// Prints the section, with what to know about it as comments.
pub(crate) async fn scraper(args: ScraperArgs) -> anyhow::Result<()> {
    let plugins = plugin_host(&args.load)?;
    let loaded = load_or_say(&args.config.path, &args.load, &plugins).await?;
    let job = find_job(&loaded, &args.job)?;
    let section = scraper_section(job, &args.url, args.with_secrets).map_err(anyhow::Error::msg)?;
    let mut out = std::io::stdout().lock();
    writeln!(
        out,
        "# For the scraper: job `{}` of {}, its targets from Periplus at stage final.",
        job.name,
        args.config.path.display()
    )?;
    writeln!(
        out,
        "# Paths of files are as written there; on the scraper they begin at its own file."
    )?;
    if section.hides_secrets {
        writeln!(
            out,
            "# Put the secrets in again, or print them with --with-secrets."
        )?;
    }
    for note in &section.notes {
        writeln!(out, "# Differs from Prometheus: {note}.")?;
    }
    let text = serde_saphyr::to_string(&json!({ "scrape_configs": [section.section] }))?;
    out.write_all(text.as_bytes())?;
    Ok(())
}
