use std::collections::BTreeMap;

use periplus_config::Secret;

use super::*;

fn rules(url: &str, no_proxy: &str) -> ProxyRules {
    let config = ProxyConfig {
        no_proxy: no_proxy.to_owned(),
        ..ProxyConfig::default()
    };
    ProxyRules::new(Some(&SecretUrl::new(url)), &config, |_| None).unwrap()
}

fn uri(text: &str) -> Uri {
    text.parse().unwrap()
}

#[test]
fn no_proxy_means_hosts_as_upstream_has_it() {
    let list = "foobar.com, .barbaz.net, *.wild.example, 1.2.3.4, 1.2.3.5:8080, 192.168.0.0/16, \
                [2001:db8::7]:443, 2001:db8:1::/48, port.example:8443, bücher.example, bad/40, :80";
    let rules = rules("http://proxy:3128", list);
    for (url, direct) in [
        // Always direct once there is a list.
        ("http://localhost/", true),
        ("http://LOCALHOST:8080/", true),
        ("http://127.0.0.1/", true),
        ("http://127.0.0.2:81/", true),
        ("http://[::1]/", true),
        // A name means itself and what is below it.
        ("http://foobar.com/", true),
        ("https://foobar.com:8443/", true),
        ("http://www.foobar.com/", true),
        ("http://foofoobar.com/", false),
        ("http://FooBar.com/", true),
        // A leading dot or star means what is below alone.
        ("http://barbaz.net/", false),
        ("http://www.barbaz.net/", true),
        ("http://wild.example/", false),
        ("http://a.b.wild.example/", true),
        // Addresses, with ports.
        ("http://1.2.3.4/", true),
        ("http://1.2.3.4:99/", true),
        ("http://1.2.3.5/", false),
        ("http://1.2.3.5:8080/", true),
        ("http://[::ffff:1.2.3.4]/", true),
        ("https://[2001:db8::7]/", true),
        ("http://[2001:db8::7]/", false),
        // Networks.
        ("http://192.168.1.1/", true),
        ("http://192.169.1.1/", false),
        ("http://[2001:db8:1::5]/", true),
        ("http://[2001:db8:2::5]/", false),
        ("http://port.example:8443/", true),
        ("http://port.example/", false),
        ("http://xn--bcher-kva.example/", true),
        ("http://other.example/", false),
    ] {
        assert_eq!(rules.route(&uri(url)).is_none(), direct, "{url}");
    }
}

#[test]
fn a_star_switches_the_proxy_off() {
    let rules = rules("http://proxy:3128", "a, *");
    assert!(rules.route(&uri("https://example.com/")).is_none());
    assert!(rules.route(&uri("http://192.0.2.1/")).is_none());
}

#[test]
fn without_a_list_even_this_machine_is_behind_the_proxy() {
    let rules = rules("http://proxy:3128", "");
    assert!(rules.route(&uri("http://localhost/")).is_some());
    assert!(rules.route(&uri("http://127.0.0.1:9090/")).is_some());
}

#[test]
fn the_environment_is_read_when_asked() {
    let config = ProxyConfig {
        from_environment: true,
        ..ProxyConfig::default()
    };
    let vars = BTreeMap::from([
        ("HTTP_PROXY", ""),
        ("http_proxy", "plain:3128"),
        ("HTTPS_PROXY", "https://u:p@secure"),
        ("no_proxy", "direct.example"),
    ]);
    let variable = |name: &str| vars.get(name).map(|it| (*it).to_owned());
    let rules = ProxyRules::new(None, &config, variable).unwrap();
    let shown = |url: &str| rules.route(&uri(url)).map(ToString::to_string);
    assert_eq!(shown("http://a/").unwrap(), "http://plain:3128");
    assert_eq!(shown("https://a/").unwrap(), "https://secure:443");
    assert_eq!(shown("https://direct.example/"), None);
    assert_eq!(shown("http://localhost/"), None);

    let none = ProxyRules::new(None, &config, |_| None).unwrap();
    assert!(none.route(&uri("http://a/")).is_none());
    let ignored = ProxyRules::new(None, &ProxyConfig::default(), variable).unwrap();
    assert!(ignored.route(&uri("http://a/")).is_none());
}

#[test]
fn credentials_are_decoded_and_not_shown() {
    let rules = rules("http://user:pa%40ss%3Aword@proxy:3128", "");
    let plain = rules.forward_authorization(&uri("http://a/")).unwrap();
    assert_eq!(plain, "Basic dXNlcjpwYUBzczp3b3Jk");
    assert!(plain.is_sensitive());
    // The tunnel's request has them instead.
    assert!(rules.forward_authorization(&uri("https://a/")).is_none());
    let proxy = rules.route(&uri("https://a/")).unwrap();
    let headers = rules.connect_headers(proxy);
    assert_eq!(headers[PROXY_AUTHORIZATION], plain);
    let shown = format!("{rules:?}");
    assert!(
        !shown.contains("word") && !shown.contains("user"),
        "{shown}"
    );
}

#[test]
fn what_cannot_be_a_proxy_is_refused_without_its_password() {
    for (url, reason) in [
        ("ftp://u:hunter2@proxy", "scheme `ftp` is not known"),
        ("proxy:3128", "scheme `proxy` is not known"),
        ("//u:hunter2@proxy", "it is not a URL"),
        ("socks5:", "it has no host"),
    ] {
        let error = ProxyRules::new(Some(&SecretUrl::new(url)), &ProxyConfig::default(), |_| {
            None
        });
        let error = error.unwrap_err().to_string();
        assert!(error.contains(reason), "{url}: {error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
}

#[test]
fn headers_for_connect_keep_their_values_to_themselves() {
    let config = ProxyConfig {
        connect_header: BTreeMap::from([(
            "X-Team".to_owned(),
            vec![Secret::new("a"), Secret::new("b")],
        )]),
        ..ProxyConfig::default()
    };
    let url = SecretUrl::new("http://proxy");
    let rules = ProxyRules::new(Some(&url), &config, |_| None).unwrap();
    let proxy = rules.route(&uri("https://a/")).unwrap();
    let headers = rules.connect_headers(proxy);
    let values: Vec<_> = headers.get_all("x-team").iter().collect();
    assert_eq!(values, ["a", "b"]);
    assert!(values.iter().all(|value| value.is_sensitive()));

    let bad = ProxyConfig {
        connect_header: BTreeMap::from([("X".to_owned(), vec![Secret::new("hunter2\n")])]),
        ..ProxyConfig::default()
    };
    let error = ProxyRules::new(Some(&url), &bad, |_| None).unwrap_err();
    assert!(!error.to_string().contains("hunter2"), "{error}");
}
