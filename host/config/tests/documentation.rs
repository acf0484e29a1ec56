//! The keys in `docs/configuration.md` are keys that are read.

use std::path::Path;

use periplus_config::{LoadOptions, load_str};

const PAGE: &str = include_str!("../../../docs/configuration.md");

/// The keys in the first column of the table below a heading.
fn keys_of(heading: &str) -> Vec<&'static str> {
    let (_, section) = PAGE
        .split_once(&format!("\n## {heading}\n"))
        .expect("the heading is there");
    let section = section
        .split("\n## ")
        .next()
        .expect("a split has a first part");
    let rows = section.lines().filter(|line| line.starts_with("| `"));
    let cells = rows.filter_map(|row| row.split('|').nth(1));
    // Within backticks, so every second piece.
    cells
        .flat_map(|cell| cell.split('`').skip(1).step_by(2))
        .collect()
}

/// Whether a document whose last key has no value is refused because that key does not exist.
fn is_unknown(document: &str) -> bool {
    let loaded = load_str(document, Path::new("p.yml"), &LoadOptions::default());
    loaded.is_err_and(|errors| errors.to_string().contains("unknown key"))
}

#[test]
fn every_documented_key_exists() {
    let mut count = 0;
    for (heading, before) in [
        ("Top level", ""),
        ("`global`", "global:\n  "),
        ("`scrape_configs`", "scrape_configs:\n- "),
    ] {
        let keys = keys_of(heading);
        count += keys.len();
        for key in keys {
            assert!(
                !is_unknown(&format!("{before}{key}:\n")),
                "`{key}` under {heading}"
            );
        }
        assert!(is_unknown(&format!("{before}no_such_key:\n")), "{heading}");
    }
    assert!(
        count > 80,
        "only {count} keys were found: the tables look otherwise"
    );
}
