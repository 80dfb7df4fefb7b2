//! The plan of an exploration: calls, faults, and what is looked at.

use std::sync::{Arc, Mutex, PoisonError};

use anyhow::{Context, Result, anyhow, bail};
use candid::utils::ArgumentEncoder;
use candid::{CandidType, Principal};
use local_replica::explore::{self, Explore, Fault};
use local_replica::message::CallResult;
use serde::de::DeserializeOwned;

use crate::answer::values;
use crate::stage::Stage;

/// On how many threads it is searched. The shortest way is the same for each number above one, so that it
/// is not asked how many this machine has.
const THREADS: usize = 2;

/// What is to be gone through, from the state that the stage is in.
pub struct Plan {
    pub(super) explore: Explore,
    /// How many calls are made at the same time.
    pub(super) calls: usize,
    pub(super) faults: Vec<Fault>,
    pub(super) most_faults: usize,
    /// What is called at the end: the canister and the method.
    pub(super) afterwards: Vec<(Principal, String)>,
    user: Principal,
    /// What could not be read of what was seen.
    unread: Arc<Mutex<Option<String>>>,
}

/// What is seen at the end of an order.
pub struct Seen<'a>(&'a explore::Seen);

impl Seen<'_> {
    /// What a look saw, by its place among the looks.
    ///
    /// # Errors
    ///
    /// If there is no such look, or it saw something else.
    pub fn look<T: CandidType + DeserializeOwned>(&self, place: usize) -> Result<T> {
        let look = self.0.looks.get(place);
        let look = look.with_context(|| format!("there is no look {place}"))?;
        match look {
            Ok(reply) => {
                let seen = values(reply);
                let (seen,) = seen.with_context(|| format!("look {place} saw something else"))?;
                Ok(seen)
            }
            Err(reject) => {
                let why = reject.message.lines().next().unwrap_or_default();
                bail!("look {place}: {why}")
            }
        }
    }

    /// What the calls were answered, in their order; of calls that are the same, sorted. Nothing for
    /// one that is not answered.
    pub fn answers(&self) -> &[Option<CallResult>] {
        &self.0.answers
    }

    /// The cycles that got lost: attached to calls of which the caller was told SysUnknown.
    pub fn lost_cycles(&self) -> u128 {
        self.0.lost_cycles
    }

    /// The replies to the calls that have one.
    ///
    /// # Errors
    ///
    /// If one is something else.
    pub fn replies<T: CandidType + DeserializeOwned>(&self) -> Result<Vec<T>> {
        let replies = self.answers().iter().flatten().flatten();
        let replies = replies.map(|reply| {
            let (reply,) = values(reply).context("a call replied something else")?;
            Ok(reply)
        });
        replies.collect()
    }
}

impl Plan {
    /// Begins in the state that the stage is in. All calls are the user's.
    ///
    /// # Errors
    ///
    /// If its network is not the local replica inside this program.
    pub fn from(stage: &Stage) -> Result<Self> {
        Ok(Plan {
            explore: Explore::from(stage.replica()?).threads(THREADS),
            calls: 0,
            faults: Vec::new(),
            most_faults: 0,
            afterwards: Vec::new(),
            user: stage.user(),
            unread: Arc::default(),
        })
    }

    /// Adds a call. All calls are made at the same time.
    ///
    /// # Errors
    ///
    /// If the arguments can't be encoded, as with all that follows.
    pub fn call(
        self,
        canister: Principal,
        method: &str,
        arguments: impl ArgumentEncoder,
    ) -> Result<Self> {
        let argument = candid::encode_args(arguments)?;
        let explore = self
            .explore
            .together(self.user, canister, method, &argument);
        Ok(Plan {
            explore,
            calls: self.calls + 1,
            ..self
        })
    }

    /// Adds a call that is made when an order has come to its end, and that no fault hits: that of a
    /// user who wants to be sure.
    ///
    /// # Errors
    ///
    /// As above.
    pub fn afterwards(
        mut self,
        canister: Principal,
        method: &str,
        arguments: impl ArgumentEncoder,
    ) -> Result<Self> {
        let argument = candid::encode_args(arguments)?;
        self.afterwards.push((canister, method.to_owned()));
        let explore = self
            .explore
            .afterwards(self.user, canister, method, &argument);
        Ok(Plan { explore, ..self })
    }

    /// Adds a query, which is asked at the end of each order.
    ///
    /// # Errors
    ///
    /// As above.
    pub fn look(
        self,
        canister: Principal,
        method: &str,
        arguments: impl ArgumentEncoder,
    ) -> Result<Self> {
        let argument = candid::encode_args(arguments)?;
        let explore = self.explore.look(self.user, canister, method, &argument);
        Ok(Plan { explore, ..self })
    }

    /// Lets these faults happen, at most so many in one order.
    #[must_use]
    pub fn faults(self, faults: &[Fault], most: usize) -> Self {
        Plan {
            explore: self.explore.faults(faults.iter().copied(), most),
            faults: faults.to_vec(),
            most_faults: most,
            ..self
        }
    }

    /// The most times that an order waits for the clock; 3 if nothing is said.
    #[must_use]
    pub fn most_waits(self, most: usize) -> Self {
        Plan {
            explore: self.explore.most_waits(most),
            ..self
        }
    }

    /// What must be true at the end of each order.
    #[must_use]
    pub fn at_end(self, holds: impl Fn(&Seen<'_>) -> Result<bool> + Send + Sync + 'static) -> Self {
        let holds = self.reading(holds);
        Plan {
            explore: self.explore.at_end("it is right", holds),
            ..self
        }
    }

    /// What must be true at the end of some order: else what is checked could never fail.
    #[must_use]
    pub fn sometimes(
        self,
        what: &str,
        holds: impl Fn(&Seen<'_>) -> Result<bool> + Send + Sync + 'static,
    ) -> Self {
        let holds = self.reading(holds);
        Plan {
            explore: self.explore.sometimes(what, holds),
            ..self
        }
    }

    /// The check, which keeps what it can't read. Many orders come out the same, and what was seen before
    /// is not decoded once more.
    fn reading(
        &self,
        holds: impl Fn(&Seen<'_>) -> Result<bool> + Send + Sync + 'static,
    ) -> impl Fn(&explore::Seen) -> bool + Send + Sync + 'static {
        let unread = Arc::clone(&self.unread);
        let known: Mutex<Vec<(explore::Seen, bool)>> = Mutex::default();
        move |seen| {
            let mut known = known.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some((_, answer)) = known.iter().find(|(other, _)| other == seen) {
                return *answer;
            }
            let answer = holds(&Seen(seen)).unwrap_or_else(|error| {
                let mut unread = unread.lock().unwrap_or_else(PoisonError::into_inner);
                unread.get_or_insert(format!("{error:#}"));
                false
            });
            known.push((seen.clone(), answer));
            answer
        }
    }

    /// Whether all that was seen could be read.
    pub(super) fn check(&self) -> Result<()> {
        let mut unread = self.unread.lock().unwrap_or_else(PoisonError::into_inner);
        unread.take().map_or(Ok(()), |why| Err(anyhow!(why)))
    }
}
