//! Certified parts of the state (the specification's sections "Request: Read state" and "The system
//! state tree").

use std::sync::Arc;

use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::response::Response;
use candid::Principal;
use ic_transport_types::{EnvelopeContent, ReadStateResponse, SubnetMetrics};
use serde_bytes::ByteBuf;

use super::answer::{Failure, cbor};
use super::authentication::authenticate;
use super::effective::Effective;
use super::shared::{NodeKey, Shared};
use super::tree::Tree;
use crate::canister::Canister;
use crate::cbor::to_cbor;
use crate::certificate::leb128;
use crate::owner::{Node, Request, RequestId};
use crate::replica::{IngressStatus, Replica};

/// The most paths in a request, and the most labels in a path.
const MAX_PATHS: usize = 1000;
const MAX_LABELS: usize = 127;

pub(super) async fn canister(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Failure> {
    answer(shared, Effective::canister(&id)?, body).await
}

pub(super) async fn subnet(
    State(shared): State<Shared>,
    Path(id): Path<String>,
    body: Bytes,
) -> Result<Response, Failure> {
    let subnet = Effective::subnet(&id, &shared)?;
    answer(shared, subnet, body).await
}

async fn answer(shared: Shared, effective: Effective, body: Bytes) -> Result<Response, Failure> {
    let root_key = shared.owner.subnet().public_key();
    let request = authenticate(&body, root_key, shared.owner.now())?;
    let targets = request.targets;
    let EnvelopeContent::ReadState { sender, paths, .. } = request.content else {
        return Err(Failure::bad_request(
            "this is not a request to read the state",
        ));
    };
    if paths.len() > MAX_PATHS || paths.iter().any(|path| path.len() > MAX_LABELS) {
        return Err(Failure::bad_request(
            "there are more than 1000 paths, or more than 127 labels in one",
        ));
    }
    let paths: Vec<Vec<Vec<u8>>> = paths
        .into_iter()
        .map(|path| path.iter().map(|label| label.as_bytes().to_vec()).collect())
        .collect();
    let key = Arc::clone(&shared.node);
    let read = move |node: &mut Node| {
        let mut tree = Tree::default();
        for path in &paths {
            let path: Vec<&[u8]> = path.iter().map(Vec::as_slice).collect();
            if let Some(call) = requested(node, &path) {
                targets.check(&call.receiver)?;
            }
            reveal(&mut tree, node, &key, effective, sender, &path)?;
        }
        Ok::<_, Failure>(tree)
    };
    let tree = shared.owner.read(read).await??;
    let certificate = shared.certifier.certify(tree).await?;
    Ok(cbor(&ReadStateResponse { certificate }))
}

/// The call whose status a path is about.
fn requested(node: &Node, path: &[&[u8]]) -> Option<Request> {
    match path {
        [b"request_status", id, ..] => node.request(&RequestId::try_from(*id).ok()?),
        _ => None,
    }
}

/// The status of a request, to be certified. It is forgotten if there is none.
pub(super) fn status_of(id: &RequestId, status: Option<&IngressStatus>) -> Tree {
    let mut tree = Tree::default();
    request_status(&mut tree, id, status);
    tree
}

/// Puts everything that lies at `path` or below into the tree, if `sender` may see it.
fn reveal(
    tree: &mut Tree,
    node: &Node,
    key: &NodeKey,
    effective: Effective,
    sender: Principal,
    path: &[&[u8]],
) -> Result<(), Failure> {
    match path {
        [b"time"] => Ok(()),
        [b"subnet", _, b"metrics"] if matches!(effective, Effective::Canister(_)) => Err(
            Failure::bad_request("a subnet's metrics can be read only at its own path"),
        ),
        [b"subnet", ..] => subnet_information(tree, node, key, effective, path),
        [b"canister_ranges", subnet, ..] if *subnet == node.replica.subnet_id().as_slice() => {
            let lowest = CANISTER_RANGE[0];
            let path: [&[u8]; 3] = [b"canister_ranges", subnet, lowest];
            tree.insert(&path, canister_ranges());
            Ok(())
        }
        [b"canister_ranges" | b"api_boundary_nodes", ..] => Ok(()),
        [b"request_status", id, ..] => {
            let id = RequestId::try_from(*id)
                .map_err(|_| Failure::bad_request("the id of a request has 32 bytes"))?;
            let Some(request) = node.request(&id) else {
                tree.lacks_something();
                return Ok(());
            };
            if request.sender != sender || request.effective_canister_id != effective.id() {
                return Err(Failure::forbidden(
                    "the status of a request is only for its sender, at its effective canister id",
                ));
            }
            request_status(tree, &id, node.replica.ingress_status(request.ingress));
            Ok(())
        }
        [b"canister", id, information @ ..] => {
            match effective {
                Effective::Canister(canister) if canister.as_slice() == *id => {}
                _ => {
                    return Err(Failure::bad_request(
                        "a canister's information can be read only at its own path",
                    ));
                }
            }
            canister_information(tree, node, sender, id, information)
        }
        _ => Err(Failure::new(
            axum::http::StatusCode::NOT_FOUND,
            "one of the paths is none that can be read",
        )),
    }
}

fn request_status(tree: &mut Tree, id: &RequestId, status: Option<&IngressStatus>) {
    let mut put = |label: &[u8], value: Vec<u8>| {
        tree.insert(&[b"request_status", id.as_slice(), label], value);
    };
    match status {
        None => put(b"status", b"done".to_vec()),
        Some(IngressStatus::Processing) => put(b"status", b"processing".to_vec()),
        Some(IngressStatus::Answered(Ok(reply))) => {
            put(b"status", b"replied".to_vec());
            put(b"reply", reply.clone());
        }
        Some(IngressStatus::Answered(Err(reject))) => {
            put(b"status", b"rejected".to_vec());
            put(b"reject_code", leb128(reject.code as u64));
            put(b"reject_message", reject.message.clone().into_bytes());
            put(b"error_code", reject.error_code.to_string().into_bytes());
        }
    }
}

fn canister_information(
    tree: &mut Tree,
    node: &Node,
    sender: Principal,
    id: &[u8],
    information: &[&[u8]],
) -> Result<(), Failure> {
    let canister = Principal::try_from_slice(id)
        .ok()
        .and_then(|id| node.replica.canister(&id));
    let module = canister
        .and_then(|c| c.code.as_ref())
        .map(|code| &code.module);
    match information {
        [b"module_hash"] => {
            if let Some(module) = module {
                tree.insert(&[b"canister", id, b"module_hash"], module.hash.to_vec());
            }
            Ok(())
        }
        [b"controllers"] => {
            if let Some(canister) = canister {
                let controllers = canister.settings.controllers.iter();
                let controllers: Vec<ByteBuf> =
                    controllers.map(|c| ByteBuf::from(c.as_slice())).collect();
                tree.insert(&[b"canister", id, b"controllers"], to_cbor(&controllers));
            }
            Ok(())
        }
        [b"canister_creation_timestamp"] => {
            if let Some(canister) = canister {
                let path: [&[u8]; 3] = [b"canister", id, b"canister_creation_timestamp"];
                tree.insert(&path, leb128(canister.created_at()));
            }
            Ok(())
        }
        [b"last_install_timestamp"] => {
            if let Some(time) = canister.and_then(Canister::installed_at) {
                let path: [&[u8]; 3] = [b"canister", id, b"last_install_timestamp"];
                tree.insert(&path, leb128(time));
            }
            Ok(())
        }
        [b"metadata", name] => {
            let name = std::str::from_utf8(name)
                .map_err(|_| Failure::bad_request("the name of a metadata section is UTF-8"))?;
            let (Some(canister), Some(metadata)) = (
                canister,
                module.and_then(|module| module.metadata.get(name)),
            ) else {
                return Ok(());
            };
            if !metadata.public && !canister.settings.controllers.contains(&sender) {
                return Err(Failure::forbidden(format!(
                    "the metadata section '{name}' is only for the canister's controllers"
                )));
            }
            let path: [&[u8]; 4] = [b"canister", id, b"metadata", name.as_bytes()];
            tree.insert(&path, metadata.content.clone());
            Ok(())
        }
        _ => Err(Failure::bad_request(
            "of a canister can be read: module_hash, controllers, metadata/<name>, \
             canister_creation_timestamp, last_install_timestamp",
        )),
    }
}

fn subnet_information(
    tree: &mut Tree,
    node: &Node,
    key: &NodeKey,
    effective: Effective,
    path: &[&[u8]],
) -> Result<(), Failure> {
    let subnet = node.replica.subnet_id();
    let (subnet, node_id) = (subnet.as_slice(), key.id);
    let mut values: Vec<(Vec<&[u8]>, Vec<u8>)> = vec![
        (vec![b"public_key"], node.replica.root_key().to_vec()),
        (vec![b"type"], b"application".to_vec()),
        (vec![b"canister_ranges"], canister_ranges()),
        (
            vec![b"node", node_id.as_slice(), b"public_key"],
            key.der.clone(),
        ),
    ];
    if let Effective::Subnet(_) = effective {
        values.push((vec![b"metrics"], to_cbor(&metrics(&node.replica))));
    }
    for (rest, value) in values {
        let full: Vec<&[u8]> = [&[b"subnet".as_slice(), subnet][..], &rest].concat();
        if full.starts_with(path) {
            tree.insert(&full, value);
        }
    }
    Ok(())
}

/// What the subnet uses, and what it has done.
fn metrics(replica: &Replica) -> SubnetMetrics {
    SubnetMetrics {
        num_canisters: replica.canisters().count() as u64,
        canister_state_bytes: replica.canisters().map(Canister::memory_size).sum(),
        consumed_cycles_total: replica.cycles().consumed,
        update_transactions_total: replica.timeline().next_number(),
    }
}

/// The ids that a canister can have here: all. The lowest and the highest.
const CANISTER_RANGE: [&[u8]; 2] = [
    &[0, 0, 0, 0, 0, 0, 0, 0, 1, 1],
    &[255, 255, 255, 255, 255, 255, 255, 255, 1, 1],
];

fn canister_ranges() -> Vec<u8> {
    to_cbor(&vec![CANISTER_RANGE.map(ByteBuf::from)])
}
