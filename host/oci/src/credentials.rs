//! Credentials for registries, from files in the format of docker's `config.json`.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use oci_client::secrets::RegistryAuth;
use serde::Deserialize;

use crate::error::ImageError;

/// Where credentials are read; anew for each use, since tools refresh them.
#[derive(Clone, Debug, Default)]
pub struct Credentials {
    file: Option<PathBuf>,
    /// Whether the operator named the file, so that it must be there.
    named: bool,
}

#[derive(Deserialize)]
struct ConfigFile {
    #[serde(default)]
    auths: BTreeMap<String, Entry>,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Entry {
    auth: Option<String>,
    username: Option<String>,
    password: Option<String>,
    identitytoken: Option<String>,
    registrytoken: Option<String>,
}

// === impl Credentials ===

impl Credentials {
    /// Those in a file, which must be there when they are needed.
    pub fn in_file(file: PathBuf) -> Self {
        Self {
            file: Some(file),
            named: true,
        }
    }

    /// Those of this user: `config.json` in `DOCKER_CONFIG` or in `~/.docker`.
    pub fn of_user() -> Self {
        let folder = std::env::var_os("DOCKER_CONFIG").map(PathBuf::from);
        let home = || std::env::var_os("HOME").map(|home| Path::new(&home).join(".docker"));
        Self {
            file: folder.or_else(home).map(|it| it.join("config.json")),
            named: false,
        }
    }

    /// Those for a registry; none where the file has none for it.
    pub(crate) fn of_registry(&self, registry: &str) -> Result<RegistryAuth, ImageError> {
        let Some(path) = &self.file else {
            return Ok(RegistryAuth::Anonymous);
        };
        let failed = |reason: String| ImageError::Credentials {
            path: path.clone(),
            reason,
        };
        let text = match std::fs::read_to_string(path) {
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && !self.named => {
                return Ok(RegistryAuth::Anonymous);
            }
            outcome => outcome.map_err(|e| failed(e.to_string()))?,
        };
        // The position alone: the text around it is secret.
        let file: ConfigFile = serde_json::from_str(&text)
            .map_err(|e| failed(format!("line {} is not as it should be", e.line())))?;
        let keys = [
            registry.to_owned(),
            format!("https://{registry}"),
            format!("http://{registry}"),
            format!("https://{registry}/v2/"),
            format!("https://{registry}/v1/"),
        ];
        match keys.iter().find_map(|key| file.auths.get(key)) {
            Some(entry) => entry
                .read()
                .map_err(|why| failed(format!("`{registry}`: {why}"))),
            None => Ok(RegistryAuth::Anonymous),
        }
    }
}

// === impl Entry ===

impl Entry {
    fn read(&self) -> Result<RegistryAuth, &'static str> {
        if let Some(token) = filled(self.registrytoken.as_ref()) {
            return Ok(RegistryAuth::Bearer(token));
        }
        if filled(self.identitytoken.as_ref()).is_some() {
            return Err("identity tokens are not supported; use a user with a password or token");
        }
        if let (Some(user), Some(password)) = (filled(self.username.as_ref()), &self.password) {
            return Ok(RegistryAuth::Basic(user, password.clone()));
        }
        let Some(auth) = filled(self.auth.as_ref()) else {
            return Err("it has neither `auth` nor `username` (credential helpers are not run)");
        };
        let decoded = STANDARD.decode(auth.trim()).ok();
        let decoded = decoded.and_then(|bytes| String::from_utf8(bytes).ok());
        let (user, password) = decoded
            .as_deref()
            .and_then(|it| it.split_once(':'))
            .ok_or("its `auth` is not `user:password` in base64")?;
        Ok(RegistryAuth::Basic(user.to_owned(), password.to_owned()))
    }
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Entry").finish_non_exhaustive()
    }
}

fn filled(text: Option<&String>) -> Option<String> {
    text.filter(|it| !it.is_empty()).cloned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(content: &str, registry: &str) -> Result<RegistryAuth, String> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), content).unwrap();
        let credentials = Credentials::in_file(file.path().to_owned());
        credentials
            .of_registry(registry)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn each_way_of_writing_them_is_read() {
        let basic = RegistryAuth::Basic("me".into(), "a:b".into());
        let cases = [
            r#"{"auths": {"r.example": {"auth": "bWU6YTpi"}}}"#,
            r#"{"auths": {"https://r.example/v1/": {"username": "me", "password": "a:b"}}}"#,
        ];
        for text in cases {
            assert_eq!(read(text, "r.example").unwrap(), basic);
        }
        assert_eq!(
            read(cases[0], "other.example").unwrap(),
            RegistryAuth::Anonymous
        );
        assert_eq!(read("{}", "r.example").unwrap(), RegistryAuth::Anonymous);
    }

    #[test]
    fn what_is_wrong_is_said_without_the_secret() {
        for (text, expected) in [
            (
                r#"{"auths": {"r.example": {"auth": "c2VjcmV0"}}}"#,
                "base64",
            ),
            (r#"{"auths": {"r.example": {}}}"#, "credential helpers"),
            (r#"{"auths": {"r.example": "c2VjcmV0"}}"#, "line 1"),
        ] {
            let error = read(text, "r.example").unwrap_err();
            assert!(
                error.contains(expected) && !error.contains("ecret"),
                "{error}"
            );
        }
        let error = Credentials::in_file("missing.json".into()).of_registry("r.example");
        assert!(error.unwrap_err().to_string().contains("missing.json"));
    }
}
