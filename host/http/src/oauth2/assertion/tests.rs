use periplus_config::SecretUrl;

use super::*;

/// Made for these tests.
const KEY: &str = include_str!("test-key.pem");
const PKCS8: &str = include_str!("test-key.pkcs8.pem");

fn config(algorithm: &str) -> OAuth2 {
    let mut claims = Map::new();
    claims.insert("role".to_owned(), "reader".into());
    OAuth2 {
        client_id: "periplus".to_owned(),
        client_certificate_key_id: "k1".to_owned(),
        signature_algorithm: algorithm.to_owned(),
        token_url: SecretUrl::new("https://idp/token"),
        scopes: vec!["a".to_owned(), "b".to_owned()],
        claims,
        ..OAuth2::default()
    }
}

/// The signatures are those of `openssl dgst -sign`; this kind has no randomness.
#[test]
fn assertions_are_signed_as_openssl_does() {
    let header = r#"{"alg":"RS256","typ":"JWT","kid":"k1"}"#;
    let claims = r#"{"iss":"periplus","sub":"periplus","jti":"id","aud":"https://idp/token","iat":1000,"exp":1600,"scope":"a b","role":"reader"}"#;
    for (written, algorithm, signature) in [
        ("", "RS256", include_str!("rs256.txt")),
        ("RS256", "RS256", include_str!("rs256.txt")),
        ("RS384", "RS384", include_str!("rs384.txt")),
        ("RS512", "RS512", include_str!("rs512.txt")),
    ] {
        let expected = format!(
            "{}.{}.{}",
            BASE64_URL_SAFE_NO_PAD.encode(header.replace("RS256", algorithm)),
            BASE64_URL_SAFE_NO_PAD.encode(claims),
            signature.trim()
        );
        for key in [KEY, PKCS8] {
            let signed = sign_at(&config(written), key, 1000, "id").unwrap();
            assert_eq!(signed, expected, "{algorithm}");
        }
    }
}

#[test]
fn issuer_and_audience_may_be_written_and_claims_win() {
    let mut config = config("");
    config.iss = "me".to_owned();
    config.audience = "you".to_owned();
    config.claims.insert("exp".to_owned(), 7.into());
    let claims = claims(&config, 1000, "id");
    assert_eq!(claims["iss"], "me");
    assert_eq!(claims["aud"], "you");
    assert_eq!(claims["sub"], "periplus");
    assert_eq!(claims["exp"], 7);
}

#[test]
fn keys_that_cannot_sign_are_refused_without_being_shown() {
    let elliptic = rcgen::KeyPair::generate().unwrap().serialize_pem();
    for key in ["", "hunter2", &KEY[..500], &elliptic] {
        let error = sign(&config(""), key).unwrap_err().to_string();
        assert!(
            error.starts_with("`oauth2.client_certificate_key` cannot be used"),
            "{error}"
        );
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn random_ids_are_uuids_of_version_4() {
    let id = uuid(u128::MAX);
    assert_eq!(id, "ffffffff-ffff-4fff-bfff-ffffffffffff");
    assert_eq!(uuid(0), "00000000-0000-4000-8000-000000000000");
}
