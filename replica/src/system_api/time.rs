//! Time, the global timer and the performance counter (the specification's sections of these
//! names).

use super::host::Call;
use super::trap::Trap;

pub(super) fn time(call: &mut Call<'_>, _: &[u64]) -> Result<u64, Trap> {
    Ok(call.host.view.time)
}

pub(super) fn global_timer_set(call: &mut Call<'_>, a: &[u64]) -> Result<u64, Trap> {
    let old = call.host.effects.global_timer.replace(a[0]);
    Ok(old.unwrap_or(call.host.global_timer))
}

pub(super) fn performance_counter(call: &mut Call<'_>, a: &[u64]) -> Result<u64, Trap> {
    match a[0] {
        0 => Ok(call.instructions),
        1 => Ok(call.host.view.context_instructions + call.instructions),
        other => Err(Trap::violation(format!(
            "ic0.performance_counter: there is no counter {other}"
        ))),
    }
}
