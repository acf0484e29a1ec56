//! Label names of `kubernetes_sd` and how values are written in them.

use std::borrow::Cow;

use periplus_core::name::sanitize_label_name;

use crate::record::Reader;
use crate::wire::read_pairs;

/// What every label of this mechanism begins with.
pub(crate) const PREFIX: &str = "__meta_kubernetes_";
/// The label that holds what is scraped.
pub(crate) const ADDRESS: &str = "__address__";

/// Labels in the making: names are often fixed, values often borrowed from a record.
pub(crate) type Labels<'a> = Vec<(Cow<'static, str>, Cow<'a, str>)>;

/// Adds `<prefix>_<kind>_<map>_<name>` and `..._<map>present_<name>` for each pair of a packed map
/// such as labels. Of names that become the same one the last in the order of bytes stands;
/// upstream takes any of them.
pub(crate) fn add_pairs<'a>(
    labels: &mut Labels<'a>,
    kind: &str,
    map: &str,
    reader: &mut Reader<'a>,
) {
    read_pairs(reader, |name, value| {
        let name = sanitize_label_name(name);
        labels.push((format!("{PREFIX}{kind}_{map}_{name}").into(), value.into()));
        labels.push((
            format!("{PREFIX}{kind}_{map}present_{name}").into(),
            "true".into(),
        ));
    });
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
