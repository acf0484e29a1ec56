//! An operator's questions, asked one after the other.

use fantoccini::Locator;

use crate::scene::{EVIL, Scene};

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver: make e2e-pages"]
async fn every_question_has_its_answer() {
    let scene = Scene::new().await;
    scene.open("/").await;
    scene.until_says("Job down is not known yet").await;
    scene.until_says("Provider http/").await;

    // Why is that target not there?
    scene.open("/targets?job=web&state=dropped").await;
    scene.until_says("dropped by a rule").await;
    let link = scene
        .browser
        .client
        .find(Locator::LinkText("web-2:80"))
        .await
        .unwrap();
    link.click().await.unwrap();
    scene.until_says("dropped by rule 2").await;
    assert!(!scene.text().await.contains("box to try rules on"));

    // Where does that label come from?
    scene.open("/explain?job=web&target=web-1:80").await;
    scene.until_says("site=ams").await;

    // By a form, as a person searches.
    scene.open("/targets").await;
    let form = scene
        .browser
        .client
        .form(Locator::Css("form.filter"))
        .await
        .unwrap();
    form.set_by_name("q", "R7").await.unwrap();
    let button = scene
        .browser
        .client
        .find(Locator::Css("form.filter button"));
    button.await.unwrap().click().await.unwrap();
    scene.until_says("Targets 1 to 1 of 1.").await;
    let address = scene.browser.client.current_url().await.unwrap();
    assert!(
        address.query().unwrap().contains("q=R7"),
        "{address} can be sent to a colleague"
    );

    scene.open("/providers").await;
    scene.until_says("failing").await;
    assert_eq!(scene.host.get("/sd/racks").await.status, 200);
    scene.open("/fronts").await;
    scene.until_says("has the newest").await;
    scene.open("/config").await;
    scene.until_says("Last reload").await;
    scene.open("/jobs?job=gone").await;
    scene.until_says("There is no job `gone` now.").await;
    scene.browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver: make e2e-pages"]
async fn a_page_changes_while_one_looks() {
    let scene = Scene::new().await;
    scene.open("/targets?job=racks").await;
    scene.until_says("10.0.0.1:9100").await;
    scene.browser.run("window.mark = 'same page'").await;
    scene.write_racks(&["10.0.0.1:9100", "10.0.0.2:9100"]);
    scene.until_says("10.0.0.2:9100").await;
    scene.write_racks(&["10.0.0.3:9100"]);
    scene.until_says("Targets 1 to 1 of 1.").await;
    scene.until_says("10.0.0.3:9100").await;
    assert_eq!(scene.browser.run("return window.mark").await, "same page");
    scene.browser.close().await;
}

#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver: make e2e-pages"]
async fn foreign_text_stays_text() {
    let scene = Scene::new().await;
    for path in [
        "/targets?job=web",
        "/explain?job=web&target=web-1:80",
        "/config",
    ] {
        scene.open(path).await;
        let title = scene.browser.client.title().await.unwrap();
        assert!(title.ends_with("Periplus"), "{path}: {title}");
    }
    scene.open("/targets?job=web").await;
    let shown = EVIL.replace('\u{202e}', "\u{fffd}");
    assert!(
        scene.text().await.contains(&shown),
        "{}",
        scene.text().await
    );
    scene.browser.close().await;
}
