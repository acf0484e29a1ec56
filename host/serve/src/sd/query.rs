//! What a reader asks for in the query of `/sd/{job}`.

use periplus_core::Selector;
use periplus_discovery::{Names, Shard, Stage, View};

use crate::error::ApiError;

/// So many selectors may be given at once.
const MOST_SELECTORS: usize = 32;

/// The view that the query asks for. A parameter that is not understood is refused: to serve all
/// targets to one who asked for a part of them would be worse.
pub(super) fn view(query: Option<&str>) -> Result<View, ApiError> {
    let known = "there are `stage`, `shard`, `match` and `names`";
    parse(query, known, |_, _| false)
}

/// Like [`view`], for a stream that may go on from a version.
pub(crate) fn watched_view(query: Option<&str>) -> Result<(View, Option<String>), ApiError> {
    let known = "there are `stage`, `shard`, `match`, `names` and `from`";
    let mut from = None;
    let view = parse(query, known, |name, value| {
        let is_from = name == "from";
        if is_from {
            from = Some(value.to_owned());
        }
        is_from
    })?;
    Ok((view, from))
}

/// Reads the parameters of a view; `further` takes those that are none.
fn parse(
    query: Option<&str>,
    known: &str,
    mut further: impl FnMut(&str, &str) -> bool,
) -> Result<View, ApiError> {
    let (mut stage, mut shard, mut names) = (None, None, None);
    let mut selectors = Vec::new();
    for (name, value) in url::form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
        match &*name {
            "stage" => once(&mut stage, &name, self::stage(&value)?)?,
            "shard" => {
                let parsed = value.parse::<Shard>();
                let parsed = parsed.map_err(|error| ApiError::bad_data(error.to_string()))?;
                once(&mut shard, &name, parsed)?;
            }
            "names" => once(&mut names, &name, self::names(&value)?)?,
            "match" | "match[]" => {
                let parsed = Selector::parse(&value);
                let parsed = parsed.map_err(|error| ApiError::bad_data(error.to_string()))?;
                selectors.push(parsed);
            }
            _ if further(&name, &value) => {}
            _ => {
                let message = format!("unknown parameter `{name}`; {known}");
                return Err(ApiError::bad_data(message));
            }
        }
    }
    if selectors.len() > MOST_SELECTORS {
        let message = format!("parameter `match` is given more than {MOST_SELECTORS} times");
        return Err(ApiError::bad_data(message));
    }
    Ok(View {
        stage: stage.unwrap_or(Stage::Final),
        shard,
        names: names.unwrap_or_default(),
        selectors: selectors.into(),
    })
}

fn once<T>(place: &mut Option<T>, name: &str, value: T) -> Result<(), ApiError> {
    match place.replace(value) {
        None => Ok(()),
        Some(_) => {
            let message = format!("parameter `{name}` is given more than once");
            Err(ApiError::bad_data(message))
        }
    }
}

fn stage(value: &str) -> Result<Stage, ApiError> {
    match value {
        "final" => Ok(Stage::Final),
        "transformed" => Ok(Stage::Transformed),
        "discovered" => Ok(Stage::Discovered),
        _ => {
            let stages = "use `final`, `transformed` or `discovered`";
            let message = format!("unknown stage `{value}`; {stages}");
            Err(ApiError::bad_data(message))
        }
    }
}

fn names(value: &str) -> Result<Names, ApiError> {
    match value {
        "utf8" => Ok(Names::Utf8),
        "legacy" => Ok(Names::Legacy),
        _ => {
            let message = format!("unknown names `{value}`; use `utf8` or `legacy`");
            Err(ApiError::bad_data(message))
        }
    }
}
