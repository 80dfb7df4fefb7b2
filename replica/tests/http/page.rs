//! The page on which messages are delivered by hand, from the replica's own address.

use local_replica::http::Access;

use crate::harness::Network;

#[tokio::test]
async fn page_has_everything_that_it_asks_for_and_nobody_shows_it_inside_another() {
    let network = Network::start().await;
    let answer = network.fetch("/local-replica").await;
    assert_eq!(answer.status, 308);
    assert!(
        answer.head.contains("location: /local-replica/"),
        "{}",
        answer.head
    );
    let page = network.fetch("/local-replica/").await;
    assert_eq!(page.status, 200);
    assert!(
        page.head.contains("content-type: text/html"),
        "{}",
        page.head
    );
    assert!(
        page.head.contains("frame-ancestors 'none'"),
        "{}",
        page.head
    );
    let text = page.text();
    let names = text.split(['"', '\'']);
    let names = names.filter(|name| name.ends_with(".js") || name.ends_with(".css"));
    let mut names: Vec<String> = names.map(str::to_owned).collect();
    assert!(names.len() > 2, "{names:?}");
    let mut seen = 0;
    while let Some(name) = names.get(seen).cloned() {
        seen += 1;
        let file = network.fetch(&format!("/local-replica/{name}")).await;
        assert_eq!(file.status, 200, "{name}");
        let text = file.text();
        let imported = text.split("from \"./").skip(1);
        for import in imported.filter_map(|rest| Some(rest.split_once('"')?.0.to_owned())) {
            // Types are written down in a file that no browser reads.
            if import != "types.js" && !names.contains(&import) {
                names.push(import);
            }
        }
    }
    assert!(seen > 20, "{names:?}");
    let source = network.fetch("/local-replica/source.json").await;
    assert_eq!(source.text(), "{\"kind\": \"network\"}");
    let missing = network.fetch("/local-replica/nothing.js").await;
    missing.expect(404, "there is no /local-replica/nothing.js");
}

#[tokio::test]
async fn page_loads_without_the_token_that_its_controls_need() {
    let network = Network::with(Access {
        token: Some("secret".to_owned()),
        ..Access::default()
    });
    let network = network.await;
    assert_eq!(network.fetch("/local-replica/").await.status, 200);
    for control in ["events", "interfaces"] {
        let answer = network.fetch(&format!("/local-replica/{control}")).await;
        answer.expect(401, "the controls need the token");
    }
}
