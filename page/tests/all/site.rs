//! The page, served by its program, and what the tests do on it.

use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use browser::Browser;
use serde_json::Value;

/// The page in a folder of its own, served until it is dropped.
pub struct Site {
    program: Child,
    /// Where it is.
    pub address: String,
}

impl Site {
    /// Builds and serves it. `name` is that of the folder.
    pub fn open(name: &str) -> Self {
        let mut program = Command::new(env!("CARGO_BIN_EXE_page"))
            .args(["--port", "0", "--target"])
            .arg(target())
            .arg(target().join("page-tests").join(name))
            .stdout(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut lines = BufReader::new(program.stdout.take().unwrap()).lines();
        let address = lines.find_map(|line| Some(line.ok()?.strip_prefix("Open ")?.to_owned()));
        let address = address.expect("the program says where the page is; see above why not");
        Site { program, address }
    }
}

impl Drop for Site {
    fn drop(&mut self) {
        let _ended = self.program.kill();
        let _ended = self.program.wait();
    }
}

/// Cargo's folder, with all that was built.
pub fn target() -> PathBuf {
    let program = Path::new(env!("CARGO_BIN_EXE_page"));
    program.ancestors().nth(2).unwrap().to_owned()
}

/// A site and a browser, with the page at what follows the address; nothing where there is no browser.
pub fn visit(name: &str, story: &str) -> Option<(Site, Browser)> {
    let browser = Browser::open()?;
    let site = Site::open(name);
    browser.screen(1280, 860, "light");
    browser.visit(&format!("{}{story}", site.address));
    Some((site, browser))
}

/// A sentence that the page says of the last step.
pub const SENTENCE: &str = "document.querySelector('#sentence')?.textContent";

/// What is wrong, as the page says it.
pub const FAULT: &str = "document.querySelector('#fault')?.textContent";

/// Delivers the first message that waits, and waits for what the page says then.
#[track_caller]
pub fn deliver(browser: &Browser, words: &str) {
    browser.click(".deliver:enabled");
    browser.wait_for(SENTENCE, words);
}

/// Delivers the first message that waits in another way.
#[track_caller]
pub fn deliver_by(browser: &Browser, way: &str, words: &str) {
    browser.click(".more");
    browser.click(&format!("[data-way={way}]"));
    browser.wait_for(SENTENCE, words);
}

/// The texts of all elements, one a line.
pub fn texts(browser: &Browser, selector: &str) -> String {
    let all = format!("[...document.querySelectorAll('{selector}')].map((one) => one.textContent)");
    match browser.evaluate(&format!("{all}.join('\\n')")) {
        Value::String(text) => text,
        other => panic!("{selector}: {other}"),
    }
}
