//! Orders: one by hand, two compared, and all of them.

use crate::site::{SENTENCE, deliver, texts, visit};

#[test]
fn two_withdrawals_that_check_before_either_charges_take_more_than_there_is() {
    let Some((_site, browser)) = visit("double", "#scene=interleaving") else {
        return;
    };
    let waiting = "String(document.querySelectorAll('.deliver:enabled').length)";
    browser.wait_for(waiting, "2");
    deliver(&browser, "calls interleaving_callee.pay");
    browser.wait_for(waiting, "2");
    // The second call, before the answer to the first comes.
    browser.click(".deliver[aria-label*=\"call 2\"], .deliver[aria-label*=\"call 3\"]");
    browser.wait_for(
        "document.querySelector('#where')?.textContent",
        "step 6 of 6",
    );
    for step in 7..=10 {
        browser.click(".deliver:enabled");
        let place = format!("step {step} of {step}");
        browser.wait_for("document.querySelector('#where')?.textContent", &place);
    }
    let told = texts(&browser, "#stage .told");
    assert_eq!(
        told.matches("The user gets variant { Ok }.").count(),
        2,
        "{told}"
    );
    browser.wait_for(SENTENCE, "balance (0) answers opt 0 now");

    browser.click("#compare-panel summary");
    browser.click("#compare button");
    browser.wait_for(
        "document.querySelector('#compare')?.textContent",
        "So far both orders are the same.",
    );
    // The other order: the first call goes to its end before the second begins.
    browser.evaluate("document.querySelector('#stage .told li:nth-child(5) button').click()");
    browser.wait_for(
        "document.querySelector('#where')?.textContent",
        "step 5 of 10",
    );
    browser.click(".deliver[aria-label*=\"pay\"]");
    browser.wait_for(SENTENCE, "interleaving_callee runs pay");
    browser.wait_for(
        "document.querySelector('#compare')?.textContent",
        "They differ first in step 6",
    );
    browser.wait_for(
        "document.querySelector('#stage .difference')?.textContent",
        "here the orders differ",
    );
    browser.wait_for(
        "document.querySelector('#other .difference')?.textContent",
        "here the orders differ",
    );
    browser.click(".deliver[aria-label*=\"answer\"]");
    browser.wait_for(SENTENCE, "balance (0) answers opt 20 now");
    let said = "document.querySelector('#compare')?.textContent";
    browser.wait_for(said, "balance (0) answers opt 20 here, and opt 0 there.");
}

#[test]
fn every_order_is_gone_through_and_what_fails_is_walked_through_and_compared() {
    let Some((_site, browser)) = visit("explore", "#scene=interleaving") else {
        return;
    };
    browser.wait_for(
        "document.querySelector('#explore-properties')?.value",
        "interleaving_caller",
    );
    browser.evaluate(
        "document.getElementById('explore-properties').value = \
         'at-end interleaving_caller balance (0) = opt 20'",
    );
    browser.click("#explore-panel summary");
    browser.click("#explore .primary");
    browser.wait_for(
        "document.querySelector('#explore')?.textContent",
        "Not everything holds. There are 14 orders; all were gone through. 2 outcomes.",
    );
    let failure = texts(&browser, ".failure");
    assert!(failure.contains("while call"), "{failure}");
    // The account was opened by call 1.
    browser.wait_for(
        "document.querySelector('#explore')?.textContent",
        "call 2: variant { Ok }; call 3: variant { Ok }",
    );
    browser.click(".failure button");
    let place = "document.querySelector('#where')?.textContent";
    browser.wait_for(place, "step 4 of ");
    // The focus is where the walk goes on.
    browser.press(&browser::ENTER.to_string());
    browser.wait_for(place, "step 5 of ");
    browser.click(".failure button:nth-child(2)");
    browser.wait_for(
        "document.querySelector('#other .difference')?.textContent",
        "here the orders differ",
    );
    browser.wait_for(
        "document.querySelector('#compare')?.textContent",
        "They differ first in step",
    );
}

#[test]
fn an_exploration_can_be_cancelled_and_the_story_goes_on_meanwhile() {
    let calls = "&step=call+canister1+increment_both+()".repeat(8);
    let Some((_site, browser)) = visit("cancel", &format!("#scene=pair{calls}")) else {
        return;
    };
    browser.wait_for(SENTENCE, "The user calls");
    browser.click("#explore-panel summary");
    for fault in ["trap", "reject", "stop", "upgrade"] {
        browser.click(&format!("#explore input[value={fault}]"));
    }
    browser.click("#explore .primary");
    let said = "document.querySelector('#explore')?.textContent";
    browser.wait_for(said, "messages delivered");
    deliver(&browser, "up to its await");
    browser.click("#explore button:not(.primary)");
    browser.wait_for(said, "It was cancelled.");
    deliver(&browser, "That is a commit point");
    assert_eq!(browser.complaints(), [""; 0]);
}
