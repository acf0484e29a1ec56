//! `tls_config`.

use super::credentials::take_ref;
use super::several;
use crate::http_client::{TlsConfig, TlsVersion};
use crate::read::{Context, path};
use crate::secret::Secret;
use crate::yaml::Value;

pub(super) fn read_tls(value: &Value<'_>, context: &Context<'_>) -> Option<TlsConfig> {
    if value.is_null() {
        return None;
    }
    let join = |text: &str| path::join_some(context.directory, text);
    let mut fields = value.fields()?;
    let fields = &mut fields;
    let mut tls = TlsConfig {
        ca: fields.string("ca"),
        ca_file: join(&fields.string("ca_file")),
        cert: fields.string("cert"),
        cert_file: join(&fields.string("cert_file")),
        key: Secret::new(fields.string("key")),
        key_file: join(&fields.string("key_file")),
        server_name: fields.string("server_name"),
        insecure_skip_verify: fields.bool("insecure_skip_verify", false),
        min_version: fields.read("min_version", |value| read_tls_version(&value)),
        max_version: fields.read("max_version", |value| read_tls_version(&value)),
        has_refs: false,
    };
    let ca_ref = take_ref(fields, "ca_ref");
    let cert_ref = take_ref(fields, "cert_ref");
    let key_ref = take_ref(fields, "key_ref");
    tls.has_refs = ca_ref || cert_ref || key_ref;
    if !fields.finish() {
        return Some(tls);
    }
    if let Some((key, message)) = tls_problem(&tls, ca_ref, cert_ref, key_ref) {
        fields.place(&[key]).error(message);
    }
    Some(tls)
}

fn tls_problem(
    tls: &TlsConfig,
    ca_ref: bool,
    cert_ref: bool,
    key_ref: bool,
) -> Option<(&'static str, &'static str)> {
    let cert = [!tls.cert.is_empty(), tls.cert_file.is_some(), cert_ref];
    let key = [!tls.key.is_empty(), tls.key_file.is_some(), key_ref];
    let (has_cert, has_key) = (cert.contains(&true), key.contains(&true));
    if several([!tls.ca.is_empty(), tls.ca_file.is_some(), ca_ref]) {
        return Some((
            "ca",
            "at most one of ca, ca_file & ca_ref must be configured",
        ));
    }
    if several(cert) {
        return Some((
            "cert",
            "at most one of cert, cert_file & cert_ref must be configured",
        ));
    }
    if several(key) {
        return Some(("key", "at most one of key and key_file must be configured"));
    }
    if has_cert && !has_key {
        return Some((
            if tls.cert.is_empty() {
                "cert_file"
            } else {
                "cert"
            },
            "exactly one of key or key_file must be configured when a client certificate is configured",
        ));
    }
    (has_key && !has_cert).then_some((
        if tls.key.is_empty() {
            "key_file"
        } else {
            "key"
        },
        "exactly one of cert or cert_file must be configured when a client key is configured",
    ))
}

fn read_tls_version(value: &Value<'_>) -> Option<TlsVersion> {
    if value.is_null() {
        return None;
    }
    Some(match value.string()?.as_str() {
        "TLS10" => TlsVersion::Tls10,
        "TLS11" => TlsVersion::Tls11,
        "TLS12" => TlsVersion::Tls12,
        "TLS13" => TlsVersion::Tls13,
        other => {
            value.error_with(
                format!("unknown TLS version: {other}"),
                "write `TLS10`, `TLS11`, `TLS12` or `TLS13`",
            );
            return None;
        }
    })
}
