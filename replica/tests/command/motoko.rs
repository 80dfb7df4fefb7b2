//! The whole story with a canister in Motoko.
