//! Certificates of one test.

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DistinguishedName, DnType,
    ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose, SanType,
};

/// A certificate and its key, PEM.
pub(super) type Pair = (String, String);

pub(super) struct Authority(CertifiedIssuer<'static, KeyPair>);

impl Authority {
    pub(super) fn new(name: &str) -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![
            KeyUsagePurpose::KeyCertSign,
            KeyUsagePurpose::DigitalSignature,
        ];
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        Self(CertifiedIssuer::self_signed(params, key).unwrap())
    }

    pub(super) fn pem(&self) -> String {
        self.0.pem()
    }

    /// The authority itself, as `openssl req -x509` makes certificates.
    pub(super) fn own(&self) -> Pair {
        (self.0.pem(), self.0.key().serialize_pem())
    }

    pub(super) fn server(&self) -> Pair {
        let name = SanType::IpAddress([127, 0, 0, 1].into());
        self.sign(name, ExtendedKeyUsagePurpose::ServerAuth)
    }

    /// A client's, with a name of the kind that it looks like.
    pub(super) fn client(&self, name: &str) -> Pair {
        let san = if let Ok(address) = name.parse() {
            SanType::IpAddress(address)
        } else if name.contains("://") {
            SanType::URI(name.try_into().unwrap())
        } else if name.contains('@') {
            SanType::Rfc822Name(name.try_into().unwrap())
        } else {
            SanType::DnsName(name.try_into().unwrap())
        };
        self.sign(san, ExtendedKeyUsagePurpose::ClientAuth)
    }

    fn sign(&self, name: SanType, usage: ExtendedKeyUsagePurpose) -> Pair {
        let mut params = CertificateParams::default();
        params.subject_alt_names = vec![name];
        params.extended_key_usages = vec![usage];
        let key = KeyPair::generate().unwrap();
        let signed = params.signed_by(&key, &self.0).unwrap();
        (signed.pem(), key.serialize_pem())
    }
}
