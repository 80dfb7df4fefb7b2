//! A schedule: which messages were delivered, in which order, and how. It can be written down and
//! followed again.

use std::fmt;
use std::str::FromStr;

use crate::message_name::MessageName;

/// What can go wrong.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Fault {
    /// A message is executed to its end, and traps there.
    Trap,
    /// The system rejects a request in place of the callee.
    Reject,
    /// A bounded-wait request, or its response, gets lost.
    Lose,
    /// A canister is stopped just before it gets a message. It is started again when nothing else
    /// can happen.
    Stop,
    /// A canister is upgraded, to the code that it has, just before it gets a message.
    Upgrade,
    /// The clock moves to the next deadline or timer while messages wait.
    Late,
}

/// The faults, and what they are called.
const WORDS: [(Fault, &str); 6] = [
    (Fault::Trap, "trap"),
    (Fault::Reject, "reject"),
    (Fault::Lose, "lose"),
    (Fault::Stop, "stop"),
    (Fault::Upgrade, "upgrade"),
    (Fault::Late, "late"),
];

impl Fault {
    /// All of them.
    pub const ALL: [Fault; 6] = [
        Fault::Trap,
        Fault::Reject,
        Fault::Lose,
        Fault::Stop,
        Fault::Upgrade,
        Fault::Late,
    ];
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = WORDS.iter().find(|(fault, _)| fault == self);
        f.write_str(word.map_or("", |(_, word)| word))
    }
}

impl FromStr for Fault {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let found = WORDS.iter().find(|(_, word)| *word == text);
        found.map(|(fault, _)| *fault).ok_or_else(|| {
            let known: Vec<&str> = WORDS.iter().map(|(_, word)| *word).collect();
            format!("'{text}' is no fault: it is one of {}", known.join(", "))
        })
    }
}

/// One step of a schedule.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Step {
    /// A message is delivered, perhaps with a fault other than [`Fault::Late`].
    Deliver(MessageName, Option<Fault>),
    /// [`Fault::Late`].
    Late,
    /// Nothing can be delivered: canisters that were stopped are started, and the clock moves to the
    /// next deadline or timer.
    Wait,
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Step::Deliver(name, None) => write!(f, "deliver {name}"),
            Step::Deliver(name, Some(fault)) => write!(f, "{fault} {name}"),
            Step::Late => f.write_str("late"),
            Step::Wait => f.write_str("wait"),
        }
    }
}

impl FromStr for Step {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.split_once(' ') {
            None if text == "wait" => Ok(Step::Wait),
            None if text == "late" => Ok(Step::Late),
            Some(("deliver", name)) => Ok(Step::Deliver(name.parse()?, None)),
            Some((fault, name)) if fault != "late" => {
                Ok(Step::Deliver(name.parse()?, Some(fault.parse()?)))
            }
            _ => Err(format!(
                "'{text}' is no step: it is 'wait', 'late', or 'deliver' or a fault and the message"
            )),
        }
    }
}

impl Step {
    /// Whether something goes wrong.
    pub fn is_fault(&self) -> bool {
        matches!(self, Step::Deliver(_, Some(_)) | Step::Late)
    }
}

/// The steps of one run, from the beginning. As text, one step a line; what follows `#` is not read.
#[derive(Clone, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Schedule(pub Vec<Step>);

impl Schedule {
    /// How many of its steps are faults.
    pub fn faults(&self) -> usize {
        self.0.iter().filter(|step| step.is_fault()).count()
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|step| writeln!(f, "{step}"))
    }
}

impl FromStr for Schedule {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let lines = text.lines().enumerate().filter_map(|(number, line)| {
            let line = line.split('#').next().unwrap_or_default().trim();
            let step = || {
                line.parse()
                    .map_err(|fault| format!("line {}: {fault}", number + 1))
            };
            (!line.is_empty()).then(step)
        });
        lines.collect::<Result<_, _>>().map(Schedule)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::IngressId;

    #[test]
    fn schedule_is_read_as_it_is_written_and_remarks_are_left_out() {
        let name = MessageName::Ingress(IngressId(3));
        let others = WORDS.iter().filter(|(fault, _)| *fault != Fault::Late);
        let mut steps: Vec<Step> = others
            .map(|(fault, _)| Step::Deliver(name, Some(*fault)))
            .collect();
        steps.extend([Step::Deliver(name, None), Step::Late, Step::Wait]);
        let schedule = Schedule(steps);
        assert_eq!(schedule.to_string().parse(), Ok(schedule.clone()));
        assert_eq!(schedule.faults(), 6);
        let remarks = "# first\n\n  deliver ingress 3 # the call\nwait\n";
        let read = Schedule(vec![Step::Deliver(name, None), Step::Wait]);
        assert_eq!(remarks.parse(), Ok(read));
    }

    #[test]
    fn what_is_no_step_is_refused_with_its_line() {
        let fault = |text: &str| text.parse::<Schedule>().unwrap_err();
        assert!(fault("wait\nsleep").starts_with("line 2: 'sleep' is no step"));
        assert!(fault("eat ingress 1").starts_with("line 1: 'eat' is no fault"));
        assert!(fault("trap me").starts_with("line 1: 'me' names no message"));
    }
}
