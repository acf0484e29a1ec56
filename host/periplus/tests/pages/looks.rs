//! How pages look, to everybody.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::quickstart;
use crate::scene::Scene;

/// Pages by the name of their pictures, with a target of the test's scene.
const PAGES: [(&str, &str); 8] = [
    ("overview", "/"),
    ("jobs", "/jobs"),
    ("targets", "/targets"),
    ("explain", "/explain?job=web&target=web-1:80"),
    ("providers", "/providers"),
    ("plugins", "/plugins"),
    ("fronts", "/fronts"),
    ("config", "/config"),
];
const WIDTHS: [u32; 2] = [360, 1280];
const SCHEMES: [&str; 2] = ["light", "dark"];

/// By axe: nothing that its rules call serious or critical.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium, chromedriver and axe-core: make e2e-pages"]
async fn every_page_can_be_used_by_everybody() {
    let axe = std::env::var_os("PERIPLUS_AXE").expect("PERIPLUS_AXE names axe.min.js");
    let axe = std::fs::read_to_string(axe).unwrap();
    let scene = Scene::new().await;
    let mut found = Vec::new();
    for (_, path) in PAGES {
        for width in WIDTHS {
            for scheme in SCHEMES {
                scene.browser.look(width, scheme).await;
                scene.open(path).await;
                fits(&scene, path, width).await;
                scene.browser.run(&axe).await;
                let violations = violations(&scene).await;
                found.extend(violations.map(|it| format!("{path} at {width}, {scheme}: {it}")));
            }
        }
    }
    assert!(found.is_empty(), "{}", found.join("\n"));
    scene.browser.close().await;
}

/// Pictures of what `make run` shows; the documentation has them.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "needs chromium and chromedriver: make e2e-pages"]
async fn the_quickstart_in_pictures() {
    let pictures = pictures();
    let (scene, target) = quickstart::scene().await;
    for (name, path) in PAGES {
        let path = match name {
            "explain" => format!("/explain?job=pods&target={target}"),
            "targets" => "/targets?job=pods".to_owned(),
            _ => path.to_owned(),
        };
        for width in WIDTHS {
            for scheme in SCHEMES {
                scene.browser.look(width, scheme).await;
                scene.open(&path).await;
                fits(&scene, &path, width).await;
                let picture = scene.browser.picture().await;
                let file = format!("{name}-{width}-{scheme}.webp");
                std::fs::write(pictures.join(file), picture).unwrap();
            }
        }
    }
    scene.browser.close().await;
}

/// Nobody has to scroll sideways to read a page.
async fn fits(scene: &Scene, path: &str, width: u32) {
    let script = "const wide = document.documentElement.scrollWidth;
        const far = [...document.body.querySelectorAll('*')]
            .filter((it) => it.getBoundingClientRect().right > innerWidth);
        return [wide, far.slice(0, 5).map((it) => it.outerHTML.slice(0, 300))]";
    let found = scene.browser.run(script).await;
    assert!(
        found[0].as_u64().unwrap() <= u64::from(width),
        "{path} at {width}: {found}"
    );
}

/// What the page that is open does to somebody, by axe, which must be on the page.
async fn violations(scene: &Scene) -> impl Iterator<Item = String> {
    let script = "const done = arguments[arguments.length - 1]; axe.run().then(done)";
    let report = scene.browser.client.execute_async(script, Vec::new());
    let report: Value = report.await.unwrap();
    let passes = report["passes"].as_array().unwrap();
    assert!(passes.len() > 5, "axe looked at nothing");
    let violations = report["violations"].as_array().unwrap().clone();
    let serious = violations
        .into_iter()
        .filter(|it| matches!(it["impact"].as_str(), Some("serious" | "critical")));
    serious.map(|it| {
        let nodes = it["nodes"].as_array().unwrap().iter();
        let nodes: Vec<&str> = nodes.filter_map(|node| node["html"].as_str()).collect();
        format!("{}: {nodes:?}", it["id"])
    })
}

/// Where pictures go.
fn pictures() -> PathBuf {
    let folder = std::env::var_os("PERIPLUS_PICTURES").map(PathBuf::from);
    let folder = folder.unwrap_or_else(|| std::env::temp_dir().join("periplus-pictures"));
    std::fs::create_dir_all::<&Path>(&folder).unwrap();
    folder
}
