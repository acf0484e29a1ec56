//! What somebody looks for.

use periplus_core::{LabelSet, Selector};
use periplus_discovery::GroupResult;

use super::row::RowState;

/// What a page shows; read from the query of its address.
#[derive(Debug, Default)]
pub(crate) struct Query {
    /// Stands anywhere in a value, or in `name="value"`; whatever its case.
    pub(crate) text: String,
    pub(crate) job: String,
    pub(crate) mechanism: String,
    /// As it was written, for the form.
    pub(crate) matcher: String,
    pub(crate) state: State,
    pub(crate) sort: Sort,
    /// From 0.
    pub(crate) page: usize,
    selector: Option<Selector>,
    needle: String,
}

/// Which targets by what became of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum State {
    #[default]
    Active,
    Dropped,
    Invalid,
    Copies,
    All,
}

/// In which order.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) enum Sort {
    /// As lists are served.
    #[default]
    Place,
    /// By the value of a label.
    Label { name: String, descending: bool },
}

// === impl Query ===

impl Query {
    /// Reads the query of an address; what is empty or unknown filters nothing. An error names the
    /// parameter that cannot be understood.
    pub(crate) fn of(query: &str) -> Result<Self, String> {
        let mut read = Self::default();
        for (name, value) in url::form_urlencoded::parse(query.as_bytes()) {
            match &*name {
                "q" => value.trim().clone_into(&mut read.text),
                "job" => read.job = value.into_owned(),
                "mechanism" => read.mechanism = value.into_owned(),
                "match" => value.trim().clone_into(&mut read.matcher),
                "state" => read.state = State::named(&value)?,
                "sort" => read.sort = Sort::named(&value),
                "page" if !value.is_empty() => read.page = page(&value)?,
                _ => {}
            }
        }
        read.needle = read.text.to_lowercase();
        if !read.matcher.is_empty() {
            let selector = Selector::parse(&read.matcher);
            read.selector = Some(selector.map_err(|error| format!("matcher: {error}"))?);
        }
        Ok(read)
    }

    pub(super) fn takes_job(&self, job: &str) -> bool {
        self.job.is_empty() || self.job == job
    }

    pub(super) fn takes_mechanism(&self, mechanism: &str) -> bool {
        self.mechanism.is_empty() || self.mechanism == mechanism
    }

    pub(super) fn takes_state(&self, state: RowState) -> bool {
        match self.state {
            State::All => true,
            State::Active => state == RowState::Active,
            State::Copies => state == RowState::Copy,
            State::Invalid => state == RowState::Invalid,
            State::Dropped => {
                matches!(
                    state,
                    RowState::DroppedByRule | RowState::DroppedByTransformers
                )
            }
        }
    }

    /// Whether no label has to be looked at.
    pub(super) fn is_plain(&self) -> bool {
        self.needle.is_empty() && self.selector.is_none()
    }

    /// How many targets of a group match, if that is known without looking at each.
    pub(super) fn plain_count(&self, result: &GroupResult) -> Option<usize> {
        (self.is_plain() && self.state == State::Active).then(|| result.standing())
    }

    pub(super) fn takes_labels(&self, labels: &LabelSet) -> bool {
        let selector = self.selector.as_ref();
        let is_match =
            selector.is_none_or(|it| it.is_match(|name| labels.get(name).unwrap_or_default()));
        is_match && (self.needle.is_empty() || self.is_named_in(labels))
    }

    fn is_named_in(&self, labels: &LabelSet) -> bool {
        let pair = self.needle.split_once('=');
        labels.iter().any(|(name, value)| {
            contains(value, &self.needle)
                || pair.is_some_and(|(wanted, part)| {
                    name.eq_ignore_ascii_case(wanted) && contains(value, part.trim_matches('"'))
                })
        })
    }
}

/// Whether `text` contains the needle, which is in lower case.
fn contains(text: &str, needle: &str) -> bool {
    if !text.is_ascii() || !needle.is_ascii() {
        return text.to_lowercase().contains(needle);
    }
    let (text, needle) = (text.as_bytes(), needle.as_bytes());
    text.windows(needle.len().max(1))
        .any(|window| window.eq_ignore_ascii_case(needle))
        || needle.is_empty()
}

fn page(value: &str) -> Result<usize, String> {
    match value.parse::<usize>() {
        // Further on there is nothing, whatever the machine's memory.
        Ok(page) if (1..=100_000_000).contains(&page) => Ok(page - 1),
        _ => Err(format!("page: `{value}` is no number of a page, from 1")),
    }
}

// === impl State ===

impl State {
    pub(crate) const ALL: [(Self, &str); 5] = [
        (Self::Active, "active"),
        (Self::Dropped, "dropped"),
        (Self::Invalid, "invalid"),
        (Self::Copies, "copies"),
        (Self::All, "all"),
    ];

    pub(crate) fn name(self) -> &'static str {
        let found = Self::ALL.iter().find(|(state, _)| *state == self);
        found.map_or("active", |(_, name)| name)
    }

    fn named(name: &str) -> Result<Self, String> {
        if name.is_empty() {
            return Ok(Self::default());
        }
        let found = Self::ALL.iter().find(|(_, it)| *it == name);
        found.map(|(state, _)| *state).ok_or_else(|| {
            let names: Vec<&str> = Self::ALL.iter().map(|(_, name)| *name).collect();
            format!("state: `{name}` is none of {}", names.join(", "))
        })
    }
}

// === impl Sort ===

impl Sort {
    /// `name`, or `-name` for the other direction; nothing for the order of lists.
    fn named(text: &str) -> Self {
        match text.strip_prefix('-') {
            _ if text.is_empty() => Self::Place,
            Some(name) => Self::Label {
                name: name.to_owned(),
                descending: true,
            },
            None => Self::Label {
                name: text.to_owned(),
                descending: false,
            },
        }
    }

    /// As it stands in an address.
    pub(crate) fn text(&self) -> String {
        match self {
            Self::Place => String::new(),
            Self::Label { name, descending } => {
                format!("{}{name}", if *descending { "-" } else { "" })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_found_whatever_its_case() {
        let labels: LabelSet = [("job", "Web"), ("zone", "zürich-Ä")]
            .into_iter()
            .map(|(name, value)| (name.to_owned(), value.to_owned()))
            .collect();
        for (text, expected) in [
            ("web", true),
            ("ÜRICH", true),
            ("job=we", true),
            ("job=\"web\"", true),
            ("zone=web", false),
            ("x", false),
            ("", true),
        ] {
            let query = url::form_urlencoded::Serializer::new(String::new())
                .append_pair("q", text)
                .finish();
            let query = Query::of(&query).unwrap();
            assert_eq!(query.takes_labels(&labels), expected, "{text}");
        }
    }

    #[test]
    fn what_cannot_be_understood_is_named() {
        for (query, expected) in [
            ("page=0", "page: `0`"),
            ("page=x", "page: `x`"),
            ("state=gone", "state: `gone`"),
            ("match={a", "matcher: "),
        ] {
            let error = Query::of(query).unwrap_err();
            assert!(error.starts_with(expected), "{error}");
        }
    }
}
