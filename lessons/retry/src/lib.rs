//! Carrying on what is open: a timer that runs while there is something, and runs that end in time.

use std::cell::Cell;
use std::time::Duration;

use ic_cdk::api::time;
use ic_cdk_timers::{TimerId, clear_timer, set_timer_interval};

/// How often the timer runs.
const EVERY: Duration = Duration::from_secs(60);

/// How many things one run carries on at most.
const BATCH: usize = 10;

thread_local! {
    static TIMER: Cell<Option<TimerId>> = const { Cell::new(None) };
    static IS_UNDER_WAY: Cell<bool> = const { Cell::new(false) };
}

/// Has `resume` run every minute while something is open, and only then. Call it whenever something
/// begins or ends, in the same message, so that the two are kept or undone together; and after an
/// upgrade, which ends all timers.
///
/// A [`Run`] sees to it that no two runs overlap. A serial timer would do so too, but ic-cdk-timers
/// 1.0.0 traps where one is cleared during its own run, as it may be here.
pub fn watch<Resuming: Future<Output = ()> + 'static>(
    something_is_open: bool,
    resume: fn() -> Resuming,
) {
    match (something_is_open, TIMER.get()) {
        (true, None) => TIMER.set(Some(set_timer_interval(EVERY, resume))),
        (false, Some(timer)) => {
            clear_timer(timer);
            TIMER.set(None);
        }
        _ => {}
    }
}

/// A run that is under way. It ends when this is dropped: at its end, and also after a trap.
pub struct Run {
    end: u64,
    left: usize,
}

impl Run {
    /// Begins a run, unless one is under way. It takes on further things for so many seconds: with
    /// the last one's waits it has to end within 300 s, because then ic-cdk-timers 1.0.0 gives it up
    /// and sets its timer once more, so that from then on there are two.
    pub fn begin(seconds: u64) -> Option<Self> {
        let begins = !IS_UNDER_WAY.replace(true);
        begins.then(|| Run {
            end: time() + seconds * 1_000_000_000,
            left: BATCH,
        })
    }

    /// Whether it takes on one more.
    pub fn takes_on_one(&mut self) -> bool {
        let takes = self.left > 0 && time() < self.end;
        self.left = self.left.saturating_sub(1);
        takes
    }
}

impl Drop for Run {
    fn drop(&mut self) {
        IS_UNDER_WAY.set(false);
    }
}
