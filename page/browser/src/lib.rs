//! A real browser: Chromium without a window, which is told what to do through its driver. Of the
//! driver's interface (W3C WebDriver) it has what the tests of pages need.

use std::env;
use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use reqwest::{Client, Method};
use serde_json::{Value, json};
use tokio::runtime::Runtime;

/// How long something may take to appear on a page, in milliseconds.
const PATIENCE: u32 = 60_000;

/// The key that goes on to the next field.
pub const TAB: char = '\u{e004}';
/// The key that does what has the focus.
pub const ENTER: char = '\u{e007}';

/// A browser with one page, closed when it is dropped.
pub struct Browser {
    runtime: Runtime,
    http: Client,
    driver: Child,
    /// Where the driver takes requests for this browser.
    session: String,
}

impl Browser {
    /// A browser, where there is one. In CI there must be: nothing is skipped there.
    ///
    /// # Panics
    ///
    /// If it can't be opened; in CI also if there is none.
    #[must_use]
    pub fn open() -> Option<Self> {
        let Some(driver) = driver() else {
            let what = "no chromedriver on PATH, so no page was opened in a browser; on Debian: \
                        apt-get install chromium chromium-driver";
            assert!(env::var_os("CI").is_none(), "{what}");
            // What goes through eprintln is shown only when a test fails.
            let _unread = writeln!(std::io::stderr(), "warning: {what}");
            return None;
        };
        let mut driver = Command::new(driver)
            .arg("--port=0")
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("chromedriver starts");
        let port = port(&mut driver);
        let mut browser = Browser {
            runtime: Runtime::new().unwrap(),
            http: Client::new(),
            driver,
            session: format!("http://127.0.0.1:{port}/session"),
        };
        // In a container there is often no sandbox, and little shared memory.
        let arguments = ["--headless=new", "--no-sandbox", "--disable-dev-shm-usage"];
        let options = json!({ "args": arguments });
        let wanted = json!({
            "goog:chromeOptions": options,
            "goog:loggingPrefs": { "browser": "ALL" },
            "timeouts": { "script": PATIENCE },
        });
        let wanted = json!({ "capabilities": { "alwaysMatch": wanted } });
        let session = browser.ask(Method::POST, "", wanted);
        let id = session["sessionId"].as_str().unwrap_or_else(|| {
            panic!("chromedriver opens no browser: {session}");
        });
        browser.session = format!("{}/{id}", browser.session);
        Some(browser)
    }

    /// Opens the page at a link.
    #[track_caller]
    pub fn visit(&self, link: &str) {
        let opened = self.ask(Method::POST, "/url", json!({ "url": link }));
        assert!(opened.is_null(), "{link}: {opened}");
    }

    /// What an expression in JavaScript gives on the page.
    pub fn evaluate(&self, expression: &str) -> Value {
        let script = json!({ "script": format!("return {expression}"), "args": [] });
        self.ask(Method::POST, "/execute/sync", script)
    }

    /// Waits until an expression gives a text with these words.
    #[track_caller]
    pub fn wait_for(&self, expression: &str, words: &str) {
        // The page itself looks again and again, until it calls back.
        let script = format!(
            "const [words, done] = arguments;
             const look = () => {{
               const text = {expression};
               if (text?.includes(words)) done(text); else setTimeout(look, 20);
             }};
             look();"
        );
        let script = json!({ "script": script, "args": [words] });
        let found = self.ask(Method::POST, "/execute/async", script);
        assert!(
            found.is_string(),
            "'{words}' is not in {expression}: {found}\non the page: {}",
            self.evaluate("document.documentElement.outerHTML")
        );
    }

    /// Clicks an element, as a person does: in its middle, and only if nothing is above it.
    #[track_caller]
    pub fn click(&self, selector: &str) {
        let by = json!({ "using": "css selector", "value": selector });
        let found = self.ask(Method::POST, "/element", by);
        let id = found
            .as_object()
            .and_then(|found| found.values().next()?.as_str());
        let id = id.unwrap_or_else(|| panic!("{selector}: {found}"));
        let clicked = self.ask(Method::POST, &format!("/element/{id}/click"), json!({}));
        assert!(clicked.is_null(), "{selector}: {clicked}");
    }

    /// Presses keys, one after the other; special ones are characters like [`TAB`].
    #[track_caller]
    pub fn press(&self, keys: &str) {
        let strokes = keys
            .chars()
            .flat_map(|key| ["keyDown", "keyUp"].map(|kind| json!({ "type": kind, "value": key })));
        let keyboard =
            json!({ "type": "key", "id": "keyboard", "actions": strokes.collect::<Vec<_>>() });
        let pressed = self.ask(Method::POST, "/actions", json!({ "actions": [keyboard] }));
        assert!(pressed.is_null(), "{keys:?}: {pressed}");
    }

    /// Gives the page a screen of this size in pixels, with light or dark colours wanted.
    #[track_caller]
    pub fn screen(&self, width: u32, height: u32, theme: &str) {
        let size = json!({ "width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600 });
        self.command("Emulation.setDeviceMetricsOverride", &size);
        let scheme = json!({ "name": "prefers-color-scheme", "value": theme });
        self.command(
            "Emulation.setEmulatedMedia",
            &json!({ "features": [scheme] }),
        );
    }

    /// Writes what is seen into a file, as PNG.
    #[track_caller]
    pub fn shoot(&self, file: &Path) {
        let shot = self.ask(Method::GET, "/screenshot", Value::Null);
        let image = shot.as_str().map(|text| BASE64_STANDARD.decode(text));
        let image = image.expect("a screenshot").expect("base64");
        fs::write(file, image).expect("the screenshot can be written");
    }

    /// What the browser complained of since this was asked last, such as scripts that failed.
    pub fn complaints(&self) -> Vec<String> {
        let log = self.ask(Method::POST, "/se/log", json!({ "type": "browser" }));
        let lines = log.as_array().into_iter().flatten();
        lines.map(|line| line["message"].to_string()).collect()
    }

    /// A command of Chromium's own.
    #[track_caller]
    fn command(&self, name: &str, parameters: &Value) {
        let command = json!({ "cmd": name, "params": parameters });
        let done = self.ask(Method::POST, "/goog/cdp/execute", command);
        assert!(done["error"].is_null(), "{name}: {done}");
    }

    fn ask(&self, method: Method, path: &str, body: Value) -> Value {
        let url = format!("{}{path}", self.session);
        let request = self.http.request(method, url);
        let request = match body {
            Value::Null => request,
            body => request.body(body.to_string()),
        };
        let text = self.runtime.block_on(async {
            let response = request.send().await.expect("chromedriver answers");
            response.text().await.expect("chromedriver answers")
        });
        let mut answer: Value = serde_json::from_str(&text).unwrap();
        answer["value"].take()
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        // The driver closes its browsers, but not when it is killed.
        let closing = self.http.delete(&self.session);
        let _closed = self.runtime.block_on(closing.send());
        let _ended = self.driver.kill();
        let _ended = self.driver.wait();
    }
}

/// The driver on PATH, or where the machines of GitHub Actions have it.
fn driver() -> Option<PathBuf> {
    let path = env::var_os("PATH").unwrap_or_default();
    let mut folders: Vec<PathBuf> = env::split_paths(&path).collect();
    folders.extend(env::var_os("CHROMEWEBDRIVER").map(PathBuf::from));
    let name = format!("chromedriver{}", env::consts::EXE_SUFFIX);
    let files = folders.into_iter().map(|folder| folder.join(&name));
    files.into_iter().find(|file| file.is_file())
}

/// The port that the driver has chosen: it says so.
fn port(driver: &mut Child) -> u16 {
    let mut lines = BufReader::new(driver.stdout.take().unwrap()).lines();
    let port = lines.find_map(|line| {
        let line = line.unwrap();
        let (_, port) = line.split_once("started successfully on port ")?;
        port.trim_end_matches('.').parse().ok()
    });
    // It has more to say, which nobody reads.
    std::thread::spawn(move || lines.for_each(drop));
    port.expect("chromedriver says its port")
}
