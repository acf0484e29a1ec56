//! From text to a tree.

use std::collections::HashMap;
use std::rc::Rc;

use granit_parser::{Event, Marker, Parser, ScalarStyle, ScanError, Span, StrInput, Tag};

use super::node::{Content, Mark, Node};
use super::report::Report;

/// Nesting that no honest configuration reaches; bounds the recursion of everything that walks.
const MAX_DEPTH: u32 = 512;

/// The tree of the first document; `None` if there is none or if it cannot be read, which is
/// reported then. Later documents are not looked at.
pub(crate) fn parse(text: &str, report: &Report) -> Option<Rc<Node>> {
    let options = granit_parser::options! {
        emit_comments: false,
        bom_inside_document_as_content: true,
        block_scalar_eof_without_line_feed: true,
    };
    let parser = Parser::new_from_str_with_options(text, options);
    let mut builder = Builder {
        text,
        parser,
        anchors: HashMap::new(),
        copied: 0,
        brackets: 0,
    };
    match builder.document() {
        Ok(root) => root,
        Err(failure) => {
            report.error(failure.mark, "", failure.message, failure.hint);
            None
        }
    }
}

/// Why there is no tree.
struct Failure {
    mark: Mark,
    message: String,
    hint: Option<String>,
}

/// Builds nodes from the parser's events.
struct Builder<'input> {
    text: &'input str,
    parser: Parser<'input, StrInput<'input>>,
    /// Finished nodes that have an anchor.
    anchors: HashMap<usize, Rc<Node>>,
    /// Nodes that aliases repeat.
    copied: u64,
    /// How many lists and mappings in brackets are open around us.
    brackets: u32,
}

// === impl Builder ===

impl<'input> Builder<'input> {
    fn document(&mut self) -> Result<Option<Rc<Node>>, Failure> {
        loop {
            let (event, span) = self.next()?;
            match event {
                Event::StreamEnd => return Ok(None),
                Event::DocumentStart(_, version) => {
                    if version.is_some_and(|version| (version.major, version.minor) != (1, 1)) {
                        return Err(Failure::new(
                            &span,
                            "found incompatible YAML document".to_owned(),
                            Some("Prometheus reads YAML 1.1: remove the `%YAML` line".to_owned()),
                        ));
                    }
                    break;
                }
                _ => {}
            }
        }
        let (event, span) = self.next()?;
        let root = self.node(event, &span)?;
        // What follows on the same document may still be wrong.
        self.next()?;
        if is_excessive(self.copied, root.size) {
            return Err(Failure::new(
                &span,
                "document contains excessive aliasing".to_owned(),
                Some("write fewer aliases inside of anchored nodes".to_owned()),
            ));
        }
        Ok(Some(root))
    }

    fn next(&mut self) -> Result<(Event<'input>, Span), Failure> {
        match self.parser.next_event() {
            Some(Ok(event)) => Ok(event),
            Some(Err(error)) => Err(Failure::syntax(&error)),
            None => Ok((Event::StreamEnd, Span::empty(Marker::new(0, 1, 0)))),
        }
    }

    fn node(&mut self, event: Event<'input>, span: &Span) -> Result<Rc<Node>, Failure> {
        let (anchor, node) = match event {
            Event::Scalar(text, style, anchor, tag) => {
                if style == ScalarStyle::DoubleQuoted {
                    self.check_escapes(span)?;
                }
                if style == ScalarStyle::Plain && self.brackets > 0 && text.starts_with(':') {
                    return Err(Failure::new(
                        span,
                        "invalid YAML: did not find expected node content".to_owned(),
                        Some(format!("put it into quotes: `\"{text}\"`")),
                    ));
                }
                (anchor, scalar(&text, style, tag.as_deref(), span))
            }
            Event::SequenceStart(_, anchor, _) => {
                (anchor, self.within(span, |builder| builder.sequence(span))?)
            }
            Event::MappingStart(_, anchor, _) => {
                (anchor, self.within(span, |builder| builder.mapping(span))?)
            }
            Event::Alias(anchor) => return self.alias(anchor, span),
            _ => {
                return Err(Failure::new(
                    span,
                    "unexpected end of the document".to_owned(),
                    None,
                ));
            }
        };
        if node.depth > MAX_DEPTH {
            return Err(Failure::new(
                span,
                "document is nested too deeply".to_owned(),
                None,
            ));
        }
        let node = Rc::new(node);
        if anchor != 0 {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        Ok(node)
    }

    /// Reads what a list or a mapping that begins at `span` holds.
    fn within(
        &mut self,
        span: &Span,
        read: impl FnOnce(&mut Self) -> Result<Node, Failure>,
    ) -> Result<Node, Failure> {
        let in_brackets = self.brackets > 0
            || span
                .slice(self.text)
                .is_some_and(|it| it.starts_with(['[', '{']));
        self.brackets += u32::from(in_brackets);
        let node = read(self);
        self.brackets -= u32::from(in_brackets);
        node
    }

    fn alias(&mut self, anchor: usize, span: &Span) -> Result<Rc<Node>, Failure> {
        // An anchor without a finished node is one that is still open around us.
        let node =
            self.anchors.get(&anchor).map(Rc::clone).ok_or_else(|| {
                Failure::new(span, "anchor value contains itself".to_owned(), None)
            })?;
        self.copied = self.copied.saturating_add(node.size);
        Ok(node)
    }

    /// Refuses escapes that YAML 1.1 does not have, or not for this character.
    fn check_escapes(&self, span: &Span) -> Result<(), Failure> {
        let mut rest = span.slice(self.text).unwrap_or_default();
        while let Some(index) = rest.find('\\') {
            rest = &rest[index + 1..];
            let surrogate = ["uD", "ud"]
                .iter()
                .find_map(|start| rest.strip_prefix(start));
            let problem = if rest.starts_with('/') {
                "found unknown escape character"
            } else if surrogate
                .is_some_and(|tail| tail.starts_with(|c| "89abcdefABCDEF".contains(c)))
            {
                "found invalid Unicode character escape code"
            } else {
                // The escaped character may be a backslash itself.
                rest = rest.get(1..).unwrap_or_default();
                continue;
            };
            return Err(Failure::new(span, format!("invalid YAML: {problem}"), None));
        }
        Ok(())
    }

    fn sequence(&mut self, span: &Span) -> Result<Node, Failure> {
        let mut items = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::SequenceEnd {
                break;
            }
            items.push(self.node(event, &span)?);
        }
        Ok(Node::new(mark(&span.start), None, Content::Sequence(items)))
    }

    fn mapping(&mut self, span: &Span) -> Result<Node, Failure> {
        let mut pairs = Vec::new();
        loop {
            let (event, span) = self.next()?;
            if event == Event::MappingEnd {
                break;
            }
            let key = self.node(event, &span)?;
            let (event, span) = self.next()?;
            pairs.push((key, self.node(event, &span)?));
        }
        Ok(Node::new(mark(&span.start), None, Content::Mapping(pairs)))
    }
}

fn scalar(text: &str, style: ScalarStyle, tag: Option<&Tag>, span: &Span) -> Node {
    let tag = tag.map(|tag| format!("{}{}", tag.handle(), tag.suffix()));
    // The tag `!` says nothing but "not plain", which go-yaml ignores.
    let bare = tag.as_deref() == Some("!");
    let plain = style == ScalarStyle::Plain || bare;
    let content = Content::Scalar {
        text: text.to_owned(),
        plain,
    };
    Node::new(mark(&span.start), tag.filter(|_| !bare), content)
}

/// go-yaml's defence against aliases of aliases.
fn is_excessive(copied: u64, all: u64) -> bool {
    const LOW: f64 = 400_000.0;
    const HIGH: f64 = 4_000_000.0;
    if copied <= 100 || all <= 1000 {
        return false;
    }
    let share = ((all as f64 - LOW) / (HIGH - LOW)).clamp(0.0, 1.0);
    copied as f64 / all as f64 > 0.99 - 0.89 * share
}

fn mark(marker: &Marker) -> Mark {
    Mark {
        line: marker.line(),
        column: marker.col() + 1,
    }
}

// === impl Failure ===

impl Failure {
    fn new(span: &Span, message: String, hint: Option<String>) -> Self {
        Self {
            mark: mark(&span.start),
            message,
            hint,
        }
    }

    fn syntax(error: &ScanError) -> Self {
        Self {
            mark: mark(error.marker()),
            message: format!("invalid YAML: {}", error.info()),
            hint: None,
        }
    }
}
