//! What the list/watch driver must know of a kind of object, and what a role makes of it.

use std::borrow::Cow;
use std::sync::Arc;

use serde::Deserialize;

use crate::record::{Reader, Record, Writer};
use crate::wire::OwnerReference;

pub(crate) mod any;
pub(crate) mod backends;
pub(crate) mod custom;
pub(crate) mod endpoints;
pub(crate) mod field;
pub(crate) mod filter;
pub(crate) mod ingress;
pub(crate) mod metadata;
pub(crate) mod node;
pub(crate) mod pod;
pub(crate) mod service;
pub(crate) mod slice;

/// A kind of object that can be listed and watched.
///
/// The driver knows of an object only what is here; a further kind is a further implementation.
/// It is a value, since custom resources become known while we run.
pub(crate) trait Resource: Send + Sync + 'static {
    /// The trimmed object, borrowed from the bytes that were read.
    type Wire<'a>: Deserialize<'a>;

    /// What the kind is called, and where it is found.
    fn kind(&self) -> &Kind;

    /// The names of the object.
    fn names<'w>(&self, wire: &'w Self::Wire<'_>) -> ObjectNames<'w>;

    /// Packs what is kept of the object. The names are not part of it: the key holds them.
    fn pack(&self, wire: &Self::Wire<'_>, writer: &mut Writer);

    /// What an operator must know of an object whose record differs from the object.
    fn remark(&self, _record: &Record) -> Option<&'static str> {
        None
    }
}

/// What a kind of object is called, and where the API server has it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct Kind {
    /// The path of the API group and version, such as `/api/v1`.
    pub(crate) group_path: Cow<'static, str>,
    /// The plural name in paths and permissions, such as `pods`.
    pub(crate) plural: Cow<'static, str>,
    /// Whether objects belong to a namespace.
    pub(crate) namespaced: bool,
    /// Whether `metadata` is all that is asked for.
    pub(crate) metadata_only: bool,
    /// The role whose events this kind counts as.
    pub(crate) role: &'static str,
    /// What keys of this kind begin with; see [`ObjectKey`].
    pub(crate) key_prefix: Cow<'static, str>,
}

/// The owner that manages an object; empty where there is none.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Controller<'a> {
    /// Its kind.
    pub(crate) kind: &'a str,
    /// Its name.
    pub(crate) name: &'a str,
}

/// The names of an object as it came over the wire.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ObjectNames<'a> {
    /// Empty for objects outside namespaces.
    pub(crate) namespace: &'a str,
    /// The name.
    pub(crate) name: &'a str,
    /// The version of the object; empty in no object of a well-behaved server.
    pub(crate) resource_version: &'a str,
}

/// `pod/<namespace>/<name>` or `node/<name>`: identifies an object in a store, and is the source
/// of the target group that is made of it, so that both share one allocation.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct ObjectKey(Arc<str>);

// === impl Kind ===

impl Kind {
    /// A kind that the API server has by itself.
    pub(crate) const fn builtin(
        group_path: &'static str,
        plural: &'static str,
        role: &'static str,
    ) -> Self {
        Self::builtin_keyed(group_path, plural, role, role)
    }

    /// The same with keys that do not begin with the role.
    pub(crate) const fn builtin_keyed(
        group_path: &'static str,
        plural: &'static str,
        role: &'static str,
        key_prefix: &'static str,
    ) -> Self {
        Self {
            group_path: Cow::Borrowed(group_path),
            plural: Cow::Borrowed(plural),
            namespaced: true,
            metadata_only: false,
            role,
            key_prefix: Cow::Borrowed(key_prefix),
        }
    }

    /// The same for objects of which only metadata is asked for.
    const fn metadata_only(mut self) -> Self {
        self.metadata_only = true;
        self
    }

    /// The same for objects outside namespaces.
    pub(crate) const fn cluster_scoped(mut self) -> Self {
        self.namespaced = false;
        self
    }
}

// === impl Controller ===

impl<'a> Controller<'a> {
    fn pack(owner: Option<&OwnerReference<'_>>, writer: &mut Writer) {
        writer.text(owner.map_or("", |owner| owner.kind.as_str()));
        writer.text(owner.map_or("", |owner| owner.name.as_str()));
    }

    fn read(reader: &mut Reader<'a>) -> Self {
        Self {
            kind: reader.text(),
            name: reader.text(),
        }
    }
}

// === impl ObjectNames ===

impl ObjectNames<'_> {
    /// Writes the key of the object into `key`. False if the names are not such as the API server
    /// gives: then nothing can be known of the object.
    pub(crate) fn write_key(&self, kind: &Kind, key: &mut String) -> bool {
        key.clear();
        key.push_str(&kind.key_prefix);
        key.push('/');
        if kind.namespaced {
            key.push_str(self.namespace);
            key.push('/');
        }
        key.push_str(self.name);
        let namespace_fits =
            !kind.namespaced || !(self.namespace.is_empty() || self.namespace.contains('/'));
        namespace_fits && !self.name.is_empty() && !self.name.contains('/')
    }
}

// === impl ObjectKey ===

impl ObjectKey {
    /// A key from the text that [`ObjectNames::write_key`] wrote.
    pub(crate) fn new(text: &str) -> Self {
        Self(text.into())
    }

    /// The whole key.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }

    /// The whole key, which is the source of the object's target group.
    pub(crate) fn source(&self) -> Arc<str> {
        Arc::clone(&self.0)
    }

    /// The name of the object.
    pub(crate) fn name(&self) -> &str {
        self.0.rsplit_once('/').map_or(&self.0, |(_, name)| name)
    }

    /// The namespace of the object; empty if it has none.
    pub(crate) fn namespace(&self) -> &str {
        let mut parts = self.0.split('/').skip(1);
        match (parts.next(), parts.next()) {
            (Some(namespace), Some(_)) => namespace,
            _ => "",
        }
    }
}

impl std::borrow::Borrow<str> for ObjectKey {
    fn borrow(&self) -> &str {
        &self.0
    }
}

/// Helpers for tests.
#[cfg(test)]
pub(crate) mod testing {
    use serde_json::Value;

    use super::any::{ResourceVisitor, WatchedKind};
    use super::filter::AnnotationFilter;
    use super::{ObjectKey, Resource};
    use crate::record::{Record, Writer};

    struct Pack<'a>(&'a Value);

    /// Key and record of an object, as the driver would have them.
    pub(crate) fn keyed_record_of<R: Resource>(
        resource: &R,
        object: &Value,
    ) -> Result<(ObjectKey, Record), String> {
        let bytes = serde_json::to_vec(object).unwrap();
        let wire: R::Wire<'_> =
            serde_json::from_slice(&bytes).map_err(|error| error.to_string())?;
        let mut key = String::new();
        if !resource.names(&wire).write_key(resource.kind(), &mut key) {
            return Err("no name".to_owned());
        }
        let mut writer = Writer::default();
        resource.pack(&wire, &mut writer);
        Ok((ObjectKey::new(&key), writer.take()))
    }

    /// The same for a kind that is known at run time.
    pub(crate) fn packed(
        kind: &WatchedKind,
        left_out: &AnnotationFilter,
        object: &Value,
    ) -> Result<(ObjectKey, Record), String> {
        kind.visit(left_out.clone(), Pack(object))
    }

    impl ResourceVisitor for Pack<'_> {
        type Output = Result<(ObjectKey, Record), String>;

        fn visit<R: Resource>(self, resource: R) -> Self::Output {
            keyed_record_of(&resource, self.0)
        }
    }
}
