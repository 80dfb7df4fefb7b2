//! What is gone through in every order: a call that fails, and whether what its caller concludes is
//! true, whatever two messages suffer.

use anyhow::Result;
use candid::Nat;

use super::interface::{Conclusion, FailedCall, counter};
use crate::exploration::{Exploration, FAULTS, Fault, Plan, Seen, finds, holds};
use crate::stage::Stage;

const TRUE: &str = "what the caller concludes is true";

pub fn all() -> Vec<Exploration> {
    vec![
        finds(
            "call_with_bounded_wait",
            "a callee that adds 1; a message may get lost",
            "add 1 in a call that fails: Err does not mean that nothing happened",
            |stage| {
                let (plan, grown) = call(stage, "call_with_bounded_wait")?;
                let plan = plan.faults(&[Fault::Lose], 1);
                Ok(plan.at_end(move |seen| Ok(failed(seen)?.is_none() || grown(seen)? == 0)))
            },
        ),
        concludes(
            "call_increment",
            "a callee that adds 1",
            &[("nothing happened", Conclusion::NothingHappened, 0)],
        ),
        concludes(
            "call_callee_trapping_after_await",
            "a callee that adds 1, awaits, adds 1 and traps",
            &[
                ("it ended and added 0", Conclusion::UnknownButCallEnded, 0),
                ("it ended and added 1", Conclusion::UnknownButCallEnded, 1),
            ],
        ),
        concludes(
            "call_rejecting_callee",
            "a callee that adds 1 and rejects",
            &[("it rejected", Conclusion::AsTheCalleeSays, 1)],
        ),
        concludes(
            "call_with_bounded_wait",
            "a callee that adds 1, and a caller that waits for a minute",
            &[
                ("nobody knows, and it added 0", Conclusion::Unknown, 0),
                ("nobody knows, and it added 1", Conclusion::Unknown, 1),
            ],
        ),
        concludes(
            "call_slow_callee",
            "a callee that awaits and adds 1, and a caller that waits for a minute",
            &[
                ("nobody knows, and it added 0", Conclusion::Unknown, 0),
                ("nobody knows, and it added 1", Conclusion::Unknown, 1),
            ],
        ),
        concludes(
            "misread_reply",
            "a callee that adds 1, and a caller that can't read its reply",
            &[("it replied", Conclusion::Replied, 1)],
        ),
    ]
}

/// Whatever two messages suffer, what the caller concludes is true; and each of these comes out in some
/// order: what is concluded, and what the callee has added.
fn concludes(
    method: &'static str,
    what: &'static str,
    sometimes: &'static [(&'static str, Conclusion, u64)],
) -> Exploration {
    holds(method, what, TRUE, move |stage| {
        let (mut plan, grown) = call(stage, method)?;
        for (name, conclusion, added) in sometimes {
            plan = plan.sometimes(name, move |seen| {
                Ok(failed(seen)? == Some(*conclusion) && grown(seen)? == *added)
            });
        }
        let plan = plan.at_end(move |seen| {
            let grown = grown(seen)?;
            Ok(match failed(seen)? {
                Some(Conclusion::NothingHappened) => grown == 0,
                // These callees add 1 before they answer.
                Some(Conclusion::AsTheCalleeSays | Conclusion::Replied) => grown == 1,
                Some(Conclusion::UnknownButCallEnded | Conclusion::Unknown) | None => true,
            })
        });
        Ok(plan.faults(FAULTS, 2))
    })
}

/// A call of a method, and a look at what the callee has counted since.
fn call(
    stage: &mut Stage,
    method: &str,
) -> Result<(
    Plan,
    impl Fn(&Seen<'_>) -> Result<u64> + Copy + Send + Sync + 'static,
)> {
    let before = counter(stage)?;
    let plan = Plan::from(stage)?
        .call(stage.caller, method, ())?
        .look(stage.callee, "get", ())?;
    let grown = move |seen: &Seen<'_>| {
        let counter: Nat = seen.look(0)?;
        Ok(u64::try_from(counter.0)? - before)
    };
    Ok((plan, grown))
}

/// What the caller told of a call that failed; nothing if it told nothing, or that the call did not fail.
fn failed(seen: &Seen<'_>) -> Result<Option<Conclusion>> {
    let told: Vec<Result<(), FailedCall>> = seen.replies()?;
    let failed = told.into_iter().find_map(Result::err);
    Ok(failed.map(|failed| failed.conclusion))
}
