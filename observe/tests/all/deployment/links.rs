//! The links that `icp deploy` prints, opened: the Candid UI of a backend, and a frontend.

use std::fs;

use browser::Browser;

use super::terminal::Terminal;

/// The link that `icp deploy` printed for a canister.
fn link(printed: &str, canister: &str) -> String {
    let start = format!("{canister}: http://");
    let line = printed.lines().find(|line| line.trim().starts_with(&start));
    let line = line.unwrap_or_else(|| panic!("no link of {canister} in: {printed}"));
    line.trim()[canister.len() + 2..].to_owned()
}

#[test]
fn candid_ui_opens_at_the_link_that_icp_prints_and_calls_increment_both() {
    let terminal = Terminal::open("");
    terminal.icp(&["network", "start", "--background"]);
    let link = link(&terminal.icp(&["deploy"]), "canister1");
    let Some(browser) = Browser::open() else {
        return;
    };
    browser.visit(&link);
    let method = "document.querySelector('#increment_both')";
    browser.wait_for(&format!("{method}?.innerText"), "increment_both");
    browser.evaluate(&format!(
        "{method}.querySelector('.button-container .btn').click()"
    ));
    browser.wait_for(
        &format!("{method}.querySelector('.result')?.innerText"),
        "Failed to complete the operation.",
    );
    assert_eq!(terminal.counters(), ["(1 : nat)", "(1 : nat)"]);

    // The same page, as dfx prints its link. What the page loads is found by where it is loaded from.
    let (ui, rest) = link["http://".len()..].split_once(".localhost").unwrap();
    let (port, id) = rest.split_once("/?").unwrap();
    browser.visit(&format!("http://127.0.0.1{port}/?canisterId={ui}&{id}"));
    browser.wait_for(&format!("{method}?.innerText"), "increment_both");
}

#[test]
fn frontend_opens_at_the_link_that_icp_prints_verified() {
    let terminal = Terminal::open("observe/tests/frontend");
    terminal.icp(&["network", "start", "--background"]);
    let link = link(&terminal.icp(&["deploy"]), "frontend");
    assert!(
        link.starts_with("http://frontend.local.localhost:"),
        "{link}"
    );
    // Not every system finds names below localhost, as browsers do.
    let (_, port) = link.rsplit_once(':').unwrap();
    let get = |path: &str| {
        let request = reqwest::Client::new()
            .get(format!("http://127.0.0.1:{port}{path}"))
            .header("host", "frontend.local.localhost")
            .send();
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let response = runtime.block_on(request).unwrap();
        (response.status().as_u16(), response.headers().clone())
    };
    let (status, headers) = get("index.html");
    assert_eq!(status, 200);
    let certificate = headers["ic-certificate"].to_str().unwrap();
    assert!(certificate.contains("version=2"), "{certificate}");
    // What is not stored is the first page, certified for every path.
    assert_eq!(get("a/b/c").0, 200);
    let Some(browser) = Browser::open() else {
        return;
    };
    browser.visit(&link);
    // The script has run, the style is there, and what the script fetched has come.
    browser.wait_for(
        "document.querySelector('#script')?.innerText",
        "a script, a fetched file",
    );
    let color = "getComputedStyle(document.querySelector('h1')).color";
    assert_eq!(browser.evaluate(color), "rgb(0, 128, 0)");
}

#[test]
fn network_that_is_to_have_internet_identity_starts_and_says_once_that_it_has_none() {
    let missing =
        "    ii: true\n    nns: true\n    subnets:\n      - application\n      - fiduciary\n";
    let terminal = Terminal::with_network("", missing);
    terminal.icp(&["network", "start", "--background"]);
    assert!(terminal.icp(&["cycles", "balance"]).contains("cycles"));
    let log = terminal
        .folder
        .join(".icp/cache/networks/local/network-launcher/stderr.log");
    let said = fs::read_to_string(log).unwrap();
    assert_eq!(
        said,
        "warning: this network is the local replica: it has no Internet Identity, no NNS and no \
         SNS, no other subnets than one, which its configuration asks for; everything else runs\n"
    );
}
