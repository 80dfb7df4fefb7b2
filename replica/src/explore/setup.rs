//! What is to be explored.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use candid::Principal;

use super::built_in::BuiltIn;
use super::report::{Random, Seen};
use super::run::{Bounds, Rules};
use super::schedule::Fault;
use crate::message::{CanisterId, IngressId, Reject};
use crate::message_name::MessageName;
use crate::module::MethodKind;
use crate::replica::Replica;

/// A call or a query.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Call {
    pub(super) sender: Principal,
    pub(super) canister: CanisterId,
    pub(super) method: String,
    pub(super) argument: Vec<u8>,
}

impl Call {
    fn new(sender: Principal, canister: CanisterId, method: &str, argument: &[u8]) -> Self {
        Call {
            sender,
            canister,
            method: method.to_owned(),
            argument: argument.to_vec(),
        }
    }
}

/// When a property must hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum When {
    /// After each message.
    Always,
    /// At the end of each order.
    AtEnd,
    /// At the end of some order.
    Sometimes,
}

type Check = Arc<dyn Fn(&Seen) -> bool + Send + Sync>;

#[derive(Clone)]
pub(super) struct Property {
    pub(super) name: String,
    pub(super) when: When,
    pub(super) holds: Check,
}

/// An exploration, to be described and then [run](Explore::run).
pub struct Explore {
    pub(super) start: Replica,
    /// The calls that are made at the same time, and how they were taken in.
    pub(super) calls: Vec<Result<IngressId, Reject>>,
    /// What each call is: two that are the same can't be told apart.
    pub(super) what: Vec<Call>,
    /// Calls that are made when an order has come to its end.
    pub(super) afterwards: Vec<Call>,
    /// Queries by which an outcome is told from another.
    pub(super) looks: Vec<Call>,
    pub(super) properties: Vec<Property>,
    pub(super) faults: BTreeSet<Fault>,
    pub(super) bounds: Bounds,
    pub(super) limit: u64,
    pub(super) threads: usize,
    pub(super) random: Random,
}

impl Explore {
    /// Begins with the state that `replica` is in. It is not changed.
    pub fn from(replica: &Replica) -> Self {
        let mut start = replica.fork();
        start.forget_the_past();
        Explore {
            start,
            calls: Vec::new(),
            what: Vec::new(),
            afterwards: Vec::new(),
            looks: Vec::new(),
            properties: Vec::new(),
            faults: BTreeSet::new(),
            bounds: Bounds {
                faults: 0,
                waits: 3,
                steps: 500,
            },
            limit: 1_000_000,
            threads: 1,
            random: Random::default(),
        }
    }

    /// Adds a call. All calls are made at the same time: the network has them, and delivers them in
    /// any order.
    #[must_use]
    pub fn together(
        mut self,
        sender: Principal,
        canister: CanisterId,
        method: &str,
        argument: &[u8],
    ) -> Self {
        let call = self.start.submit(sender, canister, method, argument);
        self.calls.push(call);
        self.what
            .push(Call::new(sender, canister, method, argument));
        self
    }

    /// Adds a call that is made when an order has come to its end, after those that were added before:
    /// what a user does who wants to be sure. It is executed to its end before the looks are asked, and
    /// no fault hits it. What it is answered is not kept.
    #[must_use]
    pub fn afterwards(
        mut self,
        sender: Principal,
        canister: CanisterId,
        method: &str,
        argument: &[u8],
    ) -> Self {
        self.afterwards
            .push(Call::new(sender, canister, method, argument));
        self
    }

    /// Adds a query: what it answers at the end of an order is part of the outcome.
    #[must_use]
    pub fn look(
        mut self,
        sender: Principal,
        canister: CanisterId,
        method: &str,
        argument: &[u8],
    ) -> Self {
        self.looks
            .push(Call::new(sender, canister, method, argument));
        self
    }

    /// Adds a property that must hold at first and after each message.
    ///
    /// Between two messages of different canisters more states are possible than orders that make a
    /// difference, so this costs more than [`Explore::at_end`]: the canisters that are looked at are
    /// seen in every order.
    #[must_use]
    pub fn always(self, name: &str, holds: impl Fn(&Seen) -> bool + Send + Sync + 'static) -> Self {
        self.property(name, When::Always, holds)
    }

    /// Adds a property that must hold at the end of each order.
    #[must_use]
    pub fn at_end(self, name: &str, holds: impl Fn(&Seen) -> bool + Send + Sync + 'static) -> Self {
        self.property(name, When::AtEnd, holds)
    }

    /// Adds a property that must hold at the end of some order. If it never does, what was checked was
    /// perhaps not what was meant.
    #[must_use]
    pub fn sometimes(
        self,
        name: &str,
        holds: impl Fn(&Seen) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.property(name, When::Sometimes, holds)
    }

    /// Adds a property that needs no look.
    #[must_use]
    pub fn built_in(self, property: BuiltIn) -> Self {
        self.at_end(property.name(), move |seen| property.holds(seen))
    }

    fn property(
        mut self,
        name: &str,
        when: When,
        holds: impl Fn(&Seen) -> bool + Send + Sync + 'static,
    ) -> Self {
        self.properties.push(Property {
            name: name.to_owned(),
            when,
            holds: Arc::new(holds),
        });
        self
    }

    /// Lets these faults happen, at most so many in one order.
    #[must_use]
    pub fn faults(mut self, faults: impl IntoIterator<Item = Fault>, most: usize) -> Self {
        self.faults = faults.into_iter().collect();
        self.bounds.faults = most;
        self
    }

    /// The most times that one order waits for the clock; 3 if nothing is said.
    #[must_use]
    pub fn most_waits(mut self, most: usize) -> Self {
        self.bounds.waits = most;
        self
    }

    /// The most steps of one order; 500 if nothing is said.
    #[must_use]
    pub fn most_steps(mut self, most: usize) -> Self {
        self.bounds.steps = most;
        self
    }

    /// The most deliveries in all; a million if nothing is said.
    #[must_use]
    pub fn limit(mut self, deliveries: u64) -> Self {
        self.limit = deliveries;
        self
    }

    /// Searches on so many threads; 1 if nothing is said.
    #[must_use]
    pub fn threads(mut self, number: usize) -> Self {
        self.threads = number.max(1);
        self
    }

    /// If the limit is reached, so many orders are drawn at random, with this seed; 1000 with the
    /// seed 1 if nothing is said. What is drawn are priorities, which change at random steps.
    #[must_use]
    pub fn random(mut self, orders: u64, seed: u64) -> Self {
        self.random = Random { orders, seed };
        self
    }

    pub(super) fn rules(&self) -> Rules {
        let mut same = BTreeMap::new();
        let mut first = BTreeMap::new();
        for (call, what) in self.calls.iter().zip(&self.what) {
            if let Ok(id) = call {
                let name = MessageName::Ingress(*id);
                same.insert(name, *first.entry(what).or_insert(name));
            }
        }
        let always = self.properties.iter().any(|p| p.when == When::Always);
        let looked_at = match always {
            true => self.looked_at(),
            false => Some(BTreeSet::new()),
        };
        Rules {
            faults: self.faults.clone(),
            looked_at,
            same,
        }
    }

    /// The canisters that the looks ask; nothing if that can't be known.
    fn looked_at(&self) -> Option<BTreeSet<CanisterId>> {
        let asked = self.looks.iter().map(|look| {
            let canister = self.start.canister(&look.canister)?;
            let composite = canister.find_method(&look.method) == Ok(MethodKind::CompositeQuery);
            (!composite).then_some(look.canister)
        });
        asked.collect()
    }

    /// How many orders there are for one in which calls that are the same keep their order.
    pub(super) fn exchanges(&self) -> u128 {
        let mut groups: BTreeMap<_, u128> = BTreeMap::new();
        let mut factor: u128 = 1;
        for (call, what) in self.calls.iter().zip(&self.what) {
            if call.is_ok() {
                let number = groups.entry(what).or_insert(0);
                *number += 1;
                factor = factor.saturating_mul(*number);
            }
        }
        factor
    }
}
