//! What somebody sees who comes for the first time.

use crate::site::{deliver, deliver_by, texts, visit};

const CODE: &str = "document.querySelector('#code')?.textContent";

/// The lines that are marked.
const RAN: &str =
    "[...document.querySelectorAll('#code .ran')].map((line) => line.textContent).join('')";

#[test]
fn five_clicks_show_what_an_await_commits() {
    let Some((_site, browser)) = visit("first", "") else {
        return;
    };
    let sentence = crate::site::SENTENCE;
    browser.wait_for(sentence, "The user calls canister1.increment_both.");
    browser.wait_for(
        "document.querySelector('#hint')?.textContent",
        "Click the message at the foot of its lane to deliver it.",
    );
    browser.wait_for(CODE, "async fn increment_both()");

    deliver(&browser, "That is a commit point");
    assert_eq!(
        texts(&browser, "#stage .chip"),
        "get: 0\nget: 0\nget: 0 → 1"
    );
    browser.wait_for(RAN, ".await");
    assert!(!texts(&browser, "#code .ran").contains("Err("));

    deliver(&browser, "canister2 get answers 1 now (0 before)");
    browser.wait_for(RAN, "fn increment()");

    deliver(
        &browser,
        "An Err is a reply like any other: it undoes nothing.",
    );
    assert!(texts(&browser, "#stage .answer").contains("Failed to complete the operation."));
    browser.wait_for(RAN, "Err(");
    assert!(!texts(&browser, "#code .ran").contains(".await"));

    browser.click("#hint button");
    browser.wait_for(
        sentence,
        "That undoes all of this message, and nothing from before the await.",
    );
    assert_eq!(
        texts(&browser, "#stage .undone .struck"),
        "increment_both\nreplies "
    );
    assert_eq!(
        texts(&browser, "#stage .chip"),
        "get: 0\nget: 0\nget: 0 → 1\nget: 0 → 1",
        "what was committed stays"
    );
    browser.wait_for(CODE, "The marked lines ran, and were undone.");
    assert!(texts(&browser, "#code .struck").contains("Err("));
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn going_back_keeps_what_came_after_until_another_way_is_taken() {
    let Some((_site, browser)) = visit("back", "") else {
        return;
    };
    browser.wait_for(crate::site::SENTENCE, "The user calls");
    let place = "document.querySelector('#where')?.textContent";
    deliver(&browser, "up to its await");
    deliver(&browser, "runs increment and replies");
    browser.click("#back");
    browser.wait_for(place, "step 2 of 3");
    browser.click("#back");
    browser.wait_for(place, "step 1 of 3");
    browser.click("#forward");
    browser.click("#forward");
    browser.wait_for(place, "step 3 of 3");
    browser.click("#back");
    browser.wait_for(place, "step 2 of 3");

    deliver_by(
        &browser,
        "reject",
        "The system answers in place of canister2",
    );
    browser.wait_for(place, "step 3 of 3");
    assert_eq!(
        texts(&browser, "#stage .chip"),
        "get: 0\nget: 0\nget: 0 → 1"
    );
    // Nothing is lost: the browser goes back to what stood there before.
    browser.evaluate("history.back()");
    browser.wait_for(place, "step 2 of 3");
    browser.click("#forward");
    browser.wait_for(crate::site::SENTENCE, "runs increment and replies");
}

#[test]
fn the_reader_is_asked_first_and_told_whether_it_was_right() {
    let Some((_site, browser)) = visit("ask", "") else {
        return;
    };
    browser.wait_for(crate::site::SENTENCE, "The user calls");
    browser.click("#ask-panel summary");
    browser.click("#ask-first");
    browser.click(".deliver:enabled");
    browser.wait_for(
        "document.querySelector('#question')?.textContent",
        "What will be answered",
    );
    // The first answer is selected: what is typed takes its place.
    browser.press("1");
    browser.press(&browser::ENTER.to_string());
    browser.wait_for("document.querySelector('#judged')?.textContent", "Right.");
    browser.click(".deliver:enabled");
    browser.press(&browser::ENTER.to_string());
    browser.wait_for(
        "document.querySelector('#judged')?.textContent",
        "Not quite: canister2 get answers 1.",
    );
    browser.wait_for(
        "document.querySelector('#ask')?.textContent",
        "3 of 4 as predicted.",
    );
}

#[test]
fn a_call_is_made_with_the_argument_that_stands_there_and_bad_candid_loses_nothing() {
    let Some((_site, browser)) = visit("call", "") else {
        return;
    };
    browser.wait_for(
        "document.querySelector('#call .types')?.textContent",
        "Err : text",
    );
    let set = |id: &str, value: &str| {
        browser.evaluate(&format!(
            "document.getElementById('{id}').value = '{value}'"
        ));
    };
    set("call-argument", "(x)");
    set("call-user", "2");
    browser.click("#call .primary");
    browser.wait_for(crate::site::FAULT, "canister1 increment_both takes ()");
    let argument = browser.evaluate("document.getElementById('call-argument').value");
    assert_eq!(argument, "(x)");
    browser.wait_for(
        "document.querySelector('#where')?.textContent",
        "step 1 of 1",
    );

    set("call-argument", "()");
    browser.click("#call .primary");
    browser.wait_for(
        crate::site::SENTENCE,
        "User 2 calls canister1.increment_both",
    );
    assert_eq!(
        texts(&browser, "#stage .heads div"),
        "the user\nuser 2\ncanister1\ncanister2"
    );
    assert_eq!(
        browser.evaluate("document.querySelector('#fault').hidden"),
        true
    );
}
