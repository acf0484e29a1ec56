//! The pages for people in a real Chromium: `make e2e-pages`. [`scene`] has the host and the browser.

#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::print_stdout, reason = "measurements are printed")]

#[path = "pages/browser.rs"]
mod browser;
#[path = "pages/looks.rs"]
mod looks;
#[path = "pages/many.rs"]
mod many;
#[path = "pages/quickstart.rs"]
mod quickstart;
#[path = "binary/running.rs"]
#[allow(dead_code, reason = "the tests of the binary use the rest of it")]
mod running;
#[path = "pages/scene.rs"]
mod scene;
#[path = "pages/walk.rs"]
mod walk;
