//! What dfx does on a network that it did not start, in its order, with the paths of the agent
//! that it contains: status v2, call v3, query v2, read_state v2.

use std::io::Write;

use candid::utils::ArgumentEncoder;
use candid::{CandidType, Deserialize, Principal, encode_args};
use ic_agent::hash_tree::LookupResult;
use ic_agent::{Agent, Certificate, Identity};
use ic_management_canister_types::{
    CanisterIdRecord, CanisterInstallMode, CanisterStatusResult, CanisterStatusType, ChunkHash,
    ClearChunkStoreArgs, InstallChunkedCodeArgs, InstallCodeArgs,
    ProvisionalCreateCanisterWithCyclesArgs, UploadChunkArgs,
};
use ic_transport_types::{QueryResponse, ReadStateResponse, TransportCallResponse};
use sha2::{Digest, Sha256};

use crate::canisters::COUNTER;
use crate::harness::{MANAGEMENT, Network, number};
use crate::identities::secp256k1;
use crate::requests::{Label, call, query, read, signed};

/// dfx, with an identity of its usual kind.
struct Dfx {
    network: Network,
    /// Only to check certificates.
    agent: Agent,
    sender: Principal,
}

impl Dfx {
    async fn start() -> Self {
        let network = Network::start().await;
        let agent = network.agent(secp256k1(1)).await;
        let sender = secp256k1(1).sender().unwrap();
        Dfx {
            network,
            agent,
            sender,
        }
    }

    async fn call(&self, at: Principal, canister: Principal, method: &str, arg: &[u8]) -> Vec<u8> {
        let content = call(self.sender, canister, method, arg);
        let id = content.to_request_id();
        let body = signed(content, &secp256k1(1));
        let path = format!("/api/v3/canister/{at}/call");
        let answer: TransportCallResponse = self.network.post(&path, &body).await.cbor();
        let TransportCallResponse::Replied { certificate } = answer else {
            panic!("{method}: {answer:?}");
        };
        let certificate: Certificate = serde_cbor::from_slice(&certificate).unwrap();
        self.agent.verify(&certificate, at).unwrap();
        let reply: [&[u8]; 3] = [b"request_status", id.as_slice(), b"reply"];
        ic_agent::lookup_value(&certificate, reply)
            .unwrap()
            .to_vec()
    }

    async fn manage(&self, at: Principal, method: &str, args: impl ArgumentEncoder) -> Vec<u8> {
        self.call(at, MANAGEMENT, method, &encode_args(args).unwrap())
            .await
    }

    async fn read(&self, canister: Principal, labels: &[&[u8]]) -> (Certificate, Vec<Label>) {
        let path: Vec<Label> = labels
            .iter()
            .map(|label| Label::from_bytes(label))
            .collect();
        let body = signed(read(self.sender, vec![path.clone()]), &secp256k1(1));
        let at = format!("/api/v2/canister/{canister}/read_state");
        let answer: ReadStateResponse = self.network.post(&at, &body).await.cbor();
        let certificate: Certificate = serde_cbor::from_slice(&answer.certificate).unwrap();
        self.agent.verify(&certificate, canister).unwrap();
        (certificate, path)
    }

    async fn module_hash(&self, canister: Principal) -> Option<Vec<u8>> {
        let labels: [&[u8]; 3] = [b"canister", canister.as_slice(), b"module_hash"];
        let (certificate, path) = self.read(canister, &labels).await;
        match certificate.tree.lookup_path(&path) {
            LookupResult::Found(hash) => Some(hash.to_vec()),
            LookupResult::Absent => None,
            other => panic!("{other:?}"),
        }
    }

    /// A query, whose signature is checked.
    async fn query(&self, canister: Principal, method: &str) -> Vec<u8> {
        let content = query(self.sender, canister, method, b"");
        let id = content.to_request_id();
        let body = signed(content, &secp256k1(1));
        let path = format!("/api/v2/canister/{canister}/query");
        let response: QueryResponse = self.network.post(&path, &body).await.cbor();
        let [signature] = response.signatures() else {
            panic!("one node signs: {response:?}");
        };
        let (certificate, _) = self.read(canister, &[b"subnet"]).await;
        let subnet = Principal::self_authenticating(&self.network.root_key);
        let key = ic_agent::lookup_value(
            &certificate,
            [
                b"subnet".as_slice(),
                subnet.as_slice(),
                b"node",
                signature.identity.as_slice(),
                b"public_key",
            ],
        );
        let key = ic_ed25519::PublicKey::deserialize_rfc8410_der(key.unwrap()).unwrap();
        let signable = response.signable(id, signature.timestamp);
        key.verify_signature(&signable, &signature.signature)
            .unwrap();
        match response {
            QueryResponse::Replied { reply, .. } => reply.arg,
            QueryResponse::Rejected { reject, .. } => panic!("{method}: {reject:?}"),
        }
    }

    async fn create(&self) -> Principal {
        let anywhere = Principal::from_text("rwlgt-iiaaa-aaaaa-aaaaa-cai").unwrap();
        let args = ProvisionalCreateCanisterWithCyclesArgs::default();
        let method = "provisional_create_canister_with_cycles";
        let reply = self.manage(anywhere, method, (args,)).await;
        candid::decode_one::<CanisterIdRecord>(&reply)
            .unwrap()
            .canister_id
    }

    async fn status(&self, canister_id: Principal) -> CanisterStatusResult {
        let args = (CanisterIdRecord { canister_id },);
        let reply = self.manage(canister_id, "canister_status", args).await;
        candid::decode_one(&reply).unwrap()
    }
}

fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(vec![], flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn first_deploy_then_upgrade() {
    let dfx = Dfx::start().await;
    let status = dfx.agent.status().await.unwrap();
    assert_eq!(status.replica_health_status.as_deref(), Some("healthy"));
    assert_eq!(
        status.root_key.as_deref(),
        Some(dfx.network.root_key.as_slice())
    );

    // Create all canisters before any is installed.
    let (first, second) = (dfx.create().await, dfx.create().await);
    assert_ne!(first, second);
    assert_eq!(dfx.module_hash(first).await, None);
    let before = dfx.status(first).await;
    assert_eq!(before.status, CanisterStatusType::Running);
    assert_eq!(before.settings.controllers, [dfx.sender]);

    // Install, and wait for the hash of the bytes as uploaded.
    let gzipped = gzip(&wat::parse_str(COUNTER).unwrap());
    let install = |mode| InstallCodeArgs {
        mode,
        canister_id: first,
        wasm_module: gzipped.clone(),
        arg: b"DIDL\0\0".to_vec(),
        sender_canister_version: None,
    };
    let args = (install(CanisterInstallMode::Install),);
    dfx.manage(first, "install_code", args).await;
    let hash = Sha256::digest(&gzipped).to_vec();
    assert_eq!(dfx.module_hash(first).await, Some(hash.clone()));
    assert_eq!(dfx.status(first).await.module_hash, Some(hash.clone()));
    let labels: [&[u8]; 3] = [b"canister", first.as_slice(), b"controllers"];
    let (certificate, path) = dfx.read(first, &labels).await;
    let LookupResult::Found(controllers) = certificate.tree.lookup_path(&path) else {
        panic!("it has controllers");
    };
    let controllers: Vec<Principal> = serde_cbor::from_slice(controllers).unwrap();
    assert_eq!(controllers, [dfx.sender]);

    // Call and query.
    assert_eq!(number(&dfx.call(first, first, "add", b"").await), 1);
    assert_eq!(number(&dfx.query(first, "get").await), 1);

    // Deploy again: metadata for the Candid check, stop, upgrade, start.
    let name = b"candid:service".as_slice();
    let labels: [&[u8]; 4] = [b"canister", first.as_slice(), b"metadata", name];
    let (certificate, path) = dfx.read(first, &labels).await;
    assert_eq!(certificate.tree.lookup_path(&path), LookupResult::Absent);
    let id = CanisterIdRecord { canister_id: first };
    dfx.manage(first, "stop_canister", (id.clone(),)).await;
    assert_eq!(dfx.status(first).await.status, CanisterStatusType::Stopped);
    let args = (install(CanisterInstallMode::Upgrade(None)),);
    dfx.manage(first, "install_code", args).await;
    dfx.manage(first, "start_canister", (id.clone(),)).await;
    assert_eq!(number(&dfx.query(first, "get").await), 0);

    // Delete.
    dfx.manage(first, "stop_canister", (id.clone(),)).await;
    dfx.manage(first, "delete_canister", (id,)).await;
    assert_eq!(dfx.module_hash(first).await, None);
}

#[tokio::test]
async fn module_above_two_mib_goes_in_chunks() {
    let dfx = Dfx::start().await;
    let canister_id = dfx.create().await;
    let numbers: String = (0..500_000).map(|number| format!("{number:06} ")).collect();
    let padding = format!("(@custom \"padding\" \"{numbers}\")\n(memory 1)");
    let module = wat::parse_str(COUNTER.replacen("(memory 1)", &padding, 1)).unwrap();
    let store = ClearChunkStoreArgs { canister_id };
    dfx.manage(canister_id, "clear_chunk_store", (&store,))
        .await;
    let mut hashes: Vec<ChunkHash> = vec![];
    for chunk in module.chunks(1024 * 1024) {
        let chunk = chunk.to_vec();
        let args = (UploadChunkArgs { canister_id, chunk },);
        let reply = dfx.manage(canister_id, "upload_chunk", args).await;
        hashes.push(candid::decode_one(&reply).unwrap());
    }
    assert_eq!(hashes.len(), 4);
    let reply = dfx.manage(canister_id, "stored_chunks", (&store,)).await;
    let stored: Vec<ChunkHash> = candid::decode_one(&reply).unwrap();
    assert_eq!(stored.len(), 4);
    let hash = Sha256::digest(&module).to_vec();
    let args = InstallChunkedCodeArgs {
        mode: CanisterInstallMode::Install,
        target_canister: canister_id,
        store_canister: None,
        chunk_hashes_list: hashes,
        wasm_module_hash: hash.clone(),
        arg: vec![],
        sender_canister_version: None,
    };
    dfx.manage(canister_id, "install_chunked_code", (args,))
        .await;
    dfx.manage(canister_id, "clear_chunk_store", (&store,))
        .await;
    assert_eq!(dfx.module_hash(canister_id).await, Some(hash));
    assert_eq!(
        number(&dfx.call(canister_id, canister_id, "add", b"").await),
        1
    );
}

#[tokio::test]
async fn logs_are_read_by_a_query_of_the_management_canister() {
    #[derive(CandidType, Deserialize)]
    struct Logs {
        canister_log_records: Vec<candid::Reserved>,
    }

    let dfx = Dfx::start().await;
    let canister_id = dfx.create().await;
    let arg = encode_args((CanisterIdRecord { canister_id },)).unwrap();
    let content = query(dfx.sender, MANAGEMENT, "fetch_canister_logs", &arg);
    let path = format!("/api/v2/canister/{canister_id}/query");
    let body = signed(content, &secp256k1(1));
    let response: QueryResponse = dfx.network.post(&path, &body).await.cbor();
    let QueryResponse::Replied { reply, .. } = response else {
        panic!("{response:?}");
    };
    let logs: Logs = candid::decode_one(&reply.arg).unwrap();
    assert!(logs.canister_log_records.is_empty());
}
