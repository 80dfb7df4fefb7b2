//! By keyboard alone, as a list, on a small screen, in the dark; quickly, and without any other host.

use std::fs;

use browser::{ENTER, TAB};
use serde_json::Value;

use crate::site::{SENTENCE, deliver, target, texts, visit};

/// What has the focus.
const FOCUS: &str =
    "(document.activeElement?.getAttribute('aria-label') || document.activeElement?.textContent)";

#[test]
fn everything_is_done_by_keyboard_alone_and_the_focus_goes_on_with_the_story() {
    let Some((_site, browser)) = visit("keyboard", "") else {
        return;
    };
    browser.wait_for(SENTENCE, "The user calls");
    let tab = TAB.to_string();
    let reach = |label: &str| {
        for _ in 0..60 {
            browser.press(&tab);
            if browser
                .evaluate(FOCUS)
                .as_str()
                .is_some_and(|text| text.starts_with(label))
            {
                return;
            }
        }
        panic!("the focus does not come to {label}");
    };
    let enter = ENTER.to_string();
    reach("Deliver increment_both");
    browser.press(&enter);
    browser.wait_for(SENTENCE, "up to its await");
    browser.wait_for(FOCUS, "Deliver increment, call by canister1");
    browser.press(&enter);
    browser.wait_for(FOCUS, "Deliver answer of canister2.increment");
    // The menu with the other ways stands after it.
    browser.press(&tab);
    browser.wait_for(FOCUS, "Other ways to deliver");
    browser.press(&enter);
    browser.press(&tab);
    browser.wait_for(FOCUS, "Let it trap at its end");
    let outline = "getComputedStyle(document.activeElement).outlineStyle";
    assert_eq!(browser.evaluate(outline), "solid", "the focus is seen");
    browser.press(&enter);
    browser.wait_for(SENTENCE, "and traps");
    browser.wait_for(FOCUS, "Back");
    browser.press(&enter);
    browser.wait_for(
        "document.querySelector('#where').textContent",
        "step 3 of 4",
    );
    reach("Make the call");
    browser.press(&enter);
    browser.wait_for(SENTENCE, "The user calls canister1.increment_both");
}

#[test]
fn a_screen_reader_hears_the_same_story_as_a_list() {
    let Some((_site, browser)) = visit("list", "") else {
        return;
    };
    browser.wait_for(SENTENCE, "The user calls");
    deliver(&browser, "up to its await");
    let said = texts(&browser, "#stage .told li span");
    assert_eq!(said.lines().count(), 2, "{said}");
    assert!(said.contains("canister1 runs increment_both up to its await"));
    let hidden = "document.querySelector('#stage svg').getAttribute('aria-hidden')";
    assert_eq!(browser.evaluate(hidden), "true", "nothing is heard twice");
    let live = "document.querySelector('#sentence').getAttribute('role')";
    assert_eq!(browser.evaluate(live), "status");
    let nameless = "[...document.querySelectorAll('button, input, select, textarea')].filter((one) => \
                    !(one.getAttribute('aria-label') || one.textContent.trim() || one.labels?.length))\
                    .map((one) => one.outerHTML).join()";
    assert_eq!(browser.evaluate(nameless), "");

    browser.click("#as-list");
    browser.click("#stage .told li:first-child button");
    browser.wait_for(
        "document.querySelector('#where').textContent",
        "step 1 of 2",
    );
}

#[test]
fn two_thousand_events_draw_only_what_is_in_view() {
    let Some((_site, browser)) = visit("many", "") else {
        return;
    };
    browser.wait_for(SENTENCE, "The user calls");
    deliver(&browser, "up to its await");
    deliver(&browser, "runs increment and replies");
    // The replica need not be asked for them: what it told is told again and again.
    browser.evaluate(
        "(async () => {
           const [{ Picture }, { layOut }] = await Promise.all([import('./picture.js'), import('./layout.js')]);
           const ids = { canister1: 'a', canister2: 'b' };
           const event = (number) => ({ number, canister: number % 2 ? 'b' : 'a', caller: 'a', call_context: number,
             step: { method: { kind: 'update', name: 'run' } }, ending: 'committed', calls: [], response: null,
             message: `request a ${number}`, sent: [`request a ${number + 1}`], answered: [] });
           const step = (number) => ({ step: '', message: null, refused: null, events: [event(number)], answers: [],
             looks: [`(${number} : nat)`] });
           const steps = Array.from({ length: 2000 }, (_, number) => step(number));
           document.body.innerHTML = '<div class=stage style></div>';
           const root = document.querySelector('.stage');
           root.style.height = '600px';
           const told = { looks: ['(0 : nat)'], steps, waiting: [] };
           new Picture(root).show(layOut(told, ['canister1 get ()'], ids, 800));
           window.drawn = () => `${root.querySelectorAll('svg *').length < 1500}: ${root.querySelector('svg').textContent}`;
         })()",
    );
    browser.wait_for("window.drawn?.()", "get: 2 → 3");
    for (place, seen) in [
        (0.5, "get: 1000 → 1001"),
        (1.0, "get: 1998 → 1999"),
        (0.0, "get: 2 → 3"),
    ] {
        let scroll = format!(
            "(() => {{ const one = document.querySelector('.stage'); one.scrollTop = one.scrollHeight * {place}; }})()"
        );
        browser.evaluate(&scroll);
        browser.wait_for("window.drawn?.()", seen);
        browser.wait_for("window.drawn?.()", "true: ");
    }
}

#[test]
fn a_story_of_two_thousand_steps_is_told() {
    let steps: Vec<String> = (1..=1000)
        .map(|call| format!("&step=call+canister2+increment+()&step=deliver+call+{call}"))
        .collect();
    let story = format!("#scene=pair{}", steps.concat());
    let Some((_site, browser)) = visit("long", &story) else {
        return;
    };
    let place = "document.querySelector('#where')?.textContent";
    browser.wait_for(place, "step 2000 of 2000");
    browser.wait_for(SENTENCE, "canister2 get answers 1_000 now (999 before).");
    browser.click("#back");
    browser.wait_for(place, "step 1999 of 2000");
}

#[test]
fn it_asks_no_other_host_and_is_there_within_what_the_page_may_weigh() {
    let Some((site, browser)) = visit("hosts", "") else {
        return;
    };
    browser.wait_for(SENTENCE, "The user calls");
    let hosts = "[...new Set(performance.getEntriesByType('resource').map(({ name }) => new URL(name).origin))].join()";
    assert_eq!(browser.evaluate(hosts), site.address.trim_end_matches('/'));
    let folder = target().join("page-tests/hosts");
    let replica = fs::metadata(folder.join("replica.wasm.gz")).unwrap().len();
    assert!(replica <= 1024 * 1024, "{replica} bytes");
    let loaded = "performance.getEntriesByType('resource').map(({ name }) => name).join()";
    let Value::String(loaded) = browser.evaluate(loaded) else {
        panic!("nothing was loaded");
    };
    assert!(
        !loaded.contains("interleaving"),
        "lessons are loaded when asked for: {loaded}"
    );
    assert_eq!(browser.complaints(), [""; 0]);
}

#[test]
fn it_fits_both_themes_and_the_width_of_a_phone() {
    let Some((_site, browser)) = visit("screens", "") else {
        return;
    };
    browser.wait_for(SENTENCE, "The user calls");
    deliver(&browser, "up to its await");
    deliver(&browser, "runs increment and replies");
    crate::site::deliver_by(&browser, "trap", "and traps");
    let shots = target().join("page-tests/shots");
    fs::create_dir_all(&shots).unwrap();
    for (name, width, height, theme) in [
        ("light", 1280, 800, "light"),
        ("dark", 1280, 800, "dark"),
        ("phone", 390, 844, "light"),
        ("phone-dark", 390, 844, "dark"),
    ] {
        browser.screen(width, height, theme);
        browser.wait_for(
            "`${document.querySelector('#stage svg').getBoundingClientRect().width <= innerWidth}`",
            "true",
        );
        let needed = browser.evaluate("document.documentElement.scrollWidth");
        assert_eq!(needed, width, "{name}");
        browser.evaluate("window.scrollTo(0, 0)");
        browser.shoot(&shots.join(format!("{name}.png")));
    }
}
