//! What the driver asks of an API server.
//!
//! The driver sees requests and streams of bytes, never HTTP; tests script both.

use std::borrow::Cow;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use bytes::Bytes;
use futures::Stream;

pub(crate) mod capabilities;
pub(crate) mod error;
mod gzip;
pub(crate) mod http;

pub(crate) use capabilities::Capabilities;
pub(crate) use error::ApiError;

/// The body of an answer, in the pieces in which it comes.
pub(crate) type Body = Pin<Box<dyn Stream<Item = Result<Bytes, ApiError>> + Send>>;

/// Sends requests to one API server.
#[async_trait]
pub(crate) trait Api: Send + Sync + 'static {
    /// Sends one request; the answer's body if it is a success.
    async fn send(&self, request: &Request) -> Result<Body, ApiError>;

    /// What the server was found not to offer; shared by all of its watches.
    fn capabilities(&self) -> &Capabilities;
}

/// All objects of one kind that a watch follows.
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
pub(crate) struct Collection {
    /// Path of group and version, such as `/api/v1`.
    pub(crate) group_path: Cow<'static, str>,
    /// Plural name, such as `pods`.
    pub(crate) plural: Cow<'static, str>,
    /// Whether `metadata` is all that is asked for.
    pub(crate) metadata_only: bool,
    /// `None` for all namespaces, or for objects outside namespaces.
    pub(crate) namespace: Option<String>,
    /// Label selector, evaluated by the API server.
    pub(crate) label_selector: Option<String>,
    /// Field selector, evaluated by the API server.
    pub(crate) field_selector: Option<String>,
}

/// One request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Request {
    /// What it is about.
    pub(crate) collection: Arc<Collection>,
    /// What is asked.
    pub(crate) call: Call,
}

/// What is asked of a collection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Call {
    /// One page of the newest state.
    List {
        /// How many objects at most; `None` for all of them.
        limit: Option<u32>,
        /// Where the page begins; `None` for the first.
        continue_token: Option<String>,
    },
    /// A whole state as a stream of objects, and the changes after it.
    Stream {
        /// The version that the state must not be older than: empty for the very newest, `0` for
        /// any.
        not_older_than: String,
        /// After which time the server ends the stream.
        timeout: Duration,
    },
    /// Changes after a version.
    Watch {
        /// The version.
        resource_version: String,
        /// After which time the server ends the watch.
        timeout: Duration,
    },
}

// === impl Collection ===

impl Collection {
    /// The path of the collection.
    pub(crate) fn path(&self) -> String {
        let Self {
            group_path,
            plural,
            namespace,
            ..
        } = self;
        match namespace {
            Some(namespace) => format!("{group_path}/namespaces/{namespace}/{plural}"),
            None => format!("{group_path}/{plural}"),
        }
    }

    /// The resource with its group, as `kubectl` and permissions know it: `pods`, `jobs.batch`.
    pub(crate) fn qualified(&self) -> String {
        let group = self.group_path.strip_prefix("/apis/");
        let group = group.and_then(|rest| rest.split('/').next());
        match group {
            Some(group) => format!("{}.{group}", self.plural),
            None => self.plural.to_string(),
        }
    }
}

impl std::fmt::Display for Collection {
    /// `` `pods` in `team-a` ``
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "`{}`", self.plural)?;
        if let Some(namespace) = &self.namespace {
            write!(f, " in `{namespace}`")?;
        }
        Ok(())
    }
}

// === impl Request ===

impl Request {
    /// Path and query.
    pub(crate) fn path_and_query(&self) -> String {
        let mut query = url::form_urlencoded::Serializer::new(String::new());
        let selectors = [
            ("labelSelector", &self.collection.label_selector),
            ("fieldSelector", &self.collection.field_selector),
        ];
        for (key, selector) in selectors {
            if let Some(selector) = selector {
                query.append_pair(key, selector);
            }
        }
        match &self.call {
            Call::List {
                limit,
                continue_token,
            } => {
                if let Some(limit) = limit {
                    query.append_pair("limit", &limit.to_string());
                }
                if let Some(token) = continue_token {
                    query.append_pair("continue", token);
                }
            }
            Call::Stream {
                not_older_than,
                timeout,
            } => {
                watch(&mut query, not_older_than, *timeout);
                query.append_pair("sendInitialEvents", "true");
                query.append_pair("resourceVersionMatch", "NotOlderThan");
            }
            Call::Watch {
                resource_version,
                timeout,
            } => watch(&mut query, resource_version, *timeout),
        }
        let query = query.finish();
        let separator = if query.is_empty() { "" } else { "?" };
        format!("{}{separator}{query}", self.collection.path())
    }
}

type Query = url::form_urlencoded::Serializer<'static, String>;

fn watch(query: &mut Query, resource_version: &str, timeout: Duration) {
    query.append_pair("watch", "true");
    query.append_pair("allowWatchBookmarks", "true");
    query.append_pair("resourceVersion", resource_version);
    query.append_pair("timeoutSeconds", &timeout.as_secs().to_string());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn collection() -> Collection {
        Collection {
            group_path: "/api/v1".into(),
            plural: "pods".into(),
            metadata_only: false,
            namespace: Some("team-a".to_owned()),
            label_selector: Some("app in (a,b),!x".to_owned()),
            field_selector: Some("spec.nodeName=n1".to_owned()),
        }
    }

    #[test]
    fn resources_are_named_with_their_group() {
        for (group_path, qualified) in [("/api/v1", "pods"), ("/apis/batch/v1", "pods.batch")] {
            let collection = Collection {
                group_path: group_path.into(),
                ..collection()
            };
            assert_eq!(collection.qualified(), qualified);
        }
    }

    #[test]
    fn a_list_names_page_and_selectors() {
        let call = Call::List {
            limit: Some(500),
            continue_token: Some("a b&c".to_owned()),
        };
        let request = Request {
            collection: Arc::new(collection()),
            call,
        };
        assert_eq!(
            request.path_and_query(),
            "/api/v1/namespaces/team-a/pods?labelSelector=app+in+%28a%2Cb%29%2C%21x\
             &fieldSelector=spec.nodeName%3Dn1&limit=500&continue=a+b%26c"
        );
    }

    #[test]
    fn a_watch_asks_for_bookmarks_and_an_end() {
        let collection = Arc::new(Collection {
            group_path: "/api/v1".into(),
            plural: "nodes".into(),
            ..Collection::default()
        });
        let timeout = Duration::from_secs(321);
        let call = Call::Watch {
            resource_version: "42".to_owned(),
            timeout,
        };
        let request = Request {
            collection: Arc::clone(&collection),
            call,
        };
        assert_eq!(
            request.path_and_query(),
            "/api/v1/nodes?watch=true&allowWatchBookmarks=true&resourceVersion=42&timeoutSeconds=321"
        );
        let call = Call::Stream {
            not_older_than: String::new(),
            timeout,
        };
        let request = Request {
            collection: Arc::clone(&collection),
            call,
        };
        assert_eq!(
            request.path_and_query(),
            "/api/v1/nodes?watch=true&allowWatchBookmarks=true&resourceVersion=&timeoutSeconds=321\
             &sendInitialEvents=true&resourceVersionMatch=NotOlderThan"
        );
        let call = Call::List {
            limit: None,
            continue_token: None,
        };
        assert_eq!(
            Request { collection, call }.path_and_query(),
            "/api/v1/nodes"
        );
    }
}
