//! A canister can say anything: on the page it is text, never markup.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use browser::Browser;
use serde_json::{Value, json};

use crate::site::{SENTENCE, deliver, target, texts};

/// What would run, were it markup.
const MARKUP: &str = "</text></svg><img src=x onerror=hacked=1><script>hacked=1</script>";

/// The name of a method.
const NAME: &str = "<b>say</b>";

/// A method whose name is markup, which another calls; a trap and an answer with markup, and a query that
/// answers with it.
fn hostile() -> Vec<u8> {
    let reply = format!("DIDL\\00\\01\\71\\{:02x}{MARKUP}", MARKUP.len());
    let (length, size) = (MARKUP.len(), 8 + MARKUP.len());
    let text = format!(
        r#"(module
            (import "ic0" "trap" (func $trap (param i32 i32)))
            (import "ic0" "msg_reply" (func $reply))
            (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
            (import "ic0" "canister_self_size" (func $size (result i32)))
            (import "ic0" "canister_self_copy" (func $self (param i32 i32 i32)))
            (import "ic0" "call_new" (func $new (param i32 i32 i32 i32 i32 i32 i32 i32)))
            (import "ic0" "call_perform" (func $perform (result i32)))
            (memory 1)
            (table funcref (elem $then))
            (data (i32.const 0) "{reply}")
            (data (i32.const 1000) "{NAME}")
            (func $say (call $append (i32.const 0) (i32.const {size})) (call $reply))
            (func $then (param i32) (call $say))
            (func $ask
                (call $self (i32.const 2000) (i32.const 0) (call $size))
                (call $new (i32.const 2000) (call $size) (i32.const 1000) (i32.const {name})
                    (i32.const 0) (i32.const 0) (i32.const 0) (i32.const 0))
                (drop (call $perform)))
            (func $die (call $trap (i32.const 8) (i32.const {length})))
            (export "canister_update {NAME}" (func $say))
            (export "canister_update ask" (func $ask))
            (export "canister_update die" (func $die))
            (export "canister_query look" (func $say)))"#,
        name = NAME.len(),
    );
    wat::parse_str(text).unwrap()
}

/// The page in a folder of this name, with a scene of our own.
fn folder(name: &str) -> PathBuf {
    let folder = target().join("page-tests").join(name);
    let built = Command::new(env!("CARGO_BIN_EXE_page"))
        .args(["--build", "--target"])
        .args([&target(), &folder])
        .status();
    assert!(built.unwrap().success());
    fs::write(folder.join("hostile.wasm"), hostile()).unwrap();
    let call = |method: &str| format!("call hostile {method} ()");
    let scene = json!([{
        "name": "hostile",
        "title": MARKUP,
        "canisters": [{ "name": "hostile", "wasm": "hostile.wasm", "source": [] }],
        "looks": ["hostile look ()"],
        "stories": [{ "title": MARKUP, "steps": [call("ask"), call("die")], "properties": [] }],
    }]);
    fs::write(folder.join("scenes.json"), scene.to_string()).unwrap();
    folder
}

/// Serves a folder as any web server does.
fn serve(folder: PathBuf) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = format!("http://{}/", listener.local_addr().unwrap());
    thread::spawn(move || {
        for stream in listener.incoming() {
            let folder = folder.clone();
            thread::spawn(move || answer(stream.unwrap(), &folder));
        }
    });
    address
}

fn answer(mut stream: TcpStream, folder: &Path) {
    let mut lines = BufReader::new(stream.try_clone().unwrap()).lines();
    let first = lines.next().and_then(Result::ok).unwrap_or_default();
    // The rest of the request says nothing that matters here.
    let _read = lines.find(|line| line.as_ref().map_or(true, String::is_empty));
    let path = first
        .split(' ')
        .nth(1)
        .unwrap_or("/")
        .trim_start_matches('/');
    let path = if path.is_empty() { "index.html" } else { path };
    let kind = match path.rsplit('.').next() {
        Some("html") => "text/html",
        Some("js") => "text/javascript",
        Some("css") => "text/css",
        _ => "application/octet-stream",
    };
    let (status, body) = match fs::read(folder.join(path)) {
        Ok(body) => ("200 OK", body),
        Err(_) => ("404 Not Found", Vec::new()),
    };
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: {kind}\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n"
    );
    // The browser may have gone away.
    let _sent = stream
        .write_all(head.as_bytes())
        .and_then(|()| stream.write_all(&body));
}

#[test]
fn whatever_a_canister_says_is_text() {
    let Some(browser) = Browser::open() else {
        return;
    };
    browser.screen(1280, 860, "light");
    browser.visit(&serve(folder("hostile")));
    browser.wait_for(SENTENCE, "The user calls hostile.die");
    deliver(&browser, "which calls hostile.<b>say</b>");
    assert!(texts(&browser, ".deliver strong").contains(NAME));
    deliver(&browser, "traps");
    assert!(texts(&browser, "#stage .undone .why").contains("</text></svg><img"));
    deliver(&browser, "hostile runs <b>say</b> and replies");
    deliver(&browser, MARKUP);
    assert!(texts(&browser, "#stage .chip").contains("</text>"));
    for panel in ["#explore-panel", "#watch-panel", "#compare-panel"] {
        browser.click(&format!("{panel} summary"));
    }
    browser.click("#explore .primary");
    browser.wait_for(
        "document.querySelector('.found')?.textContent",
        "<img src=x",
    );
    browser.click("#compare button");
    browser.wait_for(
        "document.querySelector('#other .told')?.textContent",
        "<b>say</b>",
    );
    let markup = "[...document.querySelectorAll('img, b, script')].filter((one) => one.src !== \
                  new URL('main.js', location.href).href).length";
    assert_eq!(browser.evaluate(markup), 0);
    assert_eq!(browser.evaluate("window.hacked"), Value::Null);
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn a_script_in_the_page_and_a_request_elsewhere_are_refused_by_the_page_itself() {
    let Some(browser) = Browser::open() else {
        return;
    };
    browser.visit(&serve(folder("policy")));
    browser.wait_for(SENTENCE, "The user calls hostile.die");
    browser.evaluate(
        "(() => { const script = document.createElement('script'); script.textContent = 'hacked = 1';
           document.body.append(script); fetch('http://127.0.0.1:9/').catch(() => {}); })()",
    );
    assert_eq!(browser.evaluate("window.hacked"), Value::Null);
    let complaints = browser.complaints().join("\n");
    for refused in [
        "Executing inline script",
        "Connecting to 'http://127.0.0.1:9/'",
    ] {
        assert!(complaints.contains(refused), "{complaints}");
    }
}
