//! A story in the address, and as a file.

use browser::Browser;
use serde_json::Value;

use crate::site::{FAULT, SENTENCE, texts, visit};

const STORY: &str = "#scene=pair&step=call+canister1+increment_both+()&step=deliver+call+1\
                     &step=deliver+request+canister1+2&step=trap+response+canister1+2";

#[test]
fn a_link_opened_elsewhere_gives_the_same_picture() {
    let Some((site, browser)) = visit("link", STORY) else {
        return;
    };
    browser.wait_for(SENTENCE, "and nothing from before the await");
    let picture = texts(&browser, "#stage svg");
    let address = browser.evaluate("location.hash");
    assert_eq!(address, STORY);

    let other = Browser::open().unwrap();
    other.screen(1280, 860, "light");
    other.visit(&format!("{}{}", site.address, address.as_str().unwrap()));
    other.wait_for(SENTENCE, "and nothing from before the await");
    assert_eq!(texts(&other, "#stage svg"), picture);
}

#[test]
fn a_link_that_is_wrong_gets_a_clear_line_and_what_can_be_told_is() {
    let Some((site, browser)) = visit("wrong", "#scene=nowhere") else {
        return;
    };
    browser.wait_for(FAULT, "There is no scene 'nowhere'");
    let open = |story: &str, fault: &str| {
        browser.visit("about:blank");
        browser.visit(&format!("{}{story}", site.address));
        browser.wait_for(FAULT, fault);
    };
    open("#scene=pair&step=%E0%A4%A", "can't be read");
    open(
        "#scene=pair&step=call+canister1+increment_both+()&step=deliver+call+7&step=wait",
        "Step 2 can't be taken.",
    );
    browser.wait_for(
        "document.querySelector('#where')?.textContent",
        "step 1 of 3",
    );
    open("#scene=pair&look=canister1+nothing+()", "nothing");
    open("#scene=pair&step=dance", "'dance'");
}

#[test]
fn a_story_is_saved_as_svg_as_mermaid_and_as_a_trace() {
    let Some((_site, browser)) = visit("save", STORY) else {
        return;
    };
    browser.wait_for(SENTENCE, "and nothing from before the await");
    browser.click("#save-panel summary");
    // What the page gives the browser to save.
    browser.evaluate(
        "(() => { const url = URL.createObjectURL;
           URL.createObjectURL = (blob) => { blob.text().then((text) => (window.saved = text)); return url.call(URL, blob); };
         })()",
    );
    let saved = |button: u32, words: &str| {
        browser.evaluate("window.saved = undefined");
        browser.click(&format!("#save button:nth-of-type({button})"));
        browser.wait_for("window.saved", words);
        let Value::String(text) = browser.evaluate("window.saved") else {
            panic!("nothing was saved");
        };
        text
    };
    let svg = saved(2, "</svg>");
    for part in [
        "<style",
        "prefers-color-scheme",
        "commit point",
        "canister2",
    ] {
        assert!(svg.contains(part), "{part}");
    }
    assert_eq!(browser.complaints(), [""; 0]);
    let valid = "new DOMParser().parseFromString(window.saved, 'image/svg+xml').querySelector('parsererror')";
    assert_eq!(browser.evaluate(valid), Value::Null);
    assert!(saved(3, "sequenceDiagram").contains("TRAPS"));
    let trace: Value = serde_json::from_str(&saved(4, "traceEvents")).unwrap();
    assert!(trace["traceEvents"].as_array().unwrap().len() > 10);
}
