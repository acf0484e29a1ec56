//! The tree that YAML text stands for.

use std::rc::Rc;

/// A position in the text, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Mark {
    pub(crate) line: usize,
    pub(crate) column: usize,
}

/// One node with its position. An alias is the node that it names, shared.
#[derive(Debug)]
pub(crate) struct Node {
    pub(crate) mark: Mark,
    /// The explicit tag in its long form (`tag:yaml.org,2002:str`).
    pub(crate) tag: Option<String>,
    pub(crate) content: Content,
    /// Levels of nesting below and including this node, aliases followed.
    pub(crate) depth: u32,
    /// Nodes below and including this one, aliases followed.
    pub(crate) size: u64,
}

/// What a node holds.
#[derive(Debug)]
pub(crate) enum Content {
    /// Text; `plain` if it was neither quoted nor a block, so that it may mean something else
    /// than a string.
    Scalar { text: String, plain: bool },
    /// A list.
    Sequence(Vec<Rc<Node>>),
    /// Keys and values in the order of the text, repeated keys and merges included.
    Mapping(Vec<(Rc<Node>, Rc<Node>)>),
}

// === impl Node ===

impl Node {
    pub(crate) fn new(mark: Mark, tag: Option<String>, content: Content) -> Self {
        let (depth, size) = match &content {
            Content::Scalar { .. } => (0, 0),
            Content::Sequence(items) => measure(items.iter()),
            Content::Mapping(pairs) => measure(pairs.iter().flat_map(|(key, value)| [key, value])),
        };
        Self {
            mark,
            tag,
            content,
            depth: depth.saturating_add(1),
            size: size.saturating_add(1),
        }
    }

    /// Whether this is a null that leaves a value at its zero without asking the value's type:
    /// `Null` and `NULL` are not, as in go-yaml.
    pub(crate) fn is_null(&self) -> bool {
        match (&self.tag, &self.content) {
            (Some(tag), _) => tag == NULL_TAG,
            (None, Content::Scalar { text, plain }) => {
                *plain && matches!(text.as_str(), "null" | "~" | "")
            }
            (None, _) => false,
        }
    }

    /// Whether this key is `<<`.
    pub(crate) fn is_merge(&self) -> bool {
        match &self.content {
            Content::Scalar { text, plain } => {
                text == "<<"
                    && (*plain && self.tag.is_none() || self.tag.as_deref() == Some(MERGE_TAG))
            }
            _ => false,
        }
    }
}

const NULL_TAG: &str = "tag:yaml.org,2002:null";
const MERGE_TAG: &str = "tag:yaml.org,2002:merge";

fn measure<'a>(children: impl Iterator<Item = &'a Rc<Node>>) -> (u32, u64) {
    children.fold((0, 0), |(depth, size), child| {
        (depth.max(child.depth), size.saturating_add(child.size))
    })
}
