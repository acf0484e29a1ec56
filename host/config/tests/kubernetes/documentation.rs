//! The examples of `docs/kubernetes.md` and of `deploy/` are configurations that work.

use std::path::Path;

use periplus_config::{LoadOptions, Role, load_file};

use super::load;

const PAGE: &str = include_str!("../../../../docs/kubernetes.md");

#[test]
fn the_examples_of_the_page_are_accepted() {
    let blocks = PAGE.split("```yaml\n").skip(1);
    let examples: Vec<&str> = blocks.filter_map(|it| it.split("```").next()).collect();
    assert!(examples.len() >= 4);
    for example in examples {
        let text = if example.starts_with("kubernetes_sd_configs") {
            let lines = example.lines().map(|line| format!("  {line}\n"));
            format!(
                "scrape_configs:\n- job_name: j\n{}",
                lines.collect::<String>()
            )
        } else {
            example.to_owned()
        };
        let loaded = load(&text);
        assert_eq!(loaded.warnings, [], "{text}");
        assert!(!loaded.config.jobs[0].sections.is_empty(), "{text}");
    }
}

#[test]
fn the_page_names_every_role_and_what_it_may_select() {
    for role in Role::ALL {
        assert!(PAGE.contains(&format!("\n### `{role}`\n")), "{role}");
        let selectable = role.selectable().iter().map(|it| format!("`{it}`"));
        let row = format!(
            "\n| `{role}` | {} |\n",
            selectable.collect::<Vec<_>>().join(", ")
        );
        assert!(PAGE.contains(&row), "{row}");
    }
}

#[test]
fn the_configurations_to_deploy_are_accepted() {
    let deploy = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../deploy");
    let entries = std::fs::read_dir(deploy).unwrap();
    let paths = entries.map(|entry| entry.unwrap().path());
    let configs: Vec<_> = paths
        .filter(|path| path.extension().is_some_and(|it| it == "yml"))
        .collect();
    assert!(configs.len() >= 5);
    for path in configs {
        let loaded = load_file(&path, &LoadOptions::default());
        let loaded = loaded.unwrap_or_else(|errors| panic!("{errors}"));
        assert_eq!(loaded.warnings, []);
    }
}
