//! Runs in a browser: what is served, to whom, and that nothing is written.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command};
use std::time::Duration;

use serde_json::{Value, json};

use crate::resume::{half_way, holding};
use crate::support::browser::Browser;
use crate::support::project::{right, schema_helps};
use crate::support::{Project, ScriptedServer, say};

/// The running command; it ends with the test.
struct Viewer {
    process: Child,
    /// `http://127.0.0.1:PORT/TOKEN/`.
    url: String,
}

impl Drop for Viewer {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

struct Answer {
    status: u16,
    head: String,
    body: String,
}

impl Viewer {
    fn start(project: &Project) -> Self {
        let mut process = project.start(["view", "-q"]);
        let mut url = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut url).unwrap();
        Self { process, url: url.trim_end().to_owned() }
    }

    /// The host with its port, and the token.
    fn parts(&self) -> (&str, &str) {
        self.url.strip_prefix("http://").unwrap().trim_end_matches('/').split_once('/').unwrap()
    }

    /// Sends a request's head as it is.
    fn send(&self, head: &str) -> Answer {
        let mut stream = TcpStream::connect(self.parts().0).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
        stream.write_all(format!("{head}connection: close\r\n\r\n").as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        let head = head.to_ascii_lowercase();
        let body = if head.contains("transfer-encoding: chunked") { joined(body) } else { body.to_owned() };
        Answer { status, head, body }
    }

    /// A page below the token.
    fn get(&self, path: &str) -> Answer {
        let (host, token) = self.parts();
        self.send(&format!("GET /{token}/{path} HTTP/1.1\r\nhost: {host}\r\n"))
    }

    #[track_caller]
    fn page(&self, path: &str) -> String {
        let answer = self.get(path);
        assert_eq!(answer.status, 200, "{path}: {}", answer.body);
        answer.body
    }
}

/// A body that came in chunks, to its proper end; that of a HEAD has none.
fn joined(mut chunks: &str) -> String {
    let mut body = String::new();
    while let Some((size, rest)) = chunks.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap();
        if size == 0 {
            return body;
        }
        body.push_str(&rest[..size]);
        chunks = rest[size..].strip_prefix("\r\n").unwrap();
    }
    assert!(body.is_empty() && chunks.is_empty(), "the body was cut");
    body
}

/// A store with one finished run: `schema` is always right, `plain` for four of twelve.
fn project() -> Project {
    let project = Project::new().suite("tiny").recorded(|request, _| schema_helps(request));
    project.run(["run", "suites/tiny", "-q"]).exits(0);
    project
}

#[test]
fn the_list_each_report_and_two_sides_are_served() {
    let project = project();
    project.run(["run", "suites/tiny", "--variants", "plain,schema", "--fresh", "-q"]).exits(0);
    let before = project.read_store();
    let viewer = Viewer::start(&project);
    let list = viewer.page("");
    assert!(list.contains("href=\"runs/tiny-1\"") && list.contains("finished"), "{list}");
    assert!(list.find("runs/tiny-2").unwrap() < list.find("runs/tiny-1").unwrap(), "the newest is not the first");
    assert!(viewer.page("?suite=other").contains("No runs yet"));
    let report = viewer.page("runs/tiny-1");
    assert!(report.contains("id=\"report-json\"") && report.ends_with("</html>\n"), "{report}");
    let first = viewer.page("compare");
    assert!(
        first.contains("href=\"compare?a=tiny-1%3Aplain\"") && first.contains("href=\"compare?a=tiny-1\""),
        "{first}"
    );
    let second = viewer.page("compare?a=tiny-1%3Aplain");
    assert!(second.contains("compare?a=tiny-1%3Aplain&amp;b=tiny-1%3Aschema"), "{second}");
    let found = viewer.page("compare?a=tiny-1%3Aplain&b=tiny-1%3Aschema");
    for said in [
        "BETTER: B is better than A",
        "+66.7 points",
        "McNemar",
        "B fixed <b>8</b>",
        "not comparable",
        "e01",
        "RECORDED",
    ] {
        assert!(found.contains(said), "no {said:?} in {found}");
    }
    assert!(viewer.page("compare?a=tiny-1%3Aplain&b=tiny-1%3Aschema&metric=validity").contains("schema validity"));
    assert!(viewer.page("compare?a=tiny-1&b=tiny-2").contains("each variant against itself"));
    drop(viewer);
    assert_eq!(project.read_store(), before, "the store was written");
}

/// Each figure of the page has its exact value and its place in the JSON document.
#[test]
fn the_figures_of_a_comparison_are_those_of_the_json() {
    let project = project();
    let viewer = Viewer::start(&project);
    let page = viewer.page("compare?a=tiny-1%3Aplain&b=tiny-1%3Aschema");
    let document = project.run(["compare", "tiny-1:plain", "tiny-1:schema", "--json"]).exits(0).json();
    let mut checked = 0;
    for rest in page.split("<data value=\"").skip(1) {
        let (value, rest) = rest.split_once("\" data-at=\"").unwrap();
        let at = rest.split('"').next().unwrap();
        let expected = document.pointer(at).and_then(Value::as_f64);
        assert_eq!(value.parse().ok(), expected, "{at}");
        checked += 1;
    }
    assert!(checked > 30, "{checked}");
}

#[test]
fn whoever_lacks_the_address_gets_nothing() {
    let project = project();
    let viewer = Viewer::start(&project);
    let (host, token) = viewer.parts();
    assert!(token.len() == 32 && host.starts_with("127.0.0.1:"), "{}", viewer.url);
    let wrong = "0".repeat(32);
    for path in
        ["/", "/runs/tiny-1", "/favicon.ico", &format!("/{wrong}/"), &format!("//{token}/"), &format!("/{token}x/")]
    {
        let answer = viewer.send(&format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n"));
        assert_eq!((answer.status, answer.body.as_str()), (404, "not found\n"), "{path}");
    }
    let port = host.split_once(':').unwrap().1;
    let get = |host: &str| viewer.send(&format!("GET /{token}/ HTTP/1.1\r\n{host}")).status;
    assert_eq!(get(&format!("host: localhost:{port}\r\n")), 200);
    for other in [format!("host: evil.example:{port}\r\n"), "host: 127.0.0.1\r\n".to_owned(), String::new()] {
        assert_ne!(get(&other), 200, "{other}");
    }
    let absolute = format!("GET http://evil.example:{port}/{token}/ HTTP/1.1\r\nhost: {host}\r\n");
    assert_eq!(viewer.send(&absolute).status, 403);
    for method in ["POST", "PUT", "DELETE", "OPTIONS"] {
        let answer = viewer.send(&format!("{method} /{token}/ HTTP/1.1\r\nhost: {host}\r\ncontent-length: 0\r\n"));
        assert_eq!(answer.status, 405, "{method}");
    }
    let head = viewer.send(&format!("HEAD /{token}/ HTTP/1.1\r\nhost: {host}\r\n"));
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    let moved = viewer.send(&format!("GET /{token} HTTP/1.1\r\nhost: {host}\r\n"));
    assert!(moved.status == 308 && moved.head.contains(&format!("location: /{token}/")), "{}", moved.head);
}

#[test]
fn every_answer_forbids_what_a_page_does_not_need() {
    let project = project();
    let viewer = Viewer::start(&project);
    for path in ["", "runs/tiny-1", "compare", "runs/none", "no/such/page"] {
        let answer = viewer.get(path);
        for header in [
            "content-security-policy: default-src 'none'",
            "frame-ancestors 'none'",
            "x-content-type-options: nosniff",
            "referrer-policy: no-referrer",
            "cache-control: no-store",
            "cross-origin-opener-policy: same-origin",
            "cross-origin-resource-policy: same-origin",
        ] {
            assert!(answer.head.contains(header), "{path}: no {header} in {}", answer.head);
        }
        assert!(!answer.head.contains("unsafe") && !answer.head.contains("access-control"), "{}", answer.head);
    }
}

#[test]
fn what_cannot_be_shown_is_a_page_that_says_why() {
    let project = project();
    let viewer = Viewer::start(&project);
    let unknown = viewer.get("runs/tiny-9");
    assert_eq!(unknown.status, 404);
    assert!(
        unknown.body.contains("the store has no run `tiny-9`") && unknown.body.contains("hint:"),
        "{}",
        unknown.body
    );
    let side = viewer.get("compare?a=tiny-1%3Aplain&b=tiny-1%3Ashema");
    assert!(side.status == 404 && side.body.contains("did you mean `schema`?"), "{}", side.body);
    assert_eq!(viewer.get("elsewhere").status, 404);
    std::fs::rename(project.path("suites/tiny"), project.path("suites/gone")).unwrap();
    let gone = viewer.get("runs/tiny-1");
    assert!(gone.status == 404 && gone.body.contains("the suite of run `tiny-1` is not at"), "{}", gone.body);
    assert_eq!(viewer.get("compare?a=tiny-1%3Aplain&b=tiny-1%3Aschema").status, 404);
    assert_eq!(viewer.get("").status, 200);
}

#[test]
fn a_run_that_is_under_way_shows_what_it_has() {
    let (server, gate) = holding();
    let project = Project::new().suite("tiny").live(&server);
    let mut running = half_way(&project, &server);
    let viewer = Viewer::start(&project);
    assert!(viewer.page("").contains("running or killed"));
    assert!(viewer.page("runs/tiny-1").ends_with("</html>\n"));
    gate.open();
    assert!(running.wait().unwrap().success(), "reading stood in its way");
    assert!(viewer.page("").contains("finished"));
}

#[test]
fn no_process_is_started_for_a_page() {
    let project = project();
    let scorer = "kind = \"command\"\ncommand = [\"sh\", \"score.sh\"]\nat = \"/label\"";
    project.edit("suites/tiny/suite.toml", "kind = \"exact\"\nat = \"/label\"", scorer);
    project.write("suites/tiny/score.sh", b"echo x >> started\nwhile read -r line; do echo '{\"score\": 1}'; done\n");
    let viewer = Viewer::start(&project);
    for path in ["runs/tiny-1", "compare?a=tiny-1%3Aplain&b=tiny-1%3Aschema"] {
        let refused = viewer.get(path);
        assert!(refused.status == 404 && refused.body.contains("wait for the process"), "{}", refused.body);
    }
    assert!(!project.path("suites/tiny/started").exists());
    project.run(["report", "tiny-1"]).exits(0);
    viewer.page("runs/tiny-1");
}

#[test]
fn ctrl_c_is_the_end_and_the_address_is_json_too() {
    let project = project();
    let mut child = project.start(["view", "--json"]);
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let document: Value = serde_json::from_str(&line).unwrap();
    crate::schemas::fits(&document, "view");
    assert!(document["url"].as_str().unwrap().starts_with("http://127.0.0.1:"), "{document}");
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    Project::new().run(["view"]).exits(2).says("there is no store");
}

/// What a model and the data say, with everything that could end an element.
const HOSTILE: &str =
    "</pre></script><script>document.title='owned'</script><img src=x onerror=alert(1)>\u{202e}\u{1b}[31m";

fn hostile() -> Project {
    let project = Project::new().suite("tiny");
    project.edit(
        "suites/tiny/examples.jsonl",
        "the ball number 1 looks",
        &json!(format!("{HOSTILE} looks")).to_string().replace('"', ""),
    );
    let server = ScriptedServer::start(|request, _| {
        if request.get("response_format").is_some() {
            right(request)
        } else {
            say(&json!({"label": HOSTILE}).to_string())
        }
    });
    let project = project.live(&server);
    project.run(["run", "suites/tiny", "--provider", "toy=live", "-q"]).exits(0);
    project
}

const PAGES: [&str; 6] = [
    "",
    "compare",
    "compare?a=tiny-1%3Aplain",
    "compare?a=tiny-1%3Aplain&b=tiny-1%3Aschema",
    "runs/none",
    "runs/tiny-1",
];

#[test]
fn what_others_say_is_text() {
    let project = hostile();
    let viewer = Viewer::start(&project);
    for path in PAGES {
        let page = viewer.get(path).body;
        assert!(!page.contains("<img") && !page.contains("<script>document"), "{path}");
        assert!(!page.contains('\u{202e}') && !page.contains('\u{1b}'), "{path}");
    }
    let page = viewer.page("compare?a=tiny-1%3Aplain&b=tiny-1%3Aschema");
    assert!(page.contains("&lt;script&gt;document"), "{page}");
    let named = viewer.get("runs/%3Cimg%20src=x%3E");
    assert!(named.status == 404 && named.body.contains("&lt;img"), "{}", named.body);
}

#[test]
fn a_browser_shows_every_page_without_a_complaint() {
    let Some(browser) = Browser::start() else { return };
    let project = hostile();
    let viewer = Viewer::start(&project);
    for path in PAGES {
        let url = format!("{}{path}", viewer.url);
        let page = browser.open(&url, 1280, 900, false);
        let mut said = page.console();
        // The browser itself says so of a page that is not there.
        said.retain(|line| !(path == "runs/none" && line.contains("404")));
        assert_eq!(said, [""; 0], "{path}");
        assert_eq!(page.requests(), [url], "{path}");
        assert_ne!(page.eval("document.title"), "owned", "{path}");
        page.resize(360, 700);
        page.wait_for("innerWidth === 360");
        assert_eq!(page.eval("document.documentElement.scrollWidth <= innerWidth"), true, "{path} is too wide");
    }
    // From the list to a comparison by links alone.
    let page = browser.open(&viewer.url, 1280, 900, true);
    page.click("a[href^='compare?from=']");
    page.wait_for("document.querySelector('h1')?.textContent.includes('side A')");
    page.click("a[href='compare?a=tiny-1%3Aplain']");
    page.wait_for("document.querySelector('h1')?.textContent.includes('side B')");
    page.click("li a");
    page.wait_for("document.querySelector('.verdict')?.textContent.includes('BETTER')");
    assert_eq!(page.console(), [""; 0]);
}
