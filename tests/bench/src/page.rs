//! The page of the results: plots as SVG, and the figures in `docs/benchmarks.md` between marks.

mod chart;
mod figures;
mod plots;

use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use clap::Args;

use crate::{kubernetes, peers};

/// Makes plots of results, and writes the figures into the page
#[derive(Debug, Args)]
pub(crate) struct Arguments {
    /// Results of `kubernetes` and `peers`
    #[arg(long, value_name = "FILE", required = true)]
    json: Vec<PathBuf>,
    /// Where to write the plots
    #[arg(long, value_name = "DIR", default_value = "docs/benchmarks")]
    out: PathBuf,
    /// The page; what stands between `<!-- begin NAME -->` and `<!-- end NAME -->` is replaced
    #[arg(long, value_name = "FILE", default_value = "docs/benchmarks.md")]
    page: PathBuf,
}

/// One benchmark's part of the page.
struct Part {
    name: &'static str,
    text: String,
    /// File names and contents.
    plots: Vec<(&'static str, String)>,
}

/// Writes all plots and the page.
pub(crate) fn write(arguments: &Arguments) -> anyhow::Result<()> {
    std::fs::create_dir_all(&arguments.out)
        .with_context(|| format!("failed to create `{}`", arguments.out.display()))?;
    let mut page = read(&arguments.page)?;
    for file in &arguments.json {
        let part = part(file, &arguments.out)?;
        for (name, plot) in &part.plots {
            store(&arguments.out.join(name), plot)?;
        }
        page = replaced(&page, part.name, &part.text)
            .with_context(|| format!("in `{}`", arguments.page.display()))?;
    }
    store(&arguments.page, &page)
}

fn part(file: &Path, out: &Path) -> anyhow::Result<Part> {
    let text = read(file)?;
    let context = || format!("`{}` is not as this version writes it", file.display());
    let value: serde_json::Value = serde_json::from_str(&text).with_context(context)?;
    // Links in the page are relative to it, and the plots lie in a folder beside it.
    let folder = out
        .file_name()
        .map(|name| name.to_string_lossy().into_owned());
    let folder = folder.unwrap_or_default();
    match value["benchmark"].as_str() {
        Some(kubernetes::NAME) => {
            let results = serde_json::from_value(value).with_context(context)?;
            figures::kubernetes(&results, &folder).map_err(Into::into)
        }
        Some(peers::NAME) => {
            let results = serde_json::from_value(value).with_context(context)?;
            figures::peers(&results, &folder).map_err(Into::into)
        }
        _ => bail!("`{}` is not of a benchmark that has a page", file.display()),
    }
}

/// The page with another text between the marks of a name.
fn replaced(page: &str, name: &str, text: &str) -> anyhow::Result<String> {
    let (begin, end) = (
        format!("<!-- begin {name} -->"),
        format!("<!-- end {name} -->"),
    );
    let missing = || format!("there is no `{begin}` followed by `{end}`");
    let (before, rest) = page.split_once(&begin).with_context(missing)?;
    let (_, after) = rest.split_once(&end).with_context(missing)?;
    Ok(format!(
        "{before}{begin}\n\n{}\n\n{end}{after}",
        text.trim()
    ))
}

fn read(path: &Path) -> anyhow::Result<String> {
    std::fs::read_to_string(path).with_context(|| format!("failed to read `{}`", path.display()))
}

fn store(path: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(path, text).with_context(|| format!("failed to write `{}`", path.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_marks_is_replaced() {
        let page = "a\n<!-- begin x -->\nold\n<!-- end x -->\nb\n";
        let once = replaced(page, "x", "new\n").unwrap();
        assert_eq!(once, "a\n<!-- begin x -->\n\nnew\n\n<!-- end x -->\nb\n");
        assert_eq!(replaced(&once, "x", "new").unwrap(), once);
        let error = replaced(page, "y", "new").unwrap_err().to_string();
        assert!(error.contains("<!-- begin y -->"), "{error}");
    }
}
