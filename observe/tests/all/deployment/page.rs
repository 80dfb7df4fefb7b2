//! The page of the local replica: what happens on the network appears there, and is led from there.

use std::thread;

use browser::Browser;

use super::terminal::Terminal;

const SENTENCE: &str = "document.querySelector('#sentence')?.textContent";

const HINT: &str = "document.querySelector('#hint')?.textContent";

/// The first message that waits.
const WAITING: &str = "document.querySelector('.deliver')?.textContent";

#[test]
fn calls_made_with_icp_appear_by_themselves_and_can_be_delivered_and_tried_from_there() {
    let terminal = Terminal::open("");
    terminal.icp(&["network", "start", "--background"]);
    terminal.icp(&["deploy"]);
    let status = terminal.icp(&["network", "status"]);
    let url = status
        .lines()
        .find_map(|line| line.strip_prefix("Api Url: "));
    let url = url.unwrap_or_else(|| panic!("no address in: {status}"));
    let Some(browser) = Browser::open() else {
        return;
    };
    browser.screen(1280, 860, "light");
    let [canister1, canister2] = ["canister1", "canister2"].map(|name| terminal.id(name));
    let names = format!("#name=canister1:{canister1}&name=canister2:{canister2}");
    browser.visit(&format!("{url}local-replica/{names}"));
    browser.wait_for(HINT, "Make a call with icp or dfx, and it appears here.");

    let call = ["canister", "call", "canister1", "increment_both", "()"];
    terminal.icp(&call);
    browser.wait_for(
        SENTENCE,
        "canister1 goes on after the await in increment_both",
    );

    // Held, a message waits until it is delivered here.
    browser.click("#hold");
    browser.wait_for(HINT, "Messages are held");
    let call = ["canister", "call", "canister1", "increment_both", "()"];
    thread::scope(|scope| {
        let answer = scope.spawn(|| terminal.icp(&call));
        browser.wait_for(WAITING, "increment_both");
        browser.click(".deliver:enabled");
        browser.wait_for(WAITING, "call by canister1");
        let counters = ["(2 : nat)", "(1 : nat)"];
        assert_eq!(terminal.counters(), counters);

        // What is tried from here leaves the network as it is.
        browser.click("#try");
        browser.wait_for(SENTENCE, "Nothing has happened yet.");
        browser.wait_for(WAITING, "call by canister1");
        browser.click(".deliver:enabled");
        browser.wait_for(SENTENCE, "canister2 runs increment and replies");
        browser.click(".more");
        browser.click("[data-way=trap]");
        browser.wait_for(SENTENCE, "and nothing from before the await");
        assert_eq!(terminal.counters(), counters);

        browser.click("#live");
        browser.click("#hold");
        assert!(
            answer
                .join()
                .unwrap()
                .contains("Failed to complete the operation.")
        );
    });
    assert_eq!(terminal.counters(), ["(2 : nat)", "(2 : nat)"]);
    assert_eq!(browser.complaints(), [""; 0]);
}
