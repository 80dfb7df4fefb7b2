//! Where experiments are done: a caller and a callee, a hand on their messages and their clock, and a
//! record of everything that happens.

mod calls;
mod controller;
mod languages;
mod messages;
mod value;
mod watch;

pub use calls::{Folders, Moment, Stage, decode};
pub use controller::accepted;
pub use languages::Language;
pub use value::Value;
