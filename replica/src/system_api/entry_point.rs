//! From where the System API can be called: the letters in the specification's section "Overview of
//! imports".

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where an execution starts. The comments have the specification's letters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[repr(u8)]
pub enum EntryPoint {
    /// `s`: the module's start function.
    Start,
    /// `I`: `canister_init`.
    Init,
    /// `I`: `canister_post_upgrade`.
    PostUpgrade,
    /// `G`: `canister_pre_upgrade`.
    PreUpgrade,
    /// `U`: `canister_update …`.
    Update,
    /// `RQ`: `canister_query …` in replicated mode.
    ReplicatedQuery,
    /// `NRQ`: `canister_query …` in non-replicated mode.
    Query,
    /// `CQ`: `canister_composite_query …`.
    CompositeQuery,
    /// `Ry`: a reply callback.
    ReplyCallback,
    /// `Rt`: a reject callback.
    RejectCallback,
    /// `CRy`: a reply callback in a composite query.
    CompositeReplyCallback,
    /// `CRt`: a reject callback in a composite query.
    CompositeRejectCallback,
    /// `C`: a cleanup callback.
    Cleanup,
    /// `CC`: a cleanup callback in a composite query.
    CompositeCleanup,
    /// `F`: `canister_inspect_message`.
    InspectMessage,
    /// `T`: a system task.
    SystemTask,
}

impl EntryPoint {
    /// All of them.
    pub const ALL: [EntryPoint; 16] = [
        EntryPoint::Start,
        EntryPoint::Init,
        EntryPoint::PostUpgrade,
        EntryPoint::PreUpgrade,
        EntryPoint::Update,
        EntryPoint::ReplicatedQuery,
        EntryPoint::Query,
        EntryPoint::CompositeQuery,
        EntryPoint::ReplyCallback,
        EntryPoint::RejectCallback,
        EntryPoint::CompositeReplyCallback,
        EntryPoint::CompositeRejectCallback,
        EntryPoint::Cleanup,
        EntryPoint::CompositeCleanup,
        EntryPoint::InspectMessage,
        EntryPoint::SystemTask,
    ];
}

impl fmt::Display for EntryPoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            EntryPoint::Start => "start",
            EntryPoint::Init => "init",
            EntryPoint::PostUpgrade => "post upgrade",
            EntryPoint::PreUpgrade => "pre upgrade",
            EntryPoint::Update => "update",
            EntryPoint::ReplicatedQuery => "replicated query",
            EntryPoint::Query => "non-replicated query",
            EntryPoint::CompositeQuery => "composite query",
            EntryPoint::ReplyCallback => "reply callback",
            EntryPoint::RejectCallback => "reject callback",
            EntryPoint::CompositeReplyCallback => "composite reply callback",
            EntryPoint::CompositeRejectCallback => "composite reject callback",
            EntryPoint::Cleanup => "cleanup",
            EntryPoint::CompositeCleanup => "composite cleanup",
            EntryPoint::InspectMessage => "inspect message",
            EntryPoint::SystemTask => "system task",
        })
    }
}

/// A set of entry points.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EntryPoints(u16);

impl EntryPoints {
    /// The set of these.
    pub(super) const fn of(points: &[EntryPoint]) -> Self {
        let mut bits = 0;
        let mut i = 0;
        while i < points.len() {
            bits |= 1 << points[i] as u8;
            i += 1;
        }
        EntryPoints(bits)
    }

    /// These and those.
    pub(super) const fn or(self, other: EntryPoints) -> Self {
        EntryPoints(self.0 | other.0)
    }

    /// These without one.
    pub(super) const fn without(self, point: EntryPoint) -> Self {
        EntryPoints(self.0 & !(1 << point as u8))
    }

    /// Whether `point` is in the set.
    pub fn contains(self, point: EntryPoint) -> bool {
        self.0 & (1 << point as u8) != 0
    }
}
