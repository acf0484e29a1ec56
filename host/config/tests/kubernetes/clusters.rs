//! The list of clusters, and sections that name them.

use std::path::Path;

use periplus_config::{ClusterAccess, ClusterEntry, ClusterSelection, Section};

use super::{config, content, errors, load, section, text_of, try_load};

const CLUSTERS: &str = "[{name: prod-eu, kubeconfig_file: eu.kubeconfig, context: admin}, \
                         {name: prod-us, api_server: 'https://us', bearer_token: hunter2}, \
                         {name: local}]";
const WITH_FOLDER: &str =
    "[{name: prod-eu, kubeconfig_file: eu.kubeconfig}, {kubeconfig_dir: clusters/}]";

fn selection(clusters: &str, names: &str) -> ClusterSelection {
    let section = section(clusters, &format!("{{role: pod, clusters: {names}}}"));
    content(&section)
        .clusters
        .clone()
        .expect("the section names clusters")
}

fn names_of(selection: &ClusterSelection) -> Vec<&str> {
    let named = selection.named.iter();
    named.map(|cluster| cluster.name.as_str()).collect()
}

#[test]
fn entries_are_resolved() {
    let clusters = config(&format!("clusters: {CLUSTERS}")).clusters;
    let [eu, us, local] = &clusters[..] else {
        panic!("{clusters:?}");
    };
    let access = |entry: &ClusterEntry| match entry {
        ClusterEntry::Named(cluster) => cluster.access.clone(),
        ClusterEntry::Folder(_) => panic!(),
    };
    assert_eq!(
        access(eu),
        ClusterAccess::Kubeconfig {
            file: "conf/eu.kubeconfig".into(),
            context: Some("admin".to_owned())
        }
    );
    let ClusterAccess::Server { url, http } = access(us) else {
        panic!();
    };
    assert_eq!(url.as_str(), "https://us/");
    assert_eq!(http.authorization.unwrap().credentials.expose(), "hunter2");
    assert_eq!(access(local), ClusterAccess::Local);
    let folder = config(&format!("clusters: {WITH_FOLDER}"))
        .clusters
        .remove(1);
    assert_eq!(folder, ClusterEntry::Folder("conf/clusters".into()));
}

#[test]
fn wrong_entries_are_refused_all_at_once_with_advice() {
    let text = "\
clusters:
-
- {}
- {name: ''}
- {name: a*, api_server: 'https://h'}
- {name: a}
- {name: a}
- {name: b, api_server: 'https://h', kubeconfig_file: k}
- {name: c, kubeconfig_file: k, bearer_token: t}
- {name: d, bearer_token: t}
- {name: e, context: x}
- {name: f, kubeconfig_dir: g}
- {kubeconfig_dir: g, follow_redirects: false}
- {kubeconfig_dir: h}
- {kubeconfig_dir: ./h/}
- {name: i, role: pod}
- {name: j, api_server: 'mailto:x'}
- k
";
    let found = try_load(text).unwrap_err();
    assert_eq!(
        errors(text),
        [
            "2:2 clusters[0]: empty or null section in clusters",
            "3:3 clusters[1]: cluster has no name",
            "4:4 clusters[2].name: cluster has no name",
            "5:4 clusters[3].name: cluster name \"a*\" has a wildcard",
            "7:10 clusters[5].name: found multiple clusters with name \"a\"",
            "8:38 clusters[6].kubeconfig_file: cannot use 'kubeconfig_file' and 'api_server' simultaneously",
            "9:13 clusters[7].kubeconfig_file: cannot use a custom HTTP client configuration together with 'kubeconfig_file'",
            "10:3 clusters[8]: to use custom HTTP client configuration please provide the 'api_server' URL explicitly",
            "11:13 clusters[9].context: 'context' needs 'kubeconfig_file'",
            "12:13 clusters[10].kubeconfig_dir: cannot use 'kubeconfig_dir' together with other keys",
            "13:4 clusters[11].kubeconfig_dir: cannot use 'kubeconfig_dir' together with other keys",
            "15:20 clusters[13].kubeconfig_dir: folder `conf/h` is listed twice",
            "16:13 clusters[14].role: unknown key `role`",
            "17:13 clusters[15].api_server: `mailto:x` is not a URL of an API server",
            "18:3 clusters[16]: expected a mapping, found the text `k`",
        ]
    );
    let ours = |message: &str| message.contains("cluster") || message.contains("context");
    for error in found.0.iter().filter(|error| ours(&error.message)) {
        let is_upstream = error.message.contains("custom HTTP client");
        assert!(error.hint.is_some() || is_upstream, "{error}");
    }
}

#[test]
fn names_and_patterns_select_entries() {
    for (names, expected) in [
        ("[local]", &["local"][..]),
        ("[prod-us, prod-eu, prod-us]", &["prod-eu", "prod-us"]),
        ("['prod-*']", &["prod-eu", "prod-us"]),
        ("['prod-?u', local]", &["local", "prod-eu"]),
        ("['*']", &["local", "prod-eu", "prod-us"]),
        ("['*', local]", &["local", "prod-eu", "prod-us"]),
    ] {
        let selection = selection(CLUSTERS, names);
        assert_eq!(names_of(&selection), expected, "{names}");
        assert_eq!(selection.folders, [], "{names}");
    }
}

#[test]
fn folders_are_searched_for_what_is_no_entry() {
    for (names, named, patterns) in [
        ("[prod-eu]", &["prod-eu"][..], None),
        ("[edge-1]", &[], Some(&["edge-1"][..])),
        ("[edge-1, prod-eu]", &["prod-eu"], Some(&["edge-1"])),
        ("['*', prod-eu]", &["prod-eu"], Some(&["*"])),
        ("['edge-*', 'a*']", &[], Some(&["a*", "edge-*"])),
    ] {
        let selection = selection(WITH_FOLDER, names);
        assert_eq!(names_of(&selection), named, "{names}");
        let folder = selection.folders.first();
        assert_eq!(
            folder.map(|folder| folder.patterns.as_slice().to_vec()),
            patterns.map(|them| them.iter().map(ToString::to_string).collect()),
            "{names}"
        );
        if let Some(folder) = folder {
            assert_eq!(folder.path, Path::new("conf/clusters"));
        }
    }
}

#[test]
fn sections_name_clusters_that_exist() {
    for (clusters, names, expected, hint) in [
        (
            "",
            "[prod-eu]",
            "there is no cluster \"prod-eu\"",
            "add it to the top-level list: `clusters: [{name: NAME, kubeconfig_file: FILE}]`",
        ),
        (
            CLUSTERS,
            "[prod-eux]",
            "there is no cluster \"prod-eux\"",
            "did you mean `prod-eu`?",
        ),
        (
            CLUSTERS,
            "[elsewhere, local]",
            "there is no cluster \"elsewhere\"",
            "add it to the top-level list `clusters`, which has \"local\", \"prod-eu\", \"prod-us\"",
        ),
        (
            CLUSTERS,
            "['']",
            "cluster name is empty",
            "write the name of a cluster, or a pattern such as `prod-*`",
        ),
        (
            CLUSTERS,
            "[]",
            "clusters names no cluster",
            "write `clusters: [NAME]`, or `clusters: [\"*\"]` for all",
        ),
        (
            CLUSTERS,
            "~",
            "clusters names no cluster",
            "write `clusters: [NAME]`, or `clusters: [\"*\"]` for all",
        ),
    ] {
        let section = format!("{{role: pod, clusters: {names}}}");
        let errors = try_load(&text_of(clusters, "kubernetes", &section)).unwrap_err();
        assert_eq!(errors.0.len(), 1, "{errors}");
        assert_eq!(errors.0[0].message, expected);
        assert_eq!(errors.0[0].hint.as_deref(), Some(hint));
    }
}

#[test]
fn an_entry_with_an_error_is_not_missing_as_well() {
    let text = text_of(
        "[{name: a, api_server: ':1'}, {name: b, context: x}]",
        "kubernetes",
        "{role: pod, clusters: [a, b]}",
    );
    assert_eq!(errors(&text).len(), 2);
    let unreadable = text_of("5", "kubernetes", "{role: pod, clusters: [a]}");
    assert_eq!(errors(&unreadable).len(), 1);
}

#[test]
fn a_pattern_without_a_match_is_warned_about() {
    let warnings = |clusters: &str| {
        let loaded = load(&text_of(
            clusters,
            "kubernetes",
            "{role: pod, clusters: ['x*']}",
        ));
        let texts = loaded.warnings.into_iter().map(|warning| warning.message);
        texts.collect::<Vec<_>>()
    };
    assert_eq!(warnings(CLUSTERS), ["no cluster matches \"x*\""]);
    assert_eq!(warnings(WITH_FOLDER), [""; 0]);
}

#[test]
fn clusters_exclude_other_ways_to_connect_all_told_at_once() {
    let section = "{role: pod, clusters: [local], api_server: 'https://h', kubeconfig_file: k, \
                   bearer_token: x, namespaces: {own_namespace: true}}";
    let mut messages: Vec<_> = try_load(&text_of(CLUSTERS, "kubernetes", section))
        .unwrap_err()
        .0
        .into_iter()
        .map(|error| error.message)
        .collect();
    messages.sort();
    assert_eq!(
        messages,
        [
            "cannot use 'clusters' and 'api_server' simultaneously",
            "cannot use 'clusters' and 'kubeconfig_file' simultaneously",
            "cannot use 'clusters' and 'namespaces.own_namespace' simultaneously",
            "cannot use a custom HTTP client configuration together with 'clusters'",
        ]
    );
}

/// A section whose clusters are chosen, in a file with these clusters.
fn choosing(clusters: &str, names: &str) -> Section {
    section(clusters, &format!("{{role: pod, clusters: {names}}}"))
}

#[test]
fn a_section_changes_with_what_it_reads_and_with_nothing_else() {
    let before = "[{name: a, kubeconfig_file: a}, {name: b, kubeconfig_file: b}]";
    for (after, names, same) in [
        // The list in another order, in other words.
        (
            "[{kubeconfig_file: ./b, name: b}, {name: a, kubeconfig_file: a}]",
            "['*']",
            true,
        ),
        // The other one changes, goes, or gets company.
        ("[{name: a, kubeconfig_file: a}, {name: b}]", "[a]", true),
        ("[{name: a, kubeconfig_file: a}]", "[a]", true),
        (
            "[{name: a, kubeconfig_file: a}, {name: b, kubeconfig_file: b}, {name: c}]",
            "['?']",
            false,
        ),
        (
            "[{name: a, kubeconfig_file: a}, {name: b, kubeconfig_file: b}, {name: cc}]",
            "['?']",
            true,
        ),
        (
            "[{name: a, kubeconfig_file: a}, {name: b, kubeconfig_file: b}, {kubeconfig_dir: d}]",
            "[a, b]",
            true,
        ),
        // What it reads changes.
        ("[{name: a, kubeconfig_file: a}, {name: b}]", "[b]", false),
        ("[{name: a, kubeconfig_file: a}, {name: b}]", "['*']", false),
        (
            "[{name: a, kubeconfig_file: a, context: x}, {name: b, kubeconfig_file: b}]",
            "[a]",
            false,
        ),
        (
            "[{name: a, kubeconfig_file: a}, {name: b, kubeconfig_file: b}, {kubeconfig_dir: d}]",
            "['*']",
            false,
        ),
    ] {
        let is_same = choosing(before, names).identity == choosing(after, names).identity;
        assert_eq!(is_same, same, "{after} {names}");
    }
    let one_cluster = section("", "{role: pod, kubeconfig_file: a}");
    assert_ne!(one_cluster.identity, choosing(before, "[a]").identity);
}

#[test]
fn secrets_of_clusters_are_hidden_and_part_of_the_identity() {
    let of = |keys: &str| choosing(&format!("[{{name: a, {keys}}}]"), "[a]");
    for keys in [
        "api_server: 'https://h', bearer_token: SECRET",
        "api_server: 'https://u:SECRET@h'",
        "api_server: 'https://h', basic_auth: {username: u, password: SECRET}",
    ] {
        let section = of(&keys.replace("SECRET", "hunter2"));
        assert_ne!(
            section.identity,
            of(&keys.replace("SECRET", "hunter3")).identity
        );
        let shown = section.shown().to_string();
        assert!(!shown.contains("hunter2"), "{shown}");
        assert!(shown.contains("\"name\":\"a\""), "{shown}");
    }
}

#[test]
fn the_cluster_of_a_section_without_a_list_is_known() {
    let access = |keys: &str| content(&section("", &format!("{{role: pod{keys}}}"))).access();
    assert_eq!(access(""), ClusterAccess::Local);
    assert_eq!(access(", api_server: ''"), ClusterAccess::Local);
    assert_eq!(
        access(", kubeconfig_file: k"),
        ClusterAccess::Kubeconfig {
            file: "conf/k".into(),
            context: None
        }
    );
    let ClusterAccess::Server { url, http } = access(", api_server: 'https://h', bearer_token: x")
    else {
        panic!();
    };
    assert_eq!(url.as_str(), "https://h/");
    assert!(http.authorization.is_some());
}
