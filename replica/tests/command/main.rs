//! The commands `explore` and `replay`, as a developer has them: a local replica runs, canisters are
//! deployed on it, and a project's folder has their names.

mod bad_input;
mod budgets;
mod finding;
mod harness;
mod live;
mod motoko;
mod replaying;
mod stream;
mod telling;

#[path = "../support/deploying.rs"]
mod deploying;
#[path = "../support/icp.rs"]
mod icp;
