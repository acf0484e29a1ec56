//! Who gets in: tokens, certificates, and the kubeconfigs that carry them.

use std::fmt::Write as _;
use std::io;
use std::sync::{Arc, PoisonError};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::KubeApi;
use crate::certificates::Certificates;

/// How a kubeconfig has its user log in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Login {
    /// Not at all.
    Anonymous,
    /// By this bearer token.
    Token(String),
    /// By this file with a bearer token, which clients read again and again.
    TokenFile(std::path::PathBuf),
    /// By a new certificate for this user, which the authority of the moment signs.
    Certificate(String),
}

impl KubeApi {
    /// A kubeconfig, as YAML, that leads here and gets in.
    pub fn kubeconfig(&self) -> String {
        let tokens = self.shared.tokens();
        let login = tokens.first().cloned();
        self.kubeconfig_with(&login.map_or(Login::Anonymous, Login::Token))
    }

    /// A kubeconfig, as YAML, that leads here, whether it gets in or not. Without TLS, a certificate cannot
    /// be had and nothing stands in its place.
    pub fn kubeconfig_with(&self, login: &Login) -> String {
        let user = match login {
            Login::Anonymous => "{}".to_owned(),
            Login::Token(token) => format!("{{token: \"{token}\"}}"),
            Login::TokenFile(path) => format!("{{tokenFile: \"{}\"}}", path.display()),
            Login::Certificate(user) => match self.client_certificate(user) {
                Some((certificate, key)) => format!(
                    "{{client-certificate-data: \"{}\", client-key-data: \"{}\"}}",
                    STANDARD.encode(certificate),
                    STANDARD.encode(key)
                ),
                None => "{}".to_owned(),
            },
        };
        let mut cluster = format!("server: \"{}\"", self.url());
        if let Some(authority) = self.authority_pem() {
            // Writing to a string cannot fail.
            let _ = write!(
                cluster,
                ", certificate-authority-data: \"{}\"",
                STANDARD.encode(authority)
            );
        }
        format!(
            "apiVersion: v1\nkind: Config\ncurrent-context: stand-in\n\
             clusters:\n  - name: stand-in\n    cluster: {{{cluster}}}\n\
             users:\n  - name: stand-in\n    user: {user}\n\
             contexts:\n  - name: stand-in\n    context: {{cluster: stand-in, user: stand-in}}\n"
        )
    }

    /// The certificate of the authority that clients are to trust, PEM; none without TLS.
    pub fn authority_pem(&self) -> Option<String> {
        Some(self.shared.certificates()?.authority_pem())
    }

    /// A new client certificate and its key, PEM; none without TLS.
    pub fn client_certificate(&self, user: &str) -> Option<(String, String)> {
        self.shared.certificates()?.client(user).ok()
    }

    /// A new authority signs a new certificate of the server: new connections see it, and client
    /// certificates of the old authority are answered with 401. Open connections stay. Does nothing
    /// without TLS.
    pub fn rotate_certificates(&self) -> io::Result<()> {
        if self.shared.certificates().is_none() {
            return Ok(());
        }
        let next = Arc::new(Certificates::new(self.shared.settings.http2)?);
        let mut current = self
            .shared
            .certificates
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *current = Some(next);
        Ok(())
    }

    /// The bearer tokens that let clients in, from the next request on; none at all: everybody is let in.
    pub fn set_tokens(&self, tokens: &[&str]) {
        let mut current = self
            .shared
            .tokens
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        *current = tokens.iter().map(|t| (*t).to_owned()).collect();
    }

    /// Connections that are open and answer.
    pub fn open_connections(&self) -> usize {
        self.shared.connections.count()
    }

    /// Makes all open connections half-open: they neither send nor close nor answer pings, as when a
    /// firewall has forgotten them, and a restart does not bring them back. New ones are as ever. The answer
    /// is their number.
    pub fn freeze_connections(&self) -> usize {
        self.shared.connections.freeze()
    }

    /// Cuts all open connections; new ones are as ever. The answer is their number.
    pub fn cut_connections(&self) -> usize {
        self.shared.connections.cut()
    }

    /// Asks clients to leave, as a server does that balances its load: over HTTP/2 by `GOAWAY`, over
    /// HTTP/1.1 after the answer that is under way.
    pub fn drain_connections(&self) -> usize {
        self.shared.connections.drain()
    }
}
