//! Jobs in files of their own: `scrape_config_files`.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]

use std::path::PathBuf;

use periplus_config::{
    ConfigErrors, LoadOptions, Loaded, SectionKind, load_file, load_file_with, load_str,
};
use tempfile::TempDir;

/// A folder with these files; the first is the configuration.
struct Folder {
    home: TempDir,
    main: PathBuf,
}

// === impl Folder ===

impl Folder {
    fn new(files: &[(&str, &str)]) -> Self {
        let home = tempfile::tempdir().unwrap();
        for (name, text) in files {
            let path = home.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        let main = home.path().join(files[0].0);
        Self { home, main }
    }

    fn load(&self) -> Result<Loaded, ConfigErrors> {
        load_file(&self.main, &options())
    }

    fn jobs(&self) -> Vec<String> {
        let loaded = self.load().unwrap();
        let names = loaded.config.jobs.iter().map(|job| job.name.clone());
        names.collect()
    }

    /// What the operator reads, with the folder as `DIR`.
    fn errors(&self) -> String {
        self.shown(&self.load().unwrap_err())
    }

    fn shown(&self, text: &impl ToString) -> String {
        let home = self.home.path().to_str().unwrap();
        text.to_string().replace(home, "DIR")
    }
}

fn options() -> LoadOptions {
    LoadOptions {
        mechanisms: ["sockets".to_owned()].into(),
        allow_missing: false,
    }
}

const MAIN: &str = "global: {scrape_interval: 30s}
scrape_config_files: [jobs/*.yml]
scrape_configs:
- job_name: main
";

#[test]
fn jobs_come_from_all_files_in_order_and_inherit_from_the_main_one() {
    let folder = Folder::new(&[
        ("p.yml", MAIN),
        ("jobs/b.yml", "scrape_configs: [{job_name: b}]"),
        (
            "jobs/a.yml",
            "scrape_configs:\n- job_name: a/1\n  file_sd_configs: [{files: [t/*.json]}]\n- job_name: a 2\n",
        ),
        ("jobs/c.yaml", "scrape_configs: [{job_name: c}]"),
        ("jobs/empty.yml", ""),
    ]);
    assert_eq!(folder.jobs(), ["main", "a/1", "a 2", "b"]);
    let loaded = folder.load().unwrap();
    let job = &loaded.config.jobs[1];
    assert_eq!(job.defaults.scrape_interval.to_string(), "30s");
    // Relative paths begin at the folder of the file that they stand in.
    let SectionKind::File(section) = &job.sections[0].kind else {
        panic!("{:?}", job.sections);
    };
    assert_eq!(section.patterns, [folder.home.path().join("jobs/t/*.json")]);
    let origins: Vec<_> = loaded
        .origins
        .iter()
        .map(|it| {
            let file = folder.shown(&it.file.display());
            (file, it.line, folder.shown(&it.key_path))
        })
        .collect();
    let expected = [
        ("DIR/p.yml", 4, "scrape_configs[0]"),
        ("DIR/jobs/a.yml", 2, "DIR/jobs/a.yml: scrape_configs[0]"),
        ("DIR/jobs/a.yml", 4, "DIR/jobs/a.yml: scrape_configs[1]"),
        ("DIR/jobs/b.yml", 1, "DIR/jobs/b.yml: scrape_configs[0]"),
    ];
    assert_eq!(
        origins,
        expected.map(|(file, line, key)| (file.to_owned(), line, key.to_owned()))
    );
}

#[test]
fn a_pattern_that_matches_nothing_is_a_warning() {
    let folder = Folder::new(&[("p.yml", MAIN)]);
    assert_eq!(folder.jobs(), ["main"]);
    let loaded = folder.load().unwrap();
    assert_eq!(
        folder.shown(&loaded.warnings[0]),
        "DIR/p.yml:2:23: scrape_config_files[0]: no file matches \"jobs/*.yml\"\n  \
         hint: a relative path begins at the folder of this file"
    );
}

#[test]
fn errors_name_the_file_in_which_they_are() {
    let folder = Folder::new(&[
        (
            "p.yml",
            "scrape_config_files: [jobs/*.yml]\nscrape_configs:\n- job_name: j\n  scheem: x\n",
        ),
        (
            "jobs/1.yml",
            "scrape_configs:\n- job_name: a\n  scrape_timeout: 10m\n  kubernetes_sd_configs: [{role: pods}]\n",
        ),
        ("jobs/2.yml", "global: {}\nscrape_configs: [{}]\n"),
        ("jobs/3.yml", "a: [\n"),
    ]);
    assert_eq!(
        folder.errors(),
        "\
DIR/p.yml:4:3: scrape_configs[0].scheem: unknown key `scheem`
  hint: did you mean `scheme`?
DIR/jobs/1.yml:3:3: scrape_configs[0].scrape_timeout: scrape timeout greater than scrape interval for scrape config with job name \"a\"
  hint: the interval is 1m: lower `scrape_timeout` or raise it
DIR/jobs/1.yml:4:34: scrape_configs[0].kubernetes_sd_configs[0].role: unknown Kubernetes SD role \"pods\"
  hint: did you mean `pod`?
DIR/jobs/2.yml:1:1: global: unknown key `global`
DIR/jobs/2.yml:2:18: scrape_configs[0]: job_name is empty
  hint: add `job_name: NAME`
DIR/jobs/3.yml:1:4: invalid YAML: unclosed bracket '['"
    );
}

#[test]
fn a_name_may_stand_in_one_file_only() {
    let folder = Folder::new(&[
        ("p.yml", MAIN),
        (
            "jobs/1.yml",
            "scrape_configs:\n- job_name: ä b\n- job_name: main\n",
        ),
        ("jobs/2.yml", "scrape_configs:\n- job_name: ä b\n"),
    ]);
    assert_eq!(
        folder.errors(),
        "\
DIR/jobs/1.yml:3:13: scrape_configs[1].job_name: found multiple scrape configs with job name \"main\", first found in main config file
  hint: the first one is on line 4 of that file: give one of them another name
DIR/jobs/2.yml:2:13: scrape_configs[0].job_name: found multiple scrape configs with job name \"ä b\", first found in \"DIR/jobs/1.yml\"
  hint: the first one is on line 2 of that file: give one of them another name"
    );
}

#[test]
fn a_file_that_is_read_twice_has_its_jobs_twice() {
    let folder = Folder::new(&[
        ("p.yml", "scrape_config_files: [a.yml, '*a.yml']"),
        ("a.yml", "scrape_configs: [{job_name: a}]"),
    ]);
    let errors = folder.errors();
    assert!(errors.contains("first found in \"DIR/a.yml\""), "{errors}");
}

#[test]
fn files_that_cannot_be_read_are_an_error() {
    let folder = Folder::new(&[("p.yml", MAIN), ("jobs/a.yml/b", "")]);
    let errors = folder.errors();
    assert!(
        errors.starts_with("DIR/jobs/a.yml: failed to read the configuration: "),
        "{errors}"
    );
    std::os::unix::fs::symlink("nowhere", folder.home.path().join("jobs/b.yml")).unwrap();
    let errors = folder.errors();
    assert!(
        errors.contains("DIR/jobs/b.yml: failed to read the configuration: "),
        "{errors}"
    );
    let folder = Folder::new(&[("p.yml", "scrape_config_files: ['jobs/[.yml']")]);
    assert_eq!(
        folder.errors(),
        "DIR/p.yml:1:23: scrape_config_files[0]: error retrieving scrape config files for \
         \"DIR/jobs/[.yml\": syntax error in pattern"
    );
}

#[test]
fn what_plugins_find_in_an_included_file_is_told_there() {
    let folder = Folder::new(&[
        ("p.yml", MAIN),
        (
            "jobs/a.yml",
            "scrape_configs:\n- job_name: a\n  sockets_sd_configs:\n  - ports: {include: [1]}\n  transformers: [{plugin: x}]\n",
        ),
    ]);
    let errors = load_file_with(&folder.main, &options(), |config, places| {
        let job = &config.jobs[1];
        vec![
            places.diagnostic(&job.transformers[0].key_path, "/plugin", "unknown"),
            places.diagnostic(&job.sections[0].key_path, "/ports/include/0", "too small"),
        ]
    });
    assert_eq!(
        folder.shown(&errors.unwrap_err()),
        "\
DIR/jobs/a.yml:4:23: scrape_configs[0].sockets_sd_configs[0].ports.include[0]: too small
DIR/jobs/a.yml:5:27: scrape_configs[0].transformers[0].plugin: unknown"
    );
}

#[test]
fn a_text_without_a_file_includes_nothing() {
    let loaded = load_str(MAIN, std::path::Path::new("p.yml"), &options()).unwrap();
    assert_eq!(loaded.config.jobs.len(), 1);
    assert_eq!(loaded.warnings, []);
}
