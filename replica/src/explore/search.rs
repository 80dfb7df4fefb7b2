//! The search: every order of deliveries, up to the exchange of steps that do not concern each
//! other.
//!
//! It goes down one order to its end, and looks at each step for an earlier one that it could have
//! come before: there another order begins, which is gone down later (dynamic partial-order
//! reduction with source sets; Abdulla et al., "Optimal dynamic partial order reduction", 2014).
//! What was gone down is not gone down again in another place: it sleeps there until something
//! happens that concerns it. So each order is run once, up to exchanges.

use std::collections::{BTreeMap, BTreeSet};

use super::path::{Place, Set, Taken};
use super::run::{Bounds, Choice, Concern, Rules, can_wait, take};
use super::schedule::{Fault, Step};
use crate::message::CanisterId;
use crate::message_name::MessageName;
use crate::replica::Replica;

/// What somebody wants to know of a search.
pub(super) trait Visitor: Sized {
    /// Called after each step, and once before the first.
    fn after(&mut self, replica: &mut Replica, place: &Place<'_>);

    /// Called at the end of each order.
    fn end(&mut self, replica: &mut Replica, place: &Place<'_>, end: End);

    /// One for a part of the search that begins here.
    fn for_part(&self) -> Self;
}

/// How an order ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum End {
    /// Nothing can happen any more.
    Quiet,
    /// It has as many steps, or waits, as one may have.
    Cut,
}

/// What can happen next, whether with a fault or without.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Event {
    Message(MessageName),
    Late,
}

/// A step that need not be taken, and what it concerns.
type Asleep = (MessageName, Option<Fault>, Concern);

fn event(step: Step) -> Option<Event> {
    match step {
        Step::Deliver(name, _) => Some(Event::Message(name)),
        Step::Late => Some(Event::Late),
        Step::Wait => None,
    }
}

/// What a state was arrived at with.
#[derive(Clone, Default)]
struct Arrival {
    /// The canisters that a fault has stopped.
    stopped: BTreeSet<CanisterId>,
    /// Which step sent the messages that wait.
    senders: BTreeMap<MessageName, Option<usize>>,
    /// Which steps need not be gone down from here: they were before, and would lead to the same.
    asleep: Vec<Asleep>,
    faults: usize,
    waits: usize,
}

/// A state on the way, and what was and is to be gone down from it.
struct Frame {
    /// The state, for all choices but the first.
    state: Replica,
    arrival: Arrival,
    choices: Vec<Choice>,
    /// Whether the clock can run ahead here.
    late: bool,
    /// What is to be gone down, and what was.
    wanted: BTreeSet<Event>,
    done: BTreeSet<Event>,
    /// The steps that are left of what is gone down now.
    left: Vec<Step>,
}

/// A part of a search: everything that begins with some steps.
pub(super) struct Part<V> {
    path: Vec<Taken>,
    state: Replica,
    arrival: Arrival,
    /// What was seen on the way.
    visitor: V,
}

impl<V> Part<V> {
    /// Everything without a fault that begins with steps that led to this state, in which these canisters
    /// are stopped.
    pub(super) fn after(
        path: Vec<Taken>,
        state: &Replica,
        stopped: BTreeSet<CanisterId>,
        visitor: V,
    ) -> Self {
        let waits = path.iter().filter(|taken| taken.step == Step::Wait).count();
        let senders = state.pool.iter().map(|message| (message.name(), None));
        let arrival = Arrival {
            stopped,
            senders: senders.collect(),
            waits,
            ..Arrival::default()
        };
        Part {
            path,
            state: state.fork(),
            arrival,
            visitor,
        }
    }
}

/// A search under way.
pub(super) struct Search<'a, V> {
    rules: &'a Rules,
    bounds: Bounds,
    path: Vec<Taken>,
    /// How many steps were taken before the first frame.
    first: usize,
    frames: Vec<Frame>,
    /// After how many steps the search is divided into parts, if it is.
    divided_at: usize,
    pub(super) parts: Vec<Part<V>>,
}

impl<'a, V: Visitor> Search<'a, V> {
    /// A search that goes through everything by itself.
    pub(super) fn new(rules: &'a Rules, bounds: Bounds) -> Self {
        Search {
            rules,
            bounds,
            path: Vec::new(),
            first: 0,
            frames: Vec::new(),
            divided_at: usize::MAX,
            parts: Vec::new(),
        }
    }

    /// A search that goes on for so many steps, in every order, and leaves the rest as
    /// [parts](Search::parts).
    pub(super) fn divided(rules: &'a Rules, bounds: Bounds, divided_at: usize) -> Self {
        Search {
            divided_at,
            ..Search::new(rules, bounds)
        }
    }

    /// Goes through all orders from `replica`'s state. `go_on` is asked before each step. Returns
    /// whether that were all.
    pub(super) fn run(
        &mut self,
        mut replica: Replica,
        visitor: &mut V,
        go_on: &mut impl FnMut() -> bool,
    ) -> bool {
        replica.schedule_due_timers();
        visitor.after(&mut replica, &Place { path: &self.path });
        let senders = replica.pool.iter().map(|message| (message.name(), None));
        let arrival = Arrival {
            senders: senders.collect(),
            ..Arrival::default()
        };
        self.enter(&mut replica, arrival, visitor);
        self.go_down(&mut replica, visitor, go_on)
    }

    /// Goes through all orders of a part, in `replica`, whatever state that is in. Returns the part's
    /// visitor, and whether that were all.
    pub(super) fn run_part(
        mut self,
        part: Part<V>,
        replica: &mut Replica,
        go_on: &mut impl FnMut() -> bool,
    ) -> (V, bool) {
        self.first = part.path.len();
        self.path = part.path;
        let mut visitor = part.visitor;
        replica.return_to(&part.state);
        self.enter(replica, part.arrival, &mut visitor);
        let complete = self.go_down(replica, &mut visitor, go_on);
        (visitor, complete)
    }

    fn go_down(
        &mut self,
        replica: &mut Replica,
        visitor: &mut V,
        go_on: &mut impl FnMut() -> bool,
    ) -> bool {
        // Whether `replica` is in the state of the last frame.
        let mut is_there = true;
        while let Some(step) = self.next_step() {
            if !go_on() {
                return false;
            }
            let last = self.frames.len() - 1;
            let depth = self.first + last;
            self.path.truncate(depth);
            let frame = &self.frames[last];
            if !is_there {
                replica.return_to(&frame.state);
            }
            let taken = self.taken_from(replica, step);
            let before = &frame.arrival;
            let may_be_late = before.faults < self.bounds.faults && self.rules.can_be_late(replica);
            let asleep = before.asleep.iter().filter(|(name, _, concern)| {
                event(step) != Some(Event::Message(*name)) && !concern.meets(taken.concern)
            });
            let mut arrival = Arrival {
                asleep: asleep.copied().collect(),
                stopped: before.stopped.clone(),
                senders: before.senders.clone(),
                faults: before.faults + usize::from(step.is_fault()),
                waits: before.waits + usize::from(step == Step::Wait),
            };
            if take(replica, step, &mut arrival.stopped).is_err() {
                unreachable!("the choices are those that can be taken");
            }
            match event(step) {
                Some(event) => self.find_races(event, &taken),
                // The clock could have run ahead of something that was delivered before.
                None if may_be_late => self.find_races(Event::Late, &taken),
                None => {}
            }
            if let Step::Deliver(name, fault) = step {
                let sleeping = (name, fault, taken.concern);
                self.frames[last].arrival.asleep.push(sleeping);
            }
            self.path.push(taken);
            for message in replica.pool.iter() {
                let sender = arrival.senders.entry(message.name());
                sender.or_insert(Some(depth));
            }
            let waits = |name: &MessageName| replica.pool.contains(*name);
            arrival.senders.retain(|name, _| waits(name));
            visitor.after(replica, &Place { path: &self.path });
            self.enter(replica, arrival, visitor);
            is_there = self.frames.len() > last + 1;
        }
        true
    }

    /// Arrives in a state: at an end, or where something can happen.
    fn enter(&mut self, replica: &mut Replica, arrival: Arrival, visitor: &mut V) {
        let mut choices = self.rules.choices(replica);
        let may_fail = arrival.faults < self.bounds.faults;
        if !may_fail {
            let normally = |choice: &mut Choice| choice.ways.truncate(1);
            choices.iter_mut().for_each(normally);
        }
        let late = may_fail && !choices.is_empty() && self.rules.can_be_late(replica);
        let waits = choices.is_empty() && can_wait(replica, &arrival.stopped);
        let steps = self.path.len();
        let cut = steps >= self.bounds.steps || waits && arrival.waits >= self.bounds.waits;
        if cut || choices.is_empty() && !waits {
            let end = match cut && (waits || !choices.is_empty()) {
                true => End::Cut,
                false => End::Quiet,
            };
            return visitor.end(replica, &Place { path: &self.path }, end);
        }
        if steps == self.divided_at {
            self.parts.push(Part {
                path: self.path.clone(),
                state: replica.fork(),
                arrival,
                visitor: visitor.for_part(),
            });
            return;
        }
        let is_awake = |choice: &&Choice| {
            let sleeps = |fault: &Option<Fault>| sleeps(&arrival.asleep, choice.name, *fault);
            !choice.ways.iter().all(sleeps)
        };
        let awake = choices.iter().filter(is_awake);
        let awake = awake.map(|choice| Event::Message(choice.name));
        // Where a search is divided, nobody finds out later what is to be gone down too.
        let most = match self.divided_at {
            usize::MAX => 1,
            _ => usize::MAX,
        };
        let late_event = late.then_some(Event::Late);
        let wanted: BTreeSet<Event> = awake.take(most).chain(late_event).collect();
        let left: Vec<Step> = waits.then_some(Step::Wait).into_iter().collect();
        if wanted.is_empty() && left.is_empty() {
            // All of it was gone down elsewhere.
            return;
        }
        self.frames.push(Frame {
            state: replica.fork(),
            arrival,
            choices,
            late,
            wanted,
            done: BTreeSet::new(),
            left,
        });
    }

    /// The next step to take, from the last frame that has one; the others are done.
    fn next_step(&mut self) -> Option<Step> {
        loop {
            let frame = self.frames.last_mut()?;
            while let Some(step) = frame.left.pop() {
                match step {
                    Step::Deliver(name, fault) if sleeps(&frame.arrival.asleep, name, fault) => {}
                    step => return Some(step),
                }
            }
            let next = frame.wanted.difference(&frame.done).next().copied();
            let Some(next) = next else {
                self.frames.pop();
                continue;
            };
            frame.done.insert(next);
            frame.left = match next {
                Event::Late => vec![Step::Late],
                Event::Message(name) => {
                    let choice = frame.choices.iter().find(|choice| choice.name == name);
                    // The last is gone down first.
                    let ways = choice
                        .into_iter()
                        .flat_map(|choice| choice.ways.iter().rev());
                    ways.map(|fault| Step::Deliver(name, *fault)).collect()
                }
            };
        }
    }

    /// A step from the last frame, with the steps that must come before it.
    fn taken_from(&self, replica: &Replica, step: Step) -> Taken {
        let frame = &self.frames[self.frames.len() - 1];
        let Step::Deliver(name, _) = step else {
            let mut before = Set::default();
            (0..self.path.len()).for_each(|place| before.insert(place));
            return Taken {
                step,
                concern: Concern::All,
                before,
                request: None,
                departs: false,
            };
        };
        let choice = frame.choices.iter().find(|choice| choice.name == name);
        let receiver = choice.map_or(CanisterId::anonymous(), |choice| choice.receiver);
        let sender = choice.and_then(|choice| choice.sender);
        let concern = self.rules.concern(replica, receiver);
        let request = sender.map(|sender| (sender, receiver));
        let oldest = frame.choices.first();
        let mut taken = Taken {
            step,
            concern,
            before: Set::default(),
            request,
            departs: oldest.is_some_and(|oldest| oldest.name != name),
        };
        taken.before = self.enabling(&taken);
        for (place, earlier) in self.path.iter().enumerate().rev() {
            if earlier.concern.meets(concern) && !taken.before.contains(place) {
                taken.before.insert(place);
                taken.before.add(&earlier.before);
            }
        }
        taken
    }

    /// The steps without which a step could not be taken.
    fn enabling(&self, taken: &Taken) -> Set {
        let mut enabling = Set::default();
        let Step::Deliver(name, _) = taken.step else {
            return enabling;
        };
        let mut add = |place: usize| {
            enabling.insert(place);
            enabling.add(&self.path[place].before);
        };
        let frame = &self.frames[self.frames.len() - 1];
        if let Some(Some(sent)) = frame.arrival.senders.get(&name) {
            add(*sent);
        }
        let is_before = |earlier: &Taken| match (earlier.step, taken.request) {
            // Requests from one canister to another keep their order, and so do calls that are the
            // same.
            (_, Some(request)) => earlier.request == Some(request),
            (Step::Deliver(other, _), None) => {
                let first = self.rules.same.get(&name);
                first.is_some() && first == self.rules.same.get(&other)
            }
            (Step::Wait | Step::Late, None) => false,
        };
        if let Some(place) = self.path.iter().rposition(is_before) {
            add(place);
        }
        enabling
    }

    /// Finds the steps that this one could have come before, and has that gone down too.
    fn find_races(&mut self, event: Event, taken: &Taken) {
        let enabling = self.enabling(taken);
        // Those that directly come before it: nothing else comes between.
        let mut covered = Set::default();
        for place in (0..self.path.len()).rev() {
            let earlier = &self.path[place];
            if !earlier.concern.meets(taken.concern) || covered.contains(place) {
                continue;
            }
            covered.insert(place);
            covered.add(&earlier.before);
            if enabling.contains(place) || matches!(earlier.step, Step::Wait) {
                continue;
            }
            self.reverse(place, event, &taken.before);
        }
    }

    /// Has an order gone down in which `last` comes before the step at `place`.
    fn reverse(&mut self, place: usize, last: Event, before: &Set) {
        let Some(frame) = place.checked_sub(self.first) else {
            // Before a part, everything is gone down anyway.
            return;
        };
        // What would come first in it: of the steps after `place` that need not come after it, those
        // that need none of the others, and the last itself if it needs none.
        let mut first: Vec<Event> = Vec::new();
        let mut others = Set::default();
        for (other, step) in self.path.iter().enumerate().skip(place + 1) {
            if step.before.contains(place) {
                continue;
            }
            if !others.meets(&step.before) {
                first.extend(event(step.step));
            }
            others.insert(other);
        }
        if !others.meets(before) {
            first.push(last);
        }
        let frame = &mut self.frames[frame];
        if !first.iter().any(|event| frame.wanted.contains(event)) {
            let possible = |event: &&Event| match event {
                Event::Late => frame.late,
                Event::Message(name) => frame.choices.iter().any(|choice| choice.name == *name),
            };
            frame.wanted.extend(first.iter().find(possible));
        }
    }
}

fn sleeps(asleep: &[Asleep], name: MessageName, fault: Option<Fault>) -> bool {
    asleep.iter().any(|(n, f, _)| (*n, *f) == (name, fault))
}
