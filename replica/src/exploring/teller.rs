//! Tells stories: takes the steps that somebody has chosen, one after the other.

use std::collections::BTreeSet;
use std::time::Duration;

use super::calls::Calls;
use super::diagram::draw;
use super::interface::Method;
use super::names::Names;
use super::numbers::Numbers;
use super::prepare::Prepared;
use super::steps::Speaker;
use super::story::{Found, Stories, Story, Taken, Told, Waiting, Wanted};
use super::wire::{Call, Case, Progress, Step};
use super::words;
use crate::explore::{self, Walk};
use crate::replica::Replica;

/// The most steps of a story.
const MAX_STEPS: usize = 2_000;

/// The most queries that a story looks at.
const MAX_LOOKS: usize = 16;

/// The furthest that one step moves the clock, in seconds: ten years.
const MAX_SECONDS: u64 = 10 * 365 * 24 * 60 * 60;

/// Tells stories that begin with one state. It remembers the last: what the next has in common with
/// it is not executed again.
pub struct Teller {
    start: Replica,
    /// Where stories begin.
    first: Walk,
    /// What takes all steps. The others keep states, and nothing runs in them.
    runner: Walk,
    /// The story that was told last, as far as it went.
    known: Vec<Point>,
    /// The calls that it made.
    calls: Calls,
    /// What was looked at.
    looks: Vec<Call>,
}

/// Where a story was after a step.
struct Point {
    /// The step as it was asked for, with ids in place of names.
    asked: Asked,
    walk: Walk,
    /// How many calls were made.
    calls: usize,
    taken: Taken,
}

/// A step, understood as far as that goes without a state.
#[derive(Clone, PartialEq)]
enum Asked {
    Call(Call),
    Clock(u64),
    Scheduled(String),
}

impl Teller {
    /// Tells what comes after the state that `replica` is in. It is not changed.
    pub fn new(replica: &Replica) -> Self {
        Teller {
            start: replica.fork(),
            first: Walk::from(replica),
            runner: Walk::from(replica),
            known: Vec::new(),
            calls: Calls::default(),
            looks: Vec::new(),
        }
    }

    /// Who tells what comes after the same state.
    pub fn fork(&self) -> Self {
        Teller::new(&self.start)
    }

    /// Tells a story. A step that can't be taken ends it, and [`Told::fault`] says why.
    ///
    /// # Errors
    ///
    /// In one line: what is looked at can't be asked, or the story is too long.
    pub fn tell(&mut self, story: &Story) -> Result<Told, String> {
        let looks = self.looks(story)?;
        if story.steps.len() > MAX_STEPS {
            return Err(format!("a story has at most {MAX_STEPS} steps"));
        }
        let queries: Vec<Call> = looks.iter().map(|(call, _)| call.clone()).collect();
        if queries != self.looks {
            self.forget(0);
            self.looks = queries;
        }
        let mut fault = None;
        let mut taken = 0;
        for text in &story.steps {
            let went = read(text, story).and_then(|asked| match self.known.get(taken) {
                Some(point) if point.asked == asked => Ok(()),
                _ => {
                    self.forget(taken);
                    let point = self.take(asked, &looks)?;
                    self.known.push(point);
                    Ok(())
                }
            });
            if let Err(why) = went {
                fault = Some(format!("'{text}': {why}"));
                break;
            }
            taken += 1;
        }
        let steps: Vec<Taken> = self.known[..taken]
            .iter()
            .map(|p| p.taken.clone())
            .collect();
        self.runner.return_to(&self.first);
        let first_looks = look(&mut self.runner, &looks);
        let walk = self.walk_after(taken);
        let calls = self.calls_after(taken);
        let numbers = Numbers::new(&self.start, &self.calls.made[..calls]);
        let waiting = walk.waiting().into_iter();
        let waiting = waiting.map(|waiting| told_waiting(&numbers, waiting));
        let users = self.calls.called[..calls].iter().map(|(call, _)| call.user);
        let names = given_names(story);
        let users: BTreeSet<_> = users.collect();
        Ok(Told {
            waiting: waiting.collect(),
            late: walk.can_be_late(),
            wait: walk.can_wait(),
            time: walk.time(),
            users: users
                .iter()
                .map(|user| user.principal())
                .map(|principal| (principal, names.who(&principal, &users)))
                .collect(),
            looks: first_looks,
            steps,
            fault,
        })
    }

    /// A story as a Mermaid sequence diagram.
    ///
    /// # Errors
    ///
    /// In one line: the story can't be told to its end.
    pub fn draw(&mut self, story: &Story) -> Result<String, String> {
        let told = self.tell(story)?;
        if let Some(fault) = told.fault {
            return Err(fault);
        }
        let steps: Vec<Step> = told.steps.into_iter().map(|taken| taken.step).collect();
        let called = self.calls.called[..self.calls_after(steps.len())].iter();
        let calls: Vec<Call> = called.map(|(call, _)| call.clone()).collect();
        Ok(draw(&steps, &calls, &given_names(story)))
    }

    /// Explores every order of the calls that a story ends with, in the state to which the steps
    /// before them lead.
    ///
    /// # Errors
    ///
    /// In one line: the story does not end with a call, or can't be told; or what is wanted can't be
    /// had.
    pub fn explore(
        &mut self,
        story: &Story,
        wanted: &Wanted,
        watch: &mut dyn FnMut(Progress) -> bool,
    ) -> Result<Found, String> {
        let (case, before) = self.case(story, wanted)?;
        let told = self.tell(&Story {
            steps: story.steps[..before].to_vec(),
            ..story.clone()
        })?;
        if let Some(fault) = told.fault {
            return Err(fault);
        }
        let made = self.calls.made[..self.calls_after(before)].to_vec();
        let mut walk = self.walk_after(before).fork();
        let prepared = Prepared::later(self.start.fork(), made, walk.replica(), &case)?;
        let report = prepared.run(watch);
        let names = given_names(story);
        let speaker = Speaker::new(&names, &report.calls);
        let whole = |steps: &[Step]| -> Vec<String> {
            let steps = steps.iter().map(|step| step.step.clone());
            story.steps.iter().cloned().chain(steps).collect()
        };
        let failures = report.failures.iter();
        let sentences = failures.map(|failure| speaker.sentence(failure, &report.looks));
        Ok(Found {
            sentences: sentences.collect(),
            stories: Stories {
                failures: report.failures.iter().map(|f| whole(&f.schedule)).collect(),
                nearest: report
                    .failures
                    .iter()
                    .map(|f| f.nearest.as_ref().map(|nearest| whole(&nearest.schedule)))
                    .collect(),
                outcomes: report.outcomes.iter().map(|o| whole(&o.schedule)).collect(),
            },
            report,
        })
    }

    /// What is to be explored, and how many steps come before.
    fn case(&self, story: &Story, wanted: &Wanted) -> Result<(Case, usize), String> {
        let mut together = Vec::new();
        let mut before = story.steps.len();
        for text in story.steps.iter().rev() {
            let Asked::Call(call) = read(text, story)? else {
                break;
            };
            together.insert(0, call);
            before -= 1;
        }
        if together.is_empty() {
            return Err(
                "a story that is explored ends with the calls that are made at the same time"
                    .to_owned(),
            );
        }
        let mut names = given_names(story);
        let lines = wanted.properties.join("\n");
        let read = words::read_schedule(&lines, &mut |name| names.resolve(name))?;
        if !read.schedule.is_empty() || !read.case.together.is_empty() {
            return Err(format!("'{lines}' is no list of properties"));
        }
        let case = Case {
            together,
            faults: wanted.faults.clone(),
            max_faults: wanted.max_faults,
            limit: wanted.limit,
            ..read.case
        };
        Ok((case, before))
    }

    fn looks(&self, story: &Story) -> Result<Vec<(Call, Method)>, String> {
        if story.looks.len() > MAX_LOOKS {
            return Err(format!("a story looks at no more than {MAX_LOOKS} queries"));
        }
        let mut names = given_names(story);
        let looks = story.looks.iter().map(|text| {
            let call = words::call(text, &mut |name| names.resolve(name))?;
            let method = Method::of(&self.start, &call, true)?;
            // It is checked here, and made again whenever it is asked.
            method.argument(&call)?;
            Ok((call, method))
        });
        looks.collect()
    }

    /// Takes a step after those that are known.
    fn take(&mut self, asked: Asked, looks: &[(Call, Method)]) -> Result<Point, String> {
        let here = self.known.last().map_or(&self.first, |point| &point.walk);
        self.runner.return_to(here);
        let taken = self.act(&asked, looks)?;
        Ok(Point {
            asked,
            walk: self.runner.fork(),
            calls: self.calls.made.len(),
            taken,
        })
    }

    fn act(&mut self, asked: &Asked, looks: &[(Call, Method)]) -> Result<Taken, String> {
        let walk = &mut self.runner;
        let mut refused = None;
        let step = match asked {
            Asked::Call(call) => {
                let (message, why) = self.calls.make(call, walk.replica())?;
                refused = why;
                Step {
                    step: format!("call {}", words::write_call(call, &call.canister.to_text())),
                    message,
                    events: Vec::new(),
                }
            }
            Asked::Clock(seconds) => {
                walk.advance(Duration::from_secs(*seconds));
                Step {
                    step: format!("clock {seconds}"),
                    message: None,
                    events: Vec::new(),
                }
            }
            Asked::Scheduled(text) => {
                let numbers = Numbers::new(&self.start, &self.calls.made);
                let told = walk.take(numbers.read(text)?)?;
                Step {
                    step: numbers.write(told.step),
                    message: told.message,
                    events: told.events,
                }
            }
        };
        Ok(Taken {
            answers: self.calls.answers(&step, walk.replica()),
            looks: look(walk, looks),
            time: walk.time(),
            step,
            refused,
        })
    }

    /// Forgets what comes after so many steps.
    fn forget(&mut self, steps: usize) {
        self.known.truncate(steps);
        let calls = self.known.last().map_or(0, |point| point.calls);
        self.calls.truncate(calls);
    }

    /// Where the story was after so many steps.
    fn walk_after(&self, steps: usize) -> &Walk {
        match steps.checked_sub(1) {
            Some(last) => &self.known[last].walk,
            None => &self.first,
        }
    }

    /// How many calls the first steps made.
    fn calls_after(&self, steps: usize) -> usize {
        steps
            .checked_sub(1)
            .map_or(0, |last| self.known[last].calls)
    }
}

/// Reads a step of a story.
fn read(text: &str, story: &Story) -> Result<Asked, String> {
    let mut names = given_names(story);
    let mut resolve = |name: &str| names.resolve(name);
    match text.trim().split_once(' ') {
        Some(("call", call)) => Ok(Asked::Call(words::call(call, &mut resolve)?)),
        Some(("clock", seconds)) => match seconds.trim().parse() {
            Ok(seconds @ 1..=MAX_SECONDS) => Ok(Asked::Clock(seconds)),
            _ => Err(format!(
                "the clock moves by a number of seconds, from 1 to {MAX_SECONDS}"
            )),
        },
        _ => Ok(Asked::Scheduled(words::resolve_step(text, &mut resolve)?)),
    }
}

fn given_names(story: &Story) -> Names {
    Names::given(&story.names)
}

fn look(walk: &mut Walk, looks: &[(Call, Method)]) -> Vec<String> {
    let replica = walk.replica();
    let looks = looks.iter().map(|(call, method)| {
        let Call {
            user,
            canister,
            method: name,
            ..
        } = call;
        match method.argument(call) {
            Ok(argument) => {
                method.tell(&replica.query(user.principal(), *canister, name, &argument))
            }
            Err(fault) => fault,
        }
    });
    looks.collect()
}

fn told_waiting(numbers: &Numbers<'_>, waiting: explore::Waiting) -> Waiting {
    let step = numbers.write(explore::Step::Deliver(waiting.message.name, None));
    let step = step.strip_prefix("deliver ").unwrap_or(&step).to_owned();
    let ways = waiting.ways.iter();
    let ways = ways.map(|fault| fault.map_or_else(|| "deliver".to_owned(), |f| f.to_string()));
    Waiting {
        step,
        ways: ways.collect(),
        message: waiting.message,
    }
}
