//! What the browser tests rest on: that a fault of a page would be seen.

use serde_json::json;

use crate::support::browser::Browser;

const PAGE: &str = "<!doctype html><html lang=en><meta charset=utf-8><title>A page</title>\
    <style>body { background: white } @media (prefers-color-scheme: dark) { body { background: black } }</style>\
    <button onclick='this.textContent = \"pressed\"'>press</button><input aria-label=name>\
    <script>setTimeout(() => document.body.dataset.later = \"yes\", 30)</script>";

/// Forbids everything, and asks for three things nevertheless.
const FORBIDDEN: &str = "<!doctype html><meta http-equiv=Content-Security-Policy content=\"default-src 'none'\">\
    <title>Forbidden</title><script>document.title = 'run'</script><img src='http://127.0.0.1:9/a.png'>\
    <p style='color: red'>text";

#[test]
fn a_page_is_read_and_used() {
    let Some(browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("page.html");
    std::fs::write(&file, PAGE).unwrap();
    let url = format!("file://{}", file.display());
    let page = browser.open(&url, 640, 480, true);
    assert_eq!(page.eval("document.title"), "A page");
    assert_eq!(page.eval("[innerWidth, innerHeight]"), json!([640, 480]));
    assert_eq!(page.eval("getComputedStyle(document.body).backgroundColor"), "rgb(0, 0, 0)");
    page.wait_for("document.body.dataset.later === 'yes'");
    page.click("button");
    page.wait_for("document.querySelector('button').textContent === 'pressed'");
    page.press("Tab");
    page.press("x");
    page.wait_for("document.querySelector('input').value === 'x'");
    page.resize(320, 480);
    page.wait_for("innerWidth === 320");
    assert_eq!(page.requests(), [url.as_str()]);
    assert_eq!(page.console(), [""; 0]);
    let shot = folder.path().join("page.png");
    page.screenshot(&shot);
    assert!(std::fs::read(shot).unwrap().starts_with(b"\x89PNG"));
    assert!(page.pdf().starts_with(b"%PDF"));
    let light = browser.open(&url, 640, 480, false);
    assert_eq!(light.eval("getComputedStyle(document.body).backgroundColor"), "rgb(255, 255, 255)");
}

#[test]
fn faults_of_a_page_are_seen() {
    let Some(browser) = Browser::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("forbidden.html");
    std::fs::write(&file, FORBIDDEN).unwrap();
    let page = browser.open(&format!("file://{}", file.display()), 640, 480, false);
    assert_eq!(page.eval("document.title"), "Forbidden", "the script ran");
    let said = page.console();
    for directive in ["script-src", "img-src", "style-src"] {
        assert!(said.iter().any(|line| line.contains(directive)), "nothing said of {directive}: {said:#?}");
    }
    page.eval("console.warn('careful', 1); setTimeout(() => { throw new Error('broken') }); null");
    let said = page.console();
    assert!(said.iter().any(|line| line == "warning: careful 1"), "{said:#?}");
    assert!(said.iter().any(|line| line.starts_with("error: Error: broken")), "{said:#?}");
    page.eval("fetch('data:,x').catch(() => null)");
    assert!(page.requests().len() >= 2, "{:?}", page.requests());
}
