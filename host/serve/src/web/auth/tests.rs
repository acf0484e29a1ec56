use super::*;

const COST: u32 = 4;

fn users(all: &[(&str, &str)]) -> Users {
    let hash = |password: &&str| bcrypt::hash(password, COST).unwrap();
    let hashes = all.iter().map(|(user, it)| ((*user).to_owned(), hash(it)));
    Users::new(&hashes.collect()).unwrap()
}

fn basic(text: impl AsRef<[u8]>) -> HeaderMap {
    let value = format!("Basic {}", STANDARD.encode(text));
    HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())])
}

#[tokio::test]
async fn only_known_users_with_their_passwords_pass() {
    let users = users(&[("alice", "secret:with colon"), ("bob", "")]);
    let checks = Checks::default();
    // Twice, since the second time is answered from what is kept.
    for _ in 0..2 {
        for (given, expected) in [
            ("alice:secret:with colon", true),
            ("alice:secret", false),
            ("alice:", false),
            ("bob:", true),
            ("bob:secret:with colon", false),
            ("carol:fakepassword", false),
            ("Alice:secret:with colon", false),
            ("alice", false),
            (":", false),
        ] {
            assert_eq!(
                checks.admits(&users, &basic(given)).await,
                expected,
                "{given}"
            );
        }
    }
}

#[tokio::test]
async fn other_schemes_and_broken_headers_do_not_pass() {
    let users = users(&[("alice", "x")]);
    let checks = Checks::default();
    for value in [
        "",
        "Basic",
        "Basic ",
        "Basic %%%",
        "Bearer YWxpY2U6eA==",
        "YWxpY2U6eA==",
    ] {
        let headers = HeaderMap::from_iter([(header::AUTHORIZATION, value.parse().unwrap())]);
        assert!(!checks.admits(&users, &headers).await, "{value}");
    }
    assert!(!checks.admits(&users, &HeaderMap::new()).await);
    assert!(!checks.admits(&users, &basic([0xff, b':', b'x'])).await);
    let lower =
        HeaderMap::from_iter([(header::AUTHORIZATION, "basic YWxpY2U6eA==".parse().unwrap())]);
    assert!(checks.admits(&users, &lower).await);
    assert!(checks.admits(&Users::default(), &HeaderMap::new()).await);
}

#[tokio::test]
async fn changed_hash_makes_the_old_password_worthless() {
    let checks = Checks::default();
    let (old, new) = (users(&[("alice", "old")]), users(&[("alice", "new")]));
    assert!(checks.admits(&old, &basic("alice:old")).await);
    assert!(!checks.admits(&new, &basic("alice:old")).await);
    assert!(
        !checks
            .admits(&users(&[("bob", "x")]), &basic("alice:old"))
            .await
    );
    assert!(checks.admits(&new, &basic("alice:new")).await);
}

#[tokio::test]
async fn what_is_kept_is_bounded_and_guesses_drive_out_nobody() {
    let users = users(&[("alice", "x")]);
    let checks = Checks::default();
    assert!(checks.admits(&users, &basic("alice:x")).await);
    for guess in 0..2 * KEPT {
        assert!(
            !checks
                .admits(&users, &basic(format!("alice:{guess}")))
                .await
        );
    }
    assert!(checks.bad.lock().unwrap().len() <= KEPT);
    assert_eq!(checks.good.lock().unwrap().len(), 1);
}

#[test]
fn unknown_users_cost_what_the_dearest_known_one_costs() {
    let hashes = [("a", 4), ("b", 6)]
        .map(|(user, cost)| (user.to_owned(), bcrypt::hash("x", cost).unwrap()));
    let users = Users::new(&hashes.into_iter().collect()).unwrap();
    assert_eq!(cost(&users.nobody), Ok(6));
}

#[test]
fn texts_that_are_no_hashes_are_refused_by_user() {
    let good = bcrypt::hash("x", COST).unwrap();
    let table = [
        (
            "doe".to_owned(),
            "hashedSecret too short to be a bcrypted password",
        ),
        (
            String::new(),
            "hashedSecret too short to be a bcrypted password",
        ),
        ("x".repeat(60), "it is not a bcrypt hash"),
        (
            good.replacen("$04$", "$03$", 1),
            "cost 3 is outside allowed inclusive range 4..31",
        ),
        (
            good.replacen("$04$", "$32$", 1),
            "cost 32 is outside allowed inclusive range 4..31",
        ),
    ];
    for (hash, expected) in table {
        let error = Users::new(&BTreeMap::from([("john".to_owned(), hash.clone())]))
            .err()
            .unwrap();
        assert!(error.starts_with("basic_auth_users.john: "), "{error}");
        assert!(error.contains(expected), "{error}");
        assert!(hash.is_empty() || !error.contains(&hash), "{error}");
    }
    // What other tools call it does not matter.
    for version in ["2a", "2b", "2y"] {
        let hash = good.replacen("2b", version, 1);
        assert_eq!(cost(&hash), Ok(COST), "{hash}");
    }
}
