//! Where canisters live: a local replica inside this program, or a network that is reached over HTTP.

mod embedded;
mod interface;
#[cfg(feature = "network")]
mod remote;

pub use embedded::Embedded;
pub use interface::{Answer, Call, Controls, Network, Reject, Sent, controls, what_is_wrong};
pub use local_replica::hold::{Delivery, Kind, WaitingMessage};
pub use local_replica::timeline;
#[cfg(feature = "network")]
pub use remote::Remote;
