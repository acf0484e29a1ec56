//! `http_sd_configs`.

use periplus_core::ContentHash;

use crate::identity;
use crate::read::{Context, duration, http_client, units, url};
use crate::secret_url::SecretUrl;
use crate::section::{HttpSection, SectionKind};
use crate::yaml::{Fields, Value};

/// Reads one section.
pub(super) fn read(value: &Value<'_>, context: &Context<'_>) -> Option<(ContentHash, SectionKind)> {
    let mut fields = value.fields()?;
    let url = fields.string("url");
    let refresh_interval = fields.read("refresh_interval", |value| duration(&value));
    // Zero, which upstream accepts and then dies of, is as if nothing were written.
    let refresh_interval = refresh_interval
        .filter(|interval| !interval.is_zero())
        .map_or(HttpSection::REFRESH_INTERVAL, |interval| interval.0);
    let body_size_limit = fields.read("body_size_limit", |value| units::read_size(&value));
    let http = http_client::take(&mut fields, context);
    if !fields.finish() {
        return None;
    }
    check_url(&url, &fields)?;
    let http = http.validate(&fields, context)?;
    let section = HttpSection {
        url: SecretUrl::new(url),
        refresh_interval,
        body_size_limit: body_limit(body_size_limit, &fields)?,
        http,
    };
    let identity = identity::of_structure("http", &section, &section.secrets());
    Some((identity, SectionKind::Http(section)))
}

/// Upstream's checks, in its order.
fn check_url(text: &str, fields: &Fields<'_>) -> Option<()> {
    let place = fields.place(&["url"]);
    if text.is_empty() {
        place.error_with("URL is missing", "add `url: https://host/path`");
        return None;
    }
    let url = match url::parse(text) {
        Ok(url) => url,
        Err(message) => {
            place.error(url::parse_error(text, &message));
            return None;
        }
    };
    let problem = if !matches!(url.scheme.as_str(), "http" | "https") {
        "URL scheme must be 'http' or 'https'"
    } else if url.host.is_empty() {
        "host is missing in URL"
    } else {
        return Some(());
    };
    place.error_with(problem, "write it as `https://host/path`");
    None
}

fn body_limit(written: Option<i64>, fields: &Fields<'_>) -> Option<usize> {
    let Some(written) = written else {
        return Some(HttpSection::BODY_SIZE_LIMIT);
    };
    let limit = usize::try_from(written).ok().filter(|limit| *limit > 0);
    if limit.is_none() {
        fields.place(&["body_size_limit"]).error_with(
            "body_size_limit must be greater than zero",
            "write the size of the largest list that the server may send, such as `256MiB`",
        );
    }
    limit
}
