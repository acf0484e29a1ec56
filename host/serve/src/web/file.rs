//! The file as it is written, and the files that it names.

use std::collections::BTreeMap;
use std::fmt;
use std::io::Read;
use std::path::Path;

use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

use super::error::WebConfigError;

/// Far more than any file of these has.
const LONGEST_FILE: u64 = 4 << 20;

/// All that the settings are made of, as it was at one moment.
#[derive(Clone, PartialEq, Eq)]
pub(super) struct Material {
    pub(super) written: Written,
    pub(super) cert: Option<Vec<u8>>,
    pub(super) key: Option<Vec<u8>>,
    pub(super) client_ca: Option<Vec<u8>>,
}

/// The keys of exporter-toolkit's file.
#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct Written {
    pub(super) tls_server_config: Option<TlsServer>,
    pub(super) http_server_config: Option<HttpServer>,
    pub(super) basic_auth_users: Option<Users>,
    pub(super) rate_limit: Option<RateLimit>,
}

#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct TlsServer {
    pub(super) cert: Option<String>,
    pub(super) key: Option<String>,
    pub(super) client_ca: Option<String>,
    pub(super) cert_file: Option<String>,
    pub(super) key_file: Option<String>,
    pub(super) client_ca_file: Option<String>,
    pub(super) client_auth_type: Option<String>,
    pub(super) client_allowed_sans: Option<Vec<String>>,
    pub(super) min_version: Option<String>,
    pub(super) max_version: Option<String>,
    pub(super) cipher_suites: Option<Vec<String>>,
    pub(super) curve_preferences: Option<Vec<String>>,
    pub(super) prefer_server_cipher_suites: Option<bool>,
}

#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct HttpServer {
    pub(super) http2: Option<bool>,
    pub(super) headers: Option<BTreeMap<String, Option<String>>>,
}

#[derive(Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct RateLimit {
    pub(super) interval: Option<String>,
    pub(super) burst: Option<u32>,
}

/// Hashes by user. Read by hand: an error of the derived kind would show the text that stands where a
/// map should, which may be a hash.
#[derive(Clone, Default, PartialEq, Eq)]
pub(super) struct Users(pub(super) BTreeMap<String, String>);

// === impl Material ===

impl Material {
    /// Reads the file and those that it names, which are relative to its folder.
    pub(super) fn read(file: &Path) -> Result<Self, WebConfigError> {
        let text = bytes(file, None)?;
        let written = parse(&text).map_err(|reason| WebConfigError::Yaml {
            file: file.to_owned(),
            reason,
        })?;
        let folder = file.parent().unwrap_or(Path::new(""));
        let tls = written.tls_server_config.clone().unwrap_or_default();
        // As upstream: of certificate, key and authorities alike, the file wins.
        let part = |key, path: &Option<String>, inline: &Option<String>| match given(path) {
            Some(path) => bytes(&folder.join(path), Some(key)).map(Some),
            _ => Ok(given(inline).map(|text| text.as_bytes().to_vec())),
        };
        let (mut cert, mut key, mut client_ca) = (None, None, None);
        // A key that is missing is told before a file that is.
        if tls.missing().is_none() {
            cert = part("cert_file", &tls.cert_file, &tls.cert)?;
            key = part("key_file", &tls.key_file, &tls.key)?;
            client_ca = part("client_ca_file", &tls.client_ca_file, &tls.client_ca)?;
        }
        Ok(Self {
            written,
            cert,
            key,
            client_ca,
        })
    }
}

// === impl TlsServer ===

impl TlsServer {
    /// Whether TLS is asked for at all, as upstream decides it.
    pub(super) fn is_enabled(&self) -> bool {
        let parts = [
            &self.cert_file,
            &self.cert,
            &self.key_file,
            &self.key,
            &self.client_ca_file,
            &self.client_ca,
            &self.client_auth_type,
        ];
        parts.into_iter().any(|part| given(part).is_some())
    }

    /// What a listener with TLS lacks, in upstream's words.
    pub(super) fn missing(&self) -> Option<&'static str> {
        let neither = |a, b| given(a).is_none() && given(b).is_none();
        if neither(&self.cert_file, &self.cert) {
            Some("missing one of cert or cert_file")
        } else if neither(&self.key_file, &self.key) {
            Some("missing one of key or key_file")
        } else {
            None
        }
    }
}

/// What is written and not empty: upstream takes an empty text for none.
pub(super) fn given<'a>(text: impl Into<Option<&'a String>>) -> Option<&'a str> {
    text.into()
        .map(String::as_str)
        .filter(|text| !text.is_empty())
}

fn parse(text: &[u8]) -> Result<Written, String> {
    let text = std::str::from_utf8(text).map_err(|_| "it is not UTF-8".to_owned())?;
    let options = serde_saphyr::options! { with_snippet: false };
    let written: Option<Written> =
        serde_saphyr::from_str_with_options(text, options).map_err(|error| error.to_string())?;
    Ok(written.unwrap_or_default())
}

fn bytes(file: &Path, key: Option<&'static str>) -> Result<Vec<u8>, WebConfigError> {
    let failed = |source| WebConfigError::Read {
        file: file.to_owned(),
        key,
        source,
    };
    let opened = std::fs::File::open(file).map_err(failed)?;
    let mut bytes = Vec::new();
    let read = opened.take(LONGEST_FILE + 1).read_to_end(&mut bytes);
    read.map_err(failed)?;
    if bytes.len() as u64 > LONGEST_FILE {
        return Err(failed(std::io::Error::other("it is longer than 4 MiB")));
    }
    Ok(bytes)
}

// === impl Users ===

impl<'de> Deserialize<'de> for Users {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct OfUsers;

        impl<'de> Visitor<'de> for OfUsers {
            type Value = Users;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a map of users and bcrypt hashes")
            }

            fn visit_str<E: serde::de::Error>(self, _: &str) -> Result<Users, E> {
                Err(E::custom(
                    "basic_auth_users must be a map of users and bcrypt hashes",
                ))
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Users, A::Error> {
                let mut users = BTreeMap::new();
                while let Some(user) = map.next_key::<String>()? {
                    let hash = map.next_value::<Option<String>>()?.unwrap_or_default();
                    users.insert(user, hash);
                }
                Ok(Users(users))
            }
        }

        deserializer.deserialize_map(OfUsers)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        parse(text.as_bytes()).err().expect("it was accepted")
    }

    #[test]
    fn empty_files_and_sections_are_fine() {
        for text in [
            "",
            "# nothing\n",
            "{}",
            "tls_server_config:\nbasic_auth_users:\n",
        ] {
            let written = parse(text.as_bytes()).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert!(!written.tls_server_config.unwrap_or_default().is_enabled());
        }
    }

    #[test]
    fn unknown_and_repeated_keys_are_refused() {
        assert!(refused("tls_server_config: {cert_filse: a}").contains("cert_filse"));
        assert!(refused("basic_auth: {}").contains("basic_auth"));
        assert!(refused("http_server_config: {http2: true, http2: false}").contains("http2"));
        assert!(refused("basic_auth_users: {a: x, a: y}").contains('a'));
    }

    #[test]
    fn errors_show_no_hash() {
        for text in [
            "basic_auth_users: $2y$hash",
            "basic_auth_users: [$2y$hash]",
            "basic_auth_users: {alice: [$2y$hash]}",
            "basic_auth_users: {alice: {b: $2y$hash}}",
            "basic_auth_users: {alice: $2y$hash",
            "tls_server_config: {key: {a: $2y$hash}}",
            "tls_server_config: {key: [$2y$hash]}",
        ] {
            let error = refused(text);
            assert!(
                !error.contains("hash") || error.contains("bcrypt hashes"),
                "{error}"
            );
            assert!(!error.contains("$2y"), "{error}");
        }
    }

    #[test]
    fn scalars_are_texts_where_texts_are_expected() {
        let text = "http_server_config: {headers: {X-XSS-Protection: 0}}";
        let written = parse(text.as_bytes()).unwrap();
        let headers = written.http_server_config.unwrap().headers.unwrap();
        assert_eq!(headers["X-XSS-Protection"].as_deref(), Some("0"));
    }
}
