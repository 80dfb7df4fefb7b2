//! The gateway passes on what is certified, and nothing that was changed.

use std::borrow::Cow;

use ic_http_certification::utils::add_v2_certificate_header;
use ic_http_certification::{
    CERTIFICATE_EXPRESSION_HEADER_NAME, DefaultCelBuilder, DefaultResponseCertification,
    HttpCertification, HttpCertificationPath, HttpCertificationTree, HttpCertificationTreeEntry,
    HttpResponse, StatusCode,
};
use local_replica::message::Time;
use local_replica::subnet::Subnet;

use super::pages::{Page, Pages, page};
use crate::harness::Network;

/// How long a certificate is good for, in nanoseconds.
const FIVE_MINUTES: Time = 5 * 60 * 1_000_000_000;

/// The page at `/page`, with the header `x-certified` certified and `x-other` not; as of a time, by a
/// subnet.
fn certified(pages: &Pages, subnet: &Subnet, time: Time) -> Page {
    let expression = DefaultCelBuilder::response_only_certification()
        .with_response_certification(DefaultResponseCertification::certified_response_headers(
            vec!["x-certified"],
        ))
        .build();
    let fields = [
        ("x-certified", "1"),
        ("x-other", "1"),
        (CERTIFICATE_EXPRESSION_HEADER_NAME, &expression.to_string()),
    ];
    let fields = fields.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let mut response = HttpResponse::builder()
        .with_status_code(StatusCode::OK)
        .with_headers(fields.to_vec())
        .with_body(Cow::Borrowed(&b"certified"[..]))
        .build();
    let path = HttpCertificationPath::exact("/page");
    let certification = HttpCertification::response_only(&expression, &response, None).unwrap();
    let mut tree = HttpCertificationTree::default();
    let entry = HttpCertificationTreeEntry::new(&path, certification);
    tree.insert(&entry);
    let witness = tree.witness(&entry, "/page").unwrap();
    let root = tree.as_hash_tree().digest();
    let certificate = subnet.root_key.certify_data(pages.canister, &root, time);
    add_v2_certificate_header(&certificate, &mut response, &witness, &path.to_expr_path());
    Page {
        headers: response.headers().to_vec(),
        ..page(200, &[], response.body())
    }
}

async fn time(network: &Network) -> Time {
    let read = |node: &mut local_replica::owner::Node| node.replica.time();
    network.owner.with(read).await.unwrap()
}

#[tokio::test]
async fn certified_page_is_passed_on_with_its_certified_headers_alone() {
    let network = Network::start().await;
    let pages = Pages::on(&network).await;
    let now = time(&network).await;
    pages
        .say(0, certified(&pages, network.owner.subnet(), now))
        .await;
    let answer = pages.verified("/page?any=1").await;
    assert_eq!((answer.status, answer.text().as_str()), (200, "certified"));
    assert!(answer.head.contains("x-certified: 1"), "{}", answer.head);
    assert!(!answer.head.contains("x-other"), "{}", answer.head);
    assert!(answer.head.contains("ic-certificate: "), "{}", answer.head);
    // At the raw host everything is.
    let answer = pages.raw("/page").await;
    assert!(answer.head.contains("x-other: 1"), "{}", answer.head);
}

#[tokio::test]
async fn what_was_changed_is_refused() {
    let network = Network::start().await;
    let pages = Pages::on(&network).await;
    let right = certified(&pages, network.owner.subnet(), time(&network).await);
    let changed = |change: fn(&mut Page)| {
        let mut page = right.clone();
        change(&mut page);
        page
    };
    for (what, page) in [
        ("the body", changed(|page| page.body[0] ^= 1)),
        ("the status", changed(|page| page.status_code = 201)),
        (
            "a header",
            changed(|page| page.headers[0].1 = "2".to_owned()),
        ),
        (
            "a header more",
            changed(|page| {
                page.headers
                    .push(("x-certified".to_owned(), "2".to_owned()));
            }),
        ),
        (
            "a header less",
            changed(|page| drop(page.headers.remove(0))),
        ),
        (
            "what is certified",
            changed(|page| {
                page.headers[2].1 = page.headers[2].1.replace("x-certified", "x-other");
            }),
        ),
        ("no certificate", changed(|page| drop(page.headers.pop()))),
    ] {
        pages.say(0, page).await;
        let answer = pages.verified("/page").await;
        assert_eq!(answer.status, 502, "{what}: {}", answer.text());
        answer.expect(502, "The canister's answer is not certified");
    }
    pages.say(0, right).await;
    assert_eq!(pages.verified("/page").await.status, 200);
    pages.verified("/other").await.expect(502, "not certified");
}

#[tokio::test]
async fn certificate_of_another_canister_another_network_or_another_day_is_refused() {
    let network = Network::start().await;
    let pages = Pages::on(&network).await;
    let others = Pages::on(&network).await;
    let now = time(&network).await;
    let own = network.owner.subnet();
    let stranger = Subnet::from_seed(b"another network");
    for (page, status) in [
        (certified(&pages, own, now), 200),
        (certified(&pages, own, now - FIVE_MINUTES / 2), 200),
        (certified(&others, own, now), 502),
        (certified(&pages, &stranger, now), 502),
        (certified(&pages, own, now - 2 * FIVE_MINUTES), 502),
    ] {
        pages.say(0, page).await;
        let answer = pages.verified("/page").await;
        assert_eq!(answer.status, status, "{}", answer.text());
    }
}

#[tokio::test]
async fn certificates_follow_the_replicas_clock() {
    let network = Network::start().await;
    let pages = Pages::on(&network).await;
    let before = time(&network).await;
    network.advance(3600).await;
    let after = time(&network).await;
    pages
        .say(0, certified(&pages, network.owner.subnet(), before))
        .await;
    assert_eq!(pages.verified("/page").await.status, 502);
    pages
        .say(0, certified(&pages, network.owner.subnet(), after))
        .await;
    assert_eq!(pages.verified("/page").await.status, 200);
}

#[tokio::test]
async fn certificate_of_nobody_is_refused() {
    let network = Network::start().await;
    let pages = Pages::on(&network).await;
    let deep = [&[0xd9, 0xd9, 0xf7][..], &[0x81; 20_000]].concat();
    // 2^63 entries, of which there are none.
    let huge = [0xbb, 0x80, 0, 0, 0, 0, 0, 0, 0];
    // A number that is no whole one, over and over: whoever skips it looks one item further.
    let skipped = [0x81, 0xf9, 0, 0].repeat(5_000);
    let tags = vec![0xc6; 20_000];
    let base64 = |bytes: &[u8]| {
        use base64::Engine;
        base64::prelude::BASE64_STANDARD.encode(bytes)
    };
    for bytes in [&b""[..], b"x", &deep, &huge, &skipped, &tags] {
        let field = base64(bytes);
        let certificate =
            format!("certificate=:{field}:, tree=:{field}:, version=2, expr_path=:{field}:");
        let fields = [
            ("IC-Certificate", certificate.as_str()),
            (
                "IC-CertificateExpression",
                "default_certification(ValidationArgs{no_certification:Empty{}})",
            ),
        ];
        pages.say(0, page(200, &fields, b"unsafe")).await;
        pages.verified("/").await.expect(502, "is not certified");
    }
    network.check().await;
}

#[tokio::test]
async fn expression_nested_without_end_and_body_packed_too_well_are_refused() {
    let network = Network::start().await;
    let pages = Pages::on(&network).await;
    let deep = "[".repeat(100_000);
    pages
        .say(0, page(200, &[("ic-certificateexpression", &deep)], b""))
        .await;
    pages
        .verified("/")
        .await
        .expect(502, "nested deeper than 32");
    let mut packed = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::copy(
        &mut std::io::Read::take(std::io::repeat(0), 65 << 20),
        &mut packed,
    )
    .unwrap();
    let packed = packed.finish().unwrap();
    pages
        .say(0, page(200, &[("content-encoding", "gzip")], &packed))
        .await;
    pages.verified("/").await.expect(502, "bytes unpacked");
}
