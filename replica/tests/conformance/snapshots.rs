//! Management canister, "IC method `take_canister_snapshot`" and the sections that follow it.

mod calls;
mod refusing;
mod taking;
mod uploading;
