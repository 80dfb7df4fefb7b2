//! Every order of messages: what can happen when calls are made at the same time.
//!
//! From a replica in any state, [`Explore`] goes through all orders in which the network could deliver
//! messages and, within a budget, through faults; it tells all [outcomes](Outcome), and for a property
//! that fails the shortest way to that.
//!
//! ```
//! # use candid::{Principal, decode_one, encode_one};
//! # use ic_management_canister_types::*;
//! # use local_replica::{Config, Replica};
//! use local_replica::explore::Explore;
//! # let mut replica = Replica::new(Config::default());
//! # let user = Principal::anonymous();
//! # let management = Principal::management_canister();
//! # let mut deploy = |replica: &mut Replica, wat: &str| {
//! #     let args = encode_one(ProvisionalCreateCanisterWithCyclesArgs::default()).unwrap();
//! #     let method = "provisional_create_canister_with_cycles";
//! #     let created = replica.call(user, management, method, &args).unwrap().unwrap();
//! #     let canister_id = decode_one::<CanisterIdRecord>(&created).unwrap().canister_id;
//! #     let args = encode_one(InstallCodeArgs {
//! #         mode: CanisterInstallMode::Install,
//! #         canister_id,
//! #         wasm_module: wat::parse_str(wat).unwrap(),
//! #         arg: vec![],
//! #         sender_canister_version: None,
//! #     }).unwrap();
//! #     replica.call(user, management, "install_code", &args).unwrap().unwrap();
//! #     canister_id
//! # };
//! # let shop = deploy(&mut replica, include_str!("explore/shop.wat"));
//!
//! // A shop has one ticket. `buy` looks whether it is there, awaits something, and sells it.
//! let report = Explore::from(&replica)
//!     .together(user, shop, "buy", b"")
//!     .together(user, shop, "buy", b"")
//!     .look(user, shop, "sold", b"")
//!     .always("at most one is sold", |seen| {
//!         seen.looks[0].as_ref().is_ok_and(|sold| sold[0] <= 1)
//!     })
//!     .run();
//!
//! assert!(report.is_exhaustive());
//! let failure = &report.failures[0];
//! assert_eq!(failure.property, "at most one is sold");
//! // The schedule is text, and can be followed again.
//! println!("{}", failure.schedule);
//! let mut replayed = Explore::from(&replica)
//!     .together(user, shop, "buy", b"")
//!     .together(user, shop, "buy", b"")
//!     .replay(&failure.schedule)?;
//! assert_eq!(replayed.query(user, shop, "sold", b"").unwrap(), [2]);
//! # Ok::<(), String>(())
//! ```

mod built_in;
mod follow;
mod nearest;
mod orders;
mod parallel;
mod path;
mod random;
mod report;
mod run;
mod schedule;
mod search;
mod setup;
mod shrink;
mod told;
mod walk;
mod watch;

pub use built_in::BuiltIn;
pub use orders::Orders;
pub use report::{Failure, Nearest, Outcome, Progress, Random, Report, Seen};
pub use schedule::{Fault, Schedule, Step};
pub use setup::Explore;
pub use walk::{Told, Waiting, Walk};
