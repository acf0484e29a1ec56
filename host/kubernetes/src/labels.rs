//! Label names of `kubernetes_sd` and how values are written in them.

use std::borrow::Cow;
use std::cell::RefCell;
use std::rc::Rc;

use periplus_core::LabelSet;
use periplus_core::name::sanitize_label_name;
use rustc_hash::FxHashMap;

use crate::record::Record;
use crate::resource::filter::AnnotationFilter;

/// The label that holds what is scraped.
pub(crate) const ADDRESS: &str = "__address__";

/// The cache of names begins anew at this size. Clusters have some hundred names of labels.
const MAX_NAMES: usize = 4096;

thread_local! {
    /// Label names that were made of names of labels and annotations. Groups are derived by views
    /// and again by readers, on any thread, and most of the time went into making names.
    static NAMES: RefCell<FxHashMap<&'static str, FxHashMap<Box<str>, PairNames>>> =
        RefCell::default();
}

/// Labels in the making. Best pushed in ascending order of their names: then sorting them is one
/// pass. Of labels with one name the last stands.
#[derive(Default)]
pub(crate) struct Labels<'a> {
    labels: Vec<(Name, Cow<'a, str>)>,
    /// The names of `..present_..` labels, until the labels that they stand behind are all there.
    present: Vec<Name>,
}

/// The name of a label.
pub(crate) enum Name {
    /// A fixed one.
    Fixed(&'static str),
    /// One that was made of a name in an object.
    Made(Rc<str>),
}

/// What the labels of one kind of object begin with.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MetaNames {
    labels: MapNames,
    annotations: MapNames,
    /// The label for the object's name.
    pub(crate) name: &'static str,
}

/// What the labels begin with that show one map, such as an object's annotations.
#[derive(Clone, Copy, Debug)]
pub(crate) struct MapNames {
    pub(crate) plain: &'static str,
    pub(crate) present: &'static str,
}

#[derive(Clone)]
struct PairNames {
    plain: Rc<str>,
    present: Rc<str>,
}

macro_rules! meta_names {
    ($object:literal) => {
        MetaNames {
            labels: MapNames {
                plain: concat!("__meta_kubernetes_", $object, "_label_"),
                present: concat!("__meta_kubernetes_", $object, "_labelpresent_"),
            },
            annotations: MapNames {
                plain: concat!("__meta_kubernetes_", $object, "_annotation_"),
                present: concat!("__meta_kubernetes_", $object, "_annotationpresent_"),
            },
            name: concat!("__meta_kubernetes_", $object, "_name"),
        }
    };
}

pub(crate) const POD: MetaNames = meta_names!("pod");
pub(crate) const NODE: MetaNames = meta_names!("node");
pub(crate) const SERVICE: MetaNames = meta_names!("service");
pub(crate) const ENDPOINTS: MetaNames = meta_names!("endpoints");
pub(crate) const ENDPOINT_SLICE: MetaNames = meta_names!("endpointslice");
pub(crate) const INGRESS: MetaNames = meta_names!("ingress");
pub(crate) const NAMESPACE: MetaNames = meta_names!("namespace");
pub(crate) const RESOURCE: MetaNames = meta_names!("resource");
/// `deprecatedTopology` of an endpoint.
pub(crate) const TOPOLOGY: MapNames = MapNames {
    plain: "__meta_kubernetes_endpointslice_endpoint_topology_",
    present: "__meta_kubernetes_endpointslice_endpoint_topology_present_",
};

// === impl Labels ===

impl<'a> Labels<'a> {
    /// Adds a label with a fixed name.
    pub(crate) fn push(&mut self, name: &'static str, value: impl Into<Cow<'a, str>>) {
        self.labels.push((Name::Fixed(name), value.into()));
    }

    /// Adds a label if there is a value.
    pub(crate) fn push_some(&mut self, name: &'static str, value: Option<&'a str>) {
        if let Some(value) = value {
            self.push(name, value);
        }
    }

    /// Adds a truth value if there is one.
    pub(crate) fn push_flag(&mut self, name: &'static str, flag: Option<bool>) {
        self.push_some(name, flag.map(bool_text));
    }

    /// Adds a label that is named after something in an object.
    pub(crate) fn push_made(&mut self, prefix: &str, name: &str, value: impl Into<Cow<'a, str>>) {
        let name = format!("{prefix}{}", sanitize_label_name(name));
        self.labels.push((Name::Made(name.into()), value.into()));
    }

    /// Adds a label whose name was made before.
    pub(crate) fn push_named(&mut self, name: &Rc<str>, value: impl Into<Cow<'a, str>>) {
        let name = Name::Made(Rc::clone(name));
        self.labels.push((name, value.into()));
    }

    /// Adds annotations, but for those left out, and labels of an object, each with a label that
    /// says that it is there.
    pub(crate) fn push_metadata(
        &mut self,
        names: &MetaNames,
        record: &'a Record,
        left_out: &AnnotationFilter,
    ) {
        self.push_annotations(names, record, left_out);
        self.push_labels(names, record);
    }

    /// The annotations alone; see [`Labels::push_metadata`].
    pub(crate) fn push_annotations(
        &mut self,
        names: &MetaNames,
        record: &'a Record,
        left_out: &AnnotationFilter,
    ) {
        if left_out.is_empty() {
            self.push_map(names.annotations, record.annotations());
        } else {
            let annotations = record.annotations();
            let kept = annotations.filter(|(name, _)| !left_out.drops(name));
            self.push_map(names.annotations, kept);
        }
    }

    /// The labels alone; see [`Labels::push_metadata`].
    pub(crate) fn push_labels(&mut self, names: &MetaNames, record: &'a Record) {
        self.push_map(names.labels, record.labels());
    }

    /// Adds two labels for each pair. Of names that become the same one the last in the order of
    /// bytes stands; upstream takes any of them.
    pub(crate) fn push_map(
        &mut self,
        names: MapNames,
        pairs: impl Iterator<Item = (&'a str, &'a str)>,
    ) {
        NAMES.with_borrow_mut(|cache| {
            let cache = cache.entry(names.plain).or_default();
            for (name, value) in pairs {
                let PairNames { plain, present } = names.of_pair(cache, name);
                self.labels.push((Name::Made(plain), value.into()));
                self.present.push(Name::Made(present));
            }
        });
        let present = self.present.drain(..);
        self.labels
            .extend(present.map(|name| (name, "true".into())));
    }

    /// The finished set.
    pub(crate) fn finish(self) -> LabelSet {
        self.labels.into_iter().collect()
    }
}

// === impl Name ===

impl AsRef<str> for Name {
    fn as_ref(&self) -> &str {
        match self {
            Self::Fixed(name) => name,
            Self::Made(name) => name,
        }
    }
}

// === impl MapNames ===

impl MapNames {
    fn of_pair(self, cache: &mut FxHashMap<Box<str>, PairNames>, name: &str) -> PairNames {
        if let Some(known) = cache.get(name) {
            return known.clone();
        }
        let sanitized = sanitize_label_name(name);
        let names = PairNames {
            plain: format!("{}{sanitized}", self.plain).into(),
            present: format!("{}{sanitized}", self.present).into(),
        };
        if cache.len() >= MAX_NAMES {
            cache.clear();
        }
        cache.insert(name.into(), names.clone());
        names
    }
}

/// Go's `strconv.FormatBool`.
pub(crate) fn bool_text(flag: bool) -> &'static str {
    if flag { "true" } else { "false" }
}

/// Go's `strings.ToLower`: each character by itself.
pub(crate) fn to_lower(text: &str) -> Cow<'_, str> {
    if text.bytes().all(|byte| byte.is_ascii_lowercase()) {
        return Cow::Borrowed(text);
    }
    text.chars()
        .map(|c| c.to_lowercase().next().unwrap_or(c))
        .collect::<String>()
        .into()
}

/// Go's `net.JoinHostPort`: brackets around what looks like an IPv6 address.
pub(crate) fn join_host_port(host: &str, port: impl std::fmt::Display) -> String {
    if host.contains([':', '%']) {
        format!("[{host}]:{port}")
    } else {
        format!("{host}:{port}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_joined_as_go_does() {
        for (host, joined) in [
            ("1.2.3.4", "1.2.3.4:80"),
            ("fd00::1", "[fd00::1]:80"),
            ("fe80::1%eth0", "[fe80::1%eth0]:80"),
            ("node-1.example.com", "node-1.example.com:80"),
            ("", ":80"),
        ] {
            assert_eq!(join_host_port(host, 80), joined);
        }
    }

    #[test]
    fn names_that_become_one_keep_the_last_value_and_the_cache_stays_small() {
        let odd: Vec<String> = (0..2 * MAX_NAMES).map(|at| format!("x/{at}")).collect();
        for name in &odd {
            let mut labels = Labels::default();
            let pairs = [("a.b", "dot"), (name, ""), ("a_b", "underscore")];
            labels.push_map(POD.labels, pairs.into_iter());
            let set = labels.finish();
            assert_eq!(
                set.get("__meta_kubernetes_pod_label_a_b"),
                Some("underscore")
            );
            assert_eq!(set.len(), 4);
        }
        let kept = NAMES.with_borrow(|cache| cache[POD.labels.plain].len());
        assert!(kept <= MAX_NAMES, "{kept}");
    }

    #[test]
    fn lower_case_is_by_character() {
        for (text, lower) in [
            ("True", "true"),
            ("MemoryPressure", "memorypressure"),
            ("", ""),
            ("ok", "ok"),
            ("ÄΣ", "äσ"),
        ] {
            assert_eq!(to_lower(text), lower);
        }
    }
}
