//! Follows a schedule step by step, and tells what each step did.

use super::report::Seen;
use super::schedule::Schedule;
use super::setup::Explore;
use super::walk::{Told, Walk};
use crate::message::{IngressId, Reject};
use crate::replica::Replica;

impl Explore {
    /// How the calls were taken in, in the order in which they were added: under which ids, or why
    /// not.
    pub fn calls(&self) -> &[Result<IngressId, Reject>] {
        &self.calls
    }

    /// Follows a schedule from the beginning. Returns the replica as it is then; its timeline has
    /// what happened.
    ///
    /// # Errors
    ///
    /// If a step can't be taken: the schedule belongs to other calls, or to another state.
    pub fn replay(&self, schedule: &Schedule) -> Result<Replica, String> {
        let followed = self.walk_along(schedule).map_err(|(number, fault)| {
            let step = schedule.0[number];
            format!("step {} ('{step}'): {fault}", number + 1)
        });
        Ok(followed?.0.into_replica())
    }

    /// Follows a schedule from the beginning, as [`Explore::replay`] does. Returns what each step did,
    /// and what is seen then.
    ///
    /// # Errors
    ///
    /// The number of the step that can't be taken, counted from 0, and why.
    pub fn tell(&self, schedule: &Schedule) -> Result<(Vec<Told>, Seen), (usize, String)> {
        let (mut walk, told) = self.walk_along(schedule)?;
        let replica = walk.replica();
        let looks = self.look_at(replica);
        let seen = self.see(replica, looks, schedule.0.iter());
        Ok((told, seen))
    }

    fn walk_along(&self, schedule: &Schedule) -> Result<(Walk, Vec<Told>), (usize, String)> {
        let mut walk = Walk::from(&self.start);
        let steps = schedule.0.iter().enumerate();
        let told = steps.map(|(number, step)| walk.take(*step).map_err(|fault| (number, fault)));
        let told = told.collect::<Result<_, _>>()?;
        Ok((walk, told))
    }
}
