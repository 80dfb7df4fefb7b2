//! The replica's clock, and what becomes due: timers, heartbeats, the low-memory hook, the end of
//! waiting, and payment.

use std::time::Duration;

use crate::canister::{Status, StopCall};
use crate::message::{CanisterId, ErrorCode, Message, Reject, Response, SystemTask, Time};
use crate::replica::Replica;

/// How long a call of `stop_canister` waits, in nanoseconds: 5 minutes.
const STOP_TIMEOUT: Time = 5 * 60 * 1_000_000_000;

impl Replica {
    /// Moves the clock forward by `duration`: bounded-wait calls whose time is over end, timers and
    /// heartbeats become due.
    pub fn advance_time(&mut self, duration: Duration) {
        let nanoseconds = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        self.set_time(self.time().saturating_add(nanoseconds));
        self.tick();
    }

    /// Sets the clock to `time`, if that is later: bounded-wait calls whose time is over end, and
    /// timers become due.
    pub fn set_time(&mut self, time: Time) {
        self.environment.time = self.environment.time.max(time);
        self.expire_calls();
    }

    /// When the next deadline of a call, the next timer, or the end of a call of `stop_canister` is due.
    /// What is due already counts no more.
    pub fn next_due(&self) -> Option<Time> {
        let later = |due: &Time| *due > self.time();
        let deadline = self.deadlines.iter().map(|(due, ..)| *due).find(later);
        let timer = self.timers.iter().map(|(due, _)| *due).find(later);
        let stops = self.canisters.iter().flat_map(|one| match &one.status {
            Status::Stopping { waiting } => waiting.as_slice(),
            Status::Running | Status::Stopped => &[],
        });
        let stop = stops.map(|call| call.since + STOP_TIMEOUT).filter(later);
        [deadline, timer, stop.min()].into_iter().flatten().min()
    }

    /// What happens from time to time: heartbeats, and what could not be done before is tried again.
    pub fn tick(&mut self) {
        self.charge_for_time();
        self.expire_stop_calls();
        for canister in std::mem::take(&mut self.postponed) {
            self.watch_timer(canister);
            self.notice_low_memory(canister);
        }
        let task = SystemTask::Heartbeat;
        for canister in self.canisters.iter() {
            let code = canister.code.as_ref();
            let has_heartbeat = code.is_some_and(|code| code.module.has_hook(task.export()));
            if has_heartbeat && canister.is_running() && !self.pool.has_task(canister.id, task) {
                self.pool.push(Message::Task(canister.id, task));
            }
        }
    }

    /// Ends the bounded-wait calls whose deadline has passed with SYS_UNKNOWN.
    fn expire_calls(&mut self) {
        while let Some((deadline, canister, id)) = self.deadlines.first().copied()
            && deadline <= self.environment.time
        {
            self.deadlines.pop_first();
            let caller = self.canisters.get(&canister);
            let Some(callback) = caller.and_then(|caller| caller.callbacks.get(&id)) else {
                continue;
            };
            if self.pool.has_response(canister, id) {
                continue;
            }
            let respondent = callback.respondent;
            // A request that was never delivered brings its cycles back.
            let undelivered = self.pool.take_request(canister, id);
            self.pool.push(Message::Response(Response {
                receiver: canister,
                callback: id,
                respondent,
                result: Err(Reject::in_place_of_callee(
                    ErrorCode::DeadlineExpired,
                    "Call deadline has expired.",
                )),
                refund: undelivered.map_or(0, |request| request.cycles),
            }));
        }
    }

    /// Rejects the calls of `stop_canister` that have waited too long. The canister goes on
    /// stopping.
    fn expire_stop_calls(&mut self) {
        let now = self.environment.time;
        let late = |call: &StopCall| now - call.since >= STOP_TIMEOUT;
        let stopping = self
            .canisters
            .iter()
            .filter(|canister| match &canister.status {
                Status::Stopping { waiting } => waiting.iter().any(late),
                Status::Running | Status::Stopped => false,
            });
        let stopping: Vec<CanisterId> = stopping.map(|canister| canister.id).collect();
        let mut expired = Vec::new();
        for id in stopping {
            if let Some(canister) = self.canisters.get_mut(&id)
                && let Status::Stopping { waiting } = &mut canister.status
            {
                expired.extend(waiting.extract_if(.., |call| late(call)));
            }
        }
        let reject = Reject::new(
            ErrorCode::StopCanisterRequestTimeout,
            "Stop canister request timed out",
        );
        self.answer_stop_calls(expired, &Err(reject));
    }

    /// Remembers when a canister's timer is due, instead of what was remembered before.
    pub(crate) fn watch_timer(&mut self, canister: CanisterId) {
        if let Some(old) = self.watched.remove(&canister) {
            self.timers.remove(&(old, canister));
        }
        let timer = self.canisters.get(&canister).map_or(0, |c| c.global_timer);
        if timer > 0 {
            self.timers.insert((timer, canister));
            self.watched.insert(canister, timer);
        }
    }

    /// Sends the timers that are due.
    pub(crate) fn schedule_due_timers(&mut self) {
        let now = self.environment.time;
        while let Some((due, id)) = self.timers.first().copied()
            && due <= now
        {
            self.timers.pop_first();
            let Some(canister) = self.canisters.get(&id) else {
                continue;
            };
            // The timer may have been set anew since; and it waits while the canister is stopped.
            let task = SystemTask::GlobalTimer;
            if canister.global_timer == due
                && canister.is_running()
                && !self.pool.has_task(id, task)
            {
                self.pool.push(Message::Task(id, task));
            }
        }
    }

    /// Has `canister_on_low_wasm_memory` run next if the memory has become scarce.
    pub(crate) fn notice_low_memory(&mut self, id: CanisterId) {
        let Some(canister) = self.canisters.get(&id) else {
            return;
        };
        let task = SystemTask::OnLowWasmMemory;
        let code = canister.code.as_ref();
        let Some(code) = code.filter(|code| code.module.has_hook(task.export())) else {
            return;
        };
        if canister.settings.wasm_memory_threshold == 0 {
            return;
        }
        let low = canister.is_memory_low(code, &self.environment.limits);
        if low == canister.low_memory_noticed {
            return;
        }
        if low {
            self.pool.push_first(Message::Task(id, task));
        }
        if let Some(canister) = self.canisters.get_mut(&id) {
            canister.low_memory_noticed = low;
        }
    }
}
