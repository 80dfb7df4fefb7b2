//! Certified parts of the state: what is there, who may read it, and proof that something is not
//! there.

use candid::{Nat, Principal};
use ic_agent::agent::EffectiveId;
use ic_agent::hash_tree::LookupResult;
use ic_agent::identity::AnonymousIdentity;
use ic_agent::{Agent, AgentError, Certificate, Identity};
use ic_management_canister_types::CanisterInstallMode;
use ic_transport_types::RequestId;
use sha2::{Digest, Sha256};

use crate::canisters::COUNTER;
use crate::harness::{Network, counter, create, install_code, refused};
use crate::identities::ed25519;
use crate::requests::{Label, status_path};

fn path<const N: usize>(labels: [&[u8]; N]) -> Vec<Label> {
    labels.map(Label::from_bytes).to_vec()
}

async fn read(agent: &Agent, canister: Principal, paths: Vec<Vec<Label>>) -> Certificate {
    agent.read_state_raw(paths, canister).await.unwrap()
}

#[tokio::test]
async fn module_hash_and_controllers_can_be_read_by_anybody() {
    let network = Network::start().await;
    let counter = counter(&network.user().await).await;
    let anybody = network.agent(AnonymousIdentity).await;
    let hash = anybody
        .read_state_canister_module_hash(counter)
        .await
        .unwrap();
    assert_eq!(
        hash,
        Sha256::digest(wat::parse_str(COUNTER).unwrap()).to_vec()
    );
    let controllers = anybody
        .read_state_canister_controllers(counter)
        .await
        .unwrap();
    assert_eq!(controllers, [ed25519(1).sender().unwrap()]);
}

#[tokio::test]
async fn times_of_creation_and_of_the_last_installation_can_be_read() {
    let network = Network::start().await;
    let user = network.user().await;
    let canister = create(&user).await;
    let created = time_of(&user, canister, "canister_creation_timestamp").await;
    for mode in [
        CanisterInstallMode::Install,
        CanisterInstallMode::Upgrade(None),
        CanisterInstallMode::Reinstall,
    ] {
        let before = network.advance(1).await;
        install_code(&user, canister, COUNTER, mode).await;
        let installed = time_of(&user, canister, "last_install_timestamp").await;
        assert!(installed >= before, "{mode:?}");
    }
    let still = time_of(&user, canister, "canister_creation_timestamp").await;
    assert_eq!(still, created);
}

async fn time_of(agent: &Agent, canister: Principal, what: &str) -> u64 {
    let path = path([b"canister", canister.as_slice(), what.as_bytes()]);
    let certificate = read(agent, canister, vec![path.clone()]).await;
    match certificate.tree.lookup_path(&path) {
        LookupResult::Found(mut time) => {
            let time = Nat::decode(&mut time).unwrap();
            u64::try_from(time.0).unwrap()
        }
        other => panic!("{what}: {other:?}"),
    }
}

#[tokio::test]
async fn private_metadata_is_only_for_controllers() {
    let network = Network::start().await;
    let (user, stranger) = (network.user().await, network.agent(ed25519(2)).await);
    let counter = counter(&user).await;
    let about = stranger
        .read_state_canister_metadata(counter, "about")
        .await;
    assert_eq!(about.unwrap(), b"for everybody");
    let secret = user.read_state_canister_metadata(counter, "secret").await;
    assert_eq!(secret.unwrap(), b"for controllers");
    let (status, text) = refused(
        stranger
            .read_state_canister_metadata(counter, "secret")
            .await,
    );
    assert_eq!(
        (status, text.contains("only for the canister's controllers")),
        (403, true)
    );
    let anonymous = network.agent(AnonymousIdentity).await;
    let secret = anonymous
        .read_state_canister_metadata(counter, "secret")
        .await;
    assert_eq!(refused(secret).0, 403);
}

#[tokio::test]
async fn absence_is_proved() {
    let network = Network::start().await;
    let user = network.user().await;
    let (full, empty) = (counter(&user).await, create(&user).await);
    let nobody = Principal::from_slice(&[0x80, 0, 0, 0, 0, 0x77, 0, 0, 1, 1]);
    for (canister, last) in [
        (full, "metadata/none"),
        (empty, "metadata/about"),
        (empty, "module_hash"),
        (empty, "last_install_timestamp"),
        (nobody, "module_hash"),
        (nobody, "controllers"),
        (nobody, "canister_creation_timestamp"),
        (nobody, "last_install_timestamp"),
        (nobody, "metadata/about"),
    ] {
        let mut labels = vec![
            Label::from("canister"),
            Label::from_bytes(canister.as_slice()),
        ];
        labels.extend(last.split('/').map(Label::from));
        let certificate = read(&user, canister, vec![labels.clone()]).await;
        let found = certificate.tree.lookup_path(&labels);
        assert_eq!(found, LookupResult::Absent, "{last}");
    }
    let unknown = RequestId::new(&[7; 32]);
    let certificate = read(&user, full, vec![status_path(&unknown)]).await;
    let found = certificate.tree.lookup_path(status_path(&unknown));
    assert_eq!(found, LookupResult::Absent);
}

#[tokio::test]
async fn canister_is_read_only_at_its_own_path() {
    let network = Network::start().await;
    let user = network.user().await;
    let (here, there) = (counter(&user).await, counter(&user).await);
    let controllers = || vec![path([b"canister", here.as_slice(), b"controllers"])];
    let (status, text) = refused(user.read_state_raw(controllers(), there).await);
    assert_eq!((status, text.contains("only at its own path")), (400, true));
    let subnet = EffectiveId::Subnet(network.subnet);
    assert_eq!(
        refused(user.read_state_raw(controllers(), subnet).await).0,
        400
    );
}

#[tokio::test]
async fn status_of_a_request_is_only_for_its_sender_at_its_canister() {
    let network = Network::start().await;
    let (user, stranger) = (network.user().await, network.agent(ed25519(2)).await);
    let (here, there) = (counter(&user).await, counter(&user).await);
    let request = user.update(&here, "add").sign().unwrap();
    user.update_signed(here, request.signed_update)
        .await
        .unwrap();
    let id = request.request_id;
    user.request_status_raw(&id, here).await.unwrap();
    for (agent, at) in [(&stranger, here), (&user, there)] {
        let (status, text) = refused(agent.request_status_raw(&id, at).await);
        assert_eq!((status, text.contains("only for its sender")), (403, true));
    }
    let deeper = vec![[status_path(&id), vec!["reply".into()]].concat()];
    assert_eq!(refused(stranger.read_state_raw(deeper, here).await).0, 403);
}

#[tokio::test]
async fn every_certificate_has_the_time() {
    let network = Network::start().await;
    let user = network.user().await;
    let counter = counter(&user).await;
    for paths in [vec![], vec![path([b"time"])], vec![path([b"subnet"])]] {
        let certificate = read(&user, counter, paths).await;
        let found = certificate.tree.lookup_path([b"time"]);
        assert!(matches!(found, LookupResult::Found(_)));
    }
}

#[tokio::test]
async fn subnet_has_its_key_its_node_and_all_canisters() {
    let network = Network::start().await;
    let user = network.user().await;
    let counter = counter(&user).await;
    let subnet = network.subnet;
    assert_eq!(subnet, Principal::self_authenticating(&network.root_key));

    let by_canister = user.fetch_subnet_by_canister(&counter).await.unwrap();
    let by_id = user.fetch_subnet_by_id(&subnet).await.unwrap();
    for found in [by_canister, by_id] {
        assert_eq!(found.id(), subnet);
        assert!(found.contains_canister(&counter));
        assert_eq!(found.iter_nodes().count(), 1);
    }
    let ranges = user
        .read_state_subnet_canister_ranges(subnet)
        .await
        .unwrap();
    assert!(
        ranges
            .iter()
            .any(|(low, high)| *low <= counter && counter <= *high)
    );

    let key = path([b"subnet", subnet.as_slice(), b"public_key"]);
    let effective = EffectiveId::Subnet(subnet);
    let certificate = user
        .read_state_raw(vec![key.clone()], effective)
        .await
        .unwrap();
    let found = certificate.tree.lookup_path(&key);
    assert_eq!(found, LookupResult::Found(network.root_key.as_slice()));
    // What was not asked for is not there.
    let ranges = path([b"subnet", subnet.as_slice(), b"canister_ranges"]);
    let found = certificate.tree.lookup_path(&ranges);
    assert!(!matches!(found, LookupResult::Found(_)));
}

#[tokio::test]
async fn another_subnet_is_not_here() {
    let network = Network::start().await;
    let user = network.user().await;
    let other = ed25519(5).sender().unwrap();
    let paths = vec![path([b"time"])];
    let (status, text) = refused(user.read_state_raw(paths, EffectiveId::Subnet(other)).await);
    assert_eq!((status, text.contains("there is no subnet")), (400, true));
}

#[tokio::test]
async fn tools_that_look_for_boundary_nodes_find_none() {
    let network = Network::start().await;
    let user = network.user().await;
    let nodes = user
        .fetch_api_boundary_nodes_by_subnet_id(network.subnet)
        .await;
    assert!(
        matches!(nodes, Ok(ref nodes) if nodes.is_empty())
            || matches!(nodes, Err(AgentError::LookupPathAbsent(_))),
        "{nodes:?}"
    );
}

#[tokio::test]
async fn paths_that_nobody_may_read_are_refused() {
    let network = Network::start().await;
    let user = network.user().await;
    let counter = counter(&user).await;
    let canister = counter.as_slice();
    for (labels, expected) in [
        (vec![], 404),
        (path([b"nonsense"]), 404),
        (path([b"canister"]), 404),
        (path([b"request_status"]), 404),
        (path([b"request_status", b"short"]), 400),
        (path([b"canister", canister]), 400),
        (path([b"canister", canister, b"certified_data"]), 400),
        (path([b"canister", canister, b"metadata"]), 400),
        (path([b"canister", canister, b"metadata", b"\xff"]), 400),
    ] {
        let (status, text) = refused(user.read_state_raw(vec![labels.clone()], counter).await);
        assert_eq!(status, expected, "{labels:?}: {text}");
    }
}

#[tokio::test]
async fn too_many_paths_and_too_long_ones_are_refused() {
    let network = Network::start().await;
    let user = network.user().await;
    let counter = counter(&user).await;
    let many = |count| vec![path([b"time"]); count];
    read(&user, counter, many(1000)).await;
    assert_eq!(
        refused(user.read_state_raw(many(1001), counter).await).0,
        400
    );
    let long = vec![vec![Label::from("time"); 128]];
    assert_eq!(refused(user.read_state_raw(long, counter).await).0, 400);
}
