//! `basic_auth`, `authorization` and `oauth2`.

use std::collections::BTreeMap;

use super::tls::read_tls;
use super::wire::{check_proxy, take_proxy};
use crate::http_client::{Authorization, BasicAuth, OAuth2, ProxyConfig};
use crate::read::{Context, path};
use crate::secret::Secret;
use crate::secret_url::SecretUrl;
use crate::yaml::{Fields, Value};

/// Joins a path with the configuration's directory.
type Join<'j> = &'j dyn Fn(&str) -> Option<std::path::PathBuf>;

pub(super) fn read_basic_auth(
    value: &Value<'_>,
    join: Join<'_>,
) -> Option<(BasicAuth, (bool, bool))> {
    if value.is_null() {
        return None;
    }
    let mut fields = value.fields()?;
    let basic_auth = BasicAuth {
        username: fields.string("username"),
        username_file: join(&fields.string("username_file")),
        password: Secret::new(fields.string("password")),
        password_file: join(&fields.string("password_file")),
    };
    let username_ref = take_ref(&mut fields, "username_ref");
    let password_ref = take_ref(&mut fields, "password_ref");
    fields.finish();
    Some((basic_auth, (username_ref, password_ref)))
}

pub(super) fn read_authorization(
    value: &Value<'_>,
    join: Join<'_>,
) -> Option<(Authorization, bool)> {
    if value.is_null() {
        return None;
    }
    let mut fields = value.fields()?;
    let authorization = Authorization {
        kind: fields.string("type"),
        credentials: Secret::new(fields.string("credentials")),
        credentials_file: join(&fields.string("credentials_file")),
    };
    let reference = take_ref(&mut fields, "credentials_ref");
    fields.finish();
    Some((authorization, reference))
}

/// A reference into a secret manager, which Prometheus accepts here and fails on later.
pub(super) fn take_ref(fields: &mut Fields<'_>, key: &'static str) -> bool {
    let is_set = !fields.string(key).is_empty();
    if is_set {
        fields.place(&[key]).warn_with(
            "cannot use secret ref without manager",
            "write the secret itself, or a file with it",
        );
    }
    is_set
}

pub(super) fn read_oauth2(
    value: &Value<'_>,
    context: &Context<'_>,
) -> Option<(OAuth2, (bool, bool))> {
    if value.is_null() {
        return None;
    }
    let mut fields = value.fields()?;
    let fields = &mut fields;
    let key_file = fields.string("client_certificate_key_file");
    let mut oauth2 = OAuth2 {
        client_id: fields.string("client_id"),
        client_secret: Secret::new(fields.string("client_secret")),
        client_secret_file: path::join_some(
            context.directory,
            &fields.string("client_secret_file"),
        ),
        client_certificate_key_id: fields.string("client_certificate_key_id"),
        client_certificate_key: Secret::new(fields.string("client_certificate_key")),
        client_certificate_key_file: (!key_file.is_empty()).then(|| key_file.into()),
        grant_type: fields.string("grant_type"),
        signature_algorithm: fields.string("signature_algorithm"),
        iss: fields.string("iss"),
        audience: fields.string("audience"),
        claims: fields
            .read("claims", |value| value.json_object())
            .unwrap_or_default(),
        scopes: fields
            .read("scopes", |value| value.strings())
            .unwrap_or_default(),
        token_url: SecretUrl::new(fields.string("token_url")),
        endpoint_params: fields
            .read("endpoint_params", |v| read_text_map(&v))
            .unwrap_or_default(),
        tls: fields
            .read("tls_config", |value| read_tls(&value, context))
            .unwrap_or_default(),
        proxy_url: None,
        proxy: ProxyConfig::default(),
    };
    (oauth2.proxy_url, oauth2.proxy) = take_proxy(fields);
    let refs = (
        take_ref(fields, "client_secret_ref"),
        take_ref(fields, "client_certificate_key_ref"),
    );
    if fields.finish() {
        check_proxy(fields, oauth2.proxy_url.as_ref(), &oauth2.proxy);
    }
    Some((oauth2, refs))
}

fn read_text_map(value: &Value<'_>) -> Option<BTreeMap<String, String>> {
    let pairs = value.map("map[string]string")?;
    Some(
        pairs
            .iter()
            .filter_map(|(key, value)| Some((key.string()?, value.string()?)))
            .collect(),
    )
}
