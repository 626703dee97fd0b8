//! A page in headless Chromium, driven by the Chrome DevTools Protocol over two pipes: what a reader
//! of a report sees, what the console says of it, and what it asks the network for.

use std::cell::RefCell;
use std::fs::File;
use std::io::{BufRead, BufReader, Write as _};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use tempfile::TempDir;

/// Names the program; without it the first of [`PROGRAMS`] on the search path is taken.
const VARIABLE: &str = "CEILING_CHROMIUM";

const PROGRAMS: [&str; 3] = ["chromium", "chromium-browser", "google-chrome"];

/// No window, no sandbox (tests run as root in containers), no network of its own.
const FLAGS: [&str; 13] = [
    "--remote-debugging-pipe",
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
    "--no-default-browser-check",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
];

/// The longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(20);

/// A running browser; its process ends when this is dropped.
pub(crate) struct Browser {
    process: Child,
    /// Its profile, and the pipes.
    _folder: TempDir,
    wire: RefCell<Wire>,
}

impl Drop for Browser {
    fn drop(&mut self) {
        // Its pipe ends when the last of its processes has: the folder is nobody's then.
        let wire = self.wire.get_mut();
        let _ = wire.commands.write_all(b"{\"id\":0,\"method\":\"Browser.close\"}\0");
        let deadline = Instant::now() + Duration::from_secs(5);
        let left = || deadline.saturating_duration_since(Instant::now());
        while wire.messages.recv_timeout(left()).is_ok() {}
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// The two pipes, and every event that came.
struct Wire {
    commands: File,
    messages: Receiver<Value>,
    last_id: u64,
    events: Vec<Value>,
}

/// The program that the environment names, else one of the usual names.
fn program() -> Option<PathBuf> {
    if let Some(named) = std::env::var_os(VARIABLE).filter(|named| !named.is_empty()) {
        return Some(named.into());
    }
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let folders: Vec<PathBuf> = std::env::split_paths(&folders).collect();
    PROGRAMS.iter().flat_map(|name| folders.iter().map(move |folder| folder.join(name))).find(|path| path.is_file())
}

impl Browser {
    /// A browser; `None`, said, where there is none on this machine.
    #[expect(clippy::print_stdout, reason = "what a test skips must be seen")]
    pub(crate) fn start() -> Option<Self> {
        let Some(program) = program() else {
            assert!(std::env::var_os("CEILING_REQUIRE_BROWSER").is_none(), "no Chromium (set {VARIABLE})");
            println!("skipped: no Chromium (set {VARIABLE})");
            return None;
        };
        let folder = tempfile::tempdir().unwrap();
        let (to, from) = (folder.path().join("to"), folder.path().join("from"));
        assert!(Command::new("mkfifo").args([&to, &from]).status().unwrap().success(), "no pipes");
        // Opened to read too, so that opening does not wait for the other end.
        let commands = File::options().read(true).write(true).open(&to).unwrap();
        let process = Command::new("sh")
            .args(["-c", "to=$1 from=$2; shift 2; exec \"$@\" 3<\"$to\" 4>\"$from\"", "sh"])
            .args([&to, &from, &program])
            .args(FLAGS)
            .arg(format!("--user-data-dir={}", folder.path().join("profile").display()))
            .arg("about:blank")
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let wire = RefCell::new(Wire { commands, messages: read(from), last_id: 0, events: Vec::new() });
        let browser = Self { process, _folder: folder, wire };
        browser.command(None, "Browser.getVersion", &json!({}));
        Some(browser)
    }

    /// Loads a page in a window of this size.
    pub(crate) fn open(&self, url: &str, width: u32, height: u32, dark: bool) -> Page<'_> {
        let target = self.command(None, "Target.createTarget", &json!({"url": "about:blank"}));
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let session = self.command(None, "Target.attachToTarget", &attach)["sessionId"].as_str().unwrap().to_owned();
        let page = Page { browser: self, session };
        for domain in ["Page", "Runtime", "Log", "Network"] {
            page.command(&format!("{domain}.enable"), &json!({}));
        }
        page.command("Page.setLifecycleEventsEnabled", &json!({"enabled": true}));
        page.resize(width, height);
        let scheme = if dark { "dark" } else { "light" };
        let features = json!({"features": [{"name": "prefers-color-scheme", "value": scheme}]});
        page.command("Emulation.setEmulatedMedia", &features);
        page.go(url);
        page
    }

    /// The result of a command; what the browser refuses fails the test.
    #[track_caller]
    fn command(&self, session: Option<&str>, method: &str, params: &Value) -> Value {
        let mut answer = self.wire.borrow_mut().command(session, method, params);
        // A link was followed while the old page was still asked: the new one is asked instead.
        while answer["error"]["message"].as_str().is_some_and(|said| said.contains("navigated or closed")) {
            answer = self.wire.borrow_mut().command(session, method, params);
        }
        assert!(answer.get("error").is_none(), "{method} {params}: {}", answer["error"]);
        answer["result"].clone()
    }
}

/// The messages that come through a pipe, to its end; each ends with a zero byte.
fn read(pipe: PathBuf) -> Receiver<Value> {
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut reader = BufReader::new(File::open(pipe).unwrap());
        let mut message = Vec::new();
        while reader.read_until(0, &mut message).is_ok_and(|read| read > 0) {
            let whole = message.strip_suffix(&[0]).and_then(|text| serde_json::from_slice(text).ok());
            if whole.is_none_or(|value| sender.send(value).is_err()) {
                return;
            }
            message.clear();
        }
    });
    receiver
}

impl Wire {
    fn command(&mut self, session: Option<&str>, method: &str, params: &Value) -> Value {
        self.last_id += 1;
        let id = self.last_id;
        let mut command = json!({"id": id, "method": method, "params": params});
        if let Some(session) = session {
            command["sessionId"] = session.into();
        }
        self.commands.write_all(format!("{command}\0").as_bytes()).unwrap();
        let deadline = Instant::now() + PATIENCE;
        loop {
            let message = self.next(deadline, method);
            if message["id"] == id {
                return message;
            }
            self.events.push(message);
        }
    }

    fn next(&self, deadline: Instant, what: &str) -> Value {
        match self.messages.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
            Ok(message) => message,
            Err(RecvTimeoutError::Timeout) => panic!("waited {PATIENCE:?} for {what}"),
            Err(RecvTimeoutError::Disconnected) => panic!("the browser ended while a test waited for {what}"),
        }
    }

    /// Waits for an event; it may have come already.
    fn wait(&mut self, what: &str, is_it: impl Fn(&Value) -> bool) {
        let deadline = Instant::now() + PATIENCE;
        let mut seen = 0;
        while !self.events[seen..].iter().any(&is_it) {
            seen = self.events.len();
            let message = self.next(deadline, what);
            self.events.push(message);
        }
    }
}

/// A page in its own tab.
pub(crate) struct Page<'a> {
    browser: &'a Browser,
    session: String,
}

impl Page<'_> {
    #[track_caller]
    fn command(&self, method: &str, params: &Value) -> Value {
        self.browser.command(Some(&self.session), method, params)
    }

    /// Loads another address, and waits until it is loaded.
    #[track_caller]
    pub(crate) fn go(&self, url: &str) {
        let navigated = self.command("Page.navigate", &json!({"url": url}));
        assert_eq!(navigated.get("errorText"), None, "{url}");
        let of_it = |event: &Value| event["params"]["loaderId"] == navigated["loaderId"];
        let loaded = |event: &Value| event["method"] == "Page.lifecycleEvent" && event["params"]["name"] == "load";
        self.browser.wire.borrow_mut().wait(url, |event| loaded(event) && of_it(event));
    }

    pub(crate) fn resize(&self, width: u32, height: u32) {
        let metrics = json!({"width": width, "height": height, "deviceScaleFactor": 1, "mobile": false});
        self.command("Emulation.setDeviceMetricsOverride", &metrics);
    }

    /// The value of an expression, or of the promise that it is.
    #[track_caller]
    pub(crate) fn eval(&self, expression: &str) -> Value {
        let params =
            json!({"expression": expression, "awaitPromise": true, "returnByValue": true, "userGesture": true});
        let found = self.command("Runtime.evaluate", &params);
        if let Some(thrown) = found.get("exceptionDetails") {
            let text = thrown["exception"]["description"].as_str().or(thrown["text"].as_str());
            panic!("{expression}: {}", text.unwrap_or_default());
        }
        found["result"]["value"].clone()
    }

    /// Waits until an expression holds, frame by frame, in the page itself.
    #[track_caller]
    pub(crate) fn wait_for(&self, condition: &str) {
        let limit = PATIENCE.as_millis() / 2;
        let held = self.eval(&format!(
            "new Promise(done => {{ const end = performance.now() + {limit}; const look = () => ({condition}) \
             ? done(true) : performance.now() > end ? done(false) : requestAnimationFrame(look); look(); }})"
        ));
        assert_eq!(held, true, "waited {limit} ms for {condition}");
    }

    /// What the console shows of errors and warnings, those of the content security policy included.
    pub(crate) fn console(&self) -> Vec<String> {
        // What the page has done by now is told before the answer.
        self.eval("new Promise(done => requestAnimationFrame(() => setTimeout(done)))");
        let text = |event: &Value| {
            let params = &event["params"];
            let (level, text) = match event["method"].as_str()? {
                "Runtime.consoleAPICalled" => (params["type"].as_str()?, arguments(&params["args"])),
                "Log.entryAdded" => (params["entry"]["level"].as_str()?, params["entry"]["text"].as_str()?.to_owned()),
                "Runtime.exceptionThrown" => {
                    let thrown = &params["exceptionDetails"];
                    let said = thrown["exception"]["description"].as_str().or(thrown["text"].as_str())?;
                    ("error", said.to_owned())
                }
                _ => return None,
            };
            matches!(level, "error" | "warning" | "assert").then(|| format!("{level}: {text}"))
        };
        self.events(text)
    }

    /// Every address that the page asked for, its own first.
    pub(crate) fn requests(&self) -> Vec<String> {
        let url = |event: &Value| {
            let asked = event["method"] == "Network.requestWillBeSent";
            asked.then(|| event["params"]["request"]["url"].as_str().unwrap_or_default().to_owned())
        };
        self.events(url)
    }

    fn events(&self, of: impl Fn(&Value) -> Option<String>) -> Vec<String> {
        let wire = self.browser.wire.borrow();
        wire.events.iter().filter(|event| event["sessionId"] == self.session.as_str()).filter_map(of).collect()
    }

    /// Presses and lets go of a key, named as in `KeyboardEvent.key`.
    pub(crate) fn press(&self, key: &str) {
        let code = match key {
            "Tab" => 9,
            "Enter" => 13,
            "Escape" => 27,
            " " => 32,
            "End" => 35,
            "Home" => 36,
            "ArrowLeft" => 37,
            "ArrowUp" => 38,
            "ArrowRight" => 39,
            "ArrowDown" => 40,
            other => other.chars().next().map_or(0, |first| u32::from(first.to_ascii_uppercase())),
        };
        let mut event = json!({"type": "keyDown", "key": key, "windowsVirtualKeyCode": code});
        if key.chars().count() == 1 || key == "Enter" {
            event["text"] = if key == "Enter" { "\r" } else { key }.into();
        }
        self.command("Input.dispatchKeyEvent", &event);
        let up = json!({"type": "keyUp", "key": key, "windowsVirtualKeyCode": code});
        self.command("Input.dispatchKeyEvent", &up);
    }

    /// Clicks in the middle of the first element that a selector names.
    #[track_caller]
    pub(crate) fn click(&self, selector: &str) {
        let middle = self.eval(&format!(
            "(() => {{ const found = document.querySelector({}); if (!found) return null; \
             found.scrollIntoView({{block: 'center', behavior: 'instant'}}); const box = found.getBoundingClientRect(); \
             return [box.x + box.width / 2, box.y + box.height / 2]; }})()",
            json!(selector)
        ));
        assert!(middle.is_array(), "no element {selector}");
        for kind in ["mousePressed", "mouseReleased"] {
            let event = json!({"type": kind, "x": middle[0], "y": middle[1], "button": "left", "clickCount": 1});
            self.command("Input.dispatchMouseEvent", &event);
        }
    }

    /// The window as a PNG.
    pub(crate) fn screenshot(&self, path: &Path) {
        let shot = self.command("Page.captureScreenshot", &json!({"format": "png"}));
        std::fs::write(path, base64(shot["data"].as_str().unwrap())).unwrap();
    }

    /// The page as it prints.
    pub(crate) fn pdf(&self) -> Vec<u8> {
        let printed = self.command("Page.printToPDF", &json!({"printBackground": true}));
        base64(printed["data"].as_str().unwrap())
    }
}

/// What a console call was given, as one text.
fn arguments(arguments: &Value) -> String {
    let one = |argument: &Value| match &argument["value"] {
        Value::Null => argument["description"].as_str().unwrap_or_default().to_owned(),
        Value::String(text) => text.clone(),
        value => value.to_string(),
    };
    arguments.as_array().into_iter().flatten().map(one).collect::<Vec<_>>().join(" ")
}

/// The bytes that a text in base 64 stands for.
fn base64(text: &str) -> Vec<u8> {
    const DIGITS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut bytes = Vec::with_capacity(text.len() / 4 * 3);
    let (mut held, mut bits) = (0_u32, 0);
    for digit in text.bytes().filter_map(|byte| DIGITS.iter().position(|digit| *digit == byte)) {
        held = (held << 6) | digit as u32;
        bits += 6;
        if bits >= 8 {
            bits -= 8;
            bytes.push((held >> bits) as u8);
            held &= (1 << bits) - 1;
        }
    }
    bytes
}
