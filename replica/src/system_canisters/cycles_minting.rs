//! The cycles minting canister: tools ask it where canisters can be created.

use candid::Principal;

use super::methods::missing;
use crate::encoding::{decode_nothing, encode};
use crate::message::{CallResult, Cycles};
use crate::replica::{NativeCanister, Replica};

#[derive(Clone)]
pub(super) struct CyclesMinting;

impl NativeCanister for CyclesMinting {
    fn call(
        &mut self,
        replica: &mut Replica,
        _caller: Principal,
        method: &str,
        argument: &[u8],
        _cycles: &mut Cycles,
    ) -> CallResult {
        match method {
            "get_default_subnets" => {
                decode_nothing(argument)?;
                encode(&vec![replica.subnet_id()])
            }
            _ => Err(missing("cycles minting canister", method)),
        }
    }

    fn is_query(&self, method: &str) -> bool {
        method == "get_default_subnets"
    }

    fn cycles(&self) -> Cycles {
        0
    }

    fn save(&self) -> Vec<u8> {
        Vec::new()
    }

    fn restore(&mut self, _state: &[u8]) -> Result<(), String> {
        Ok(())
    }

    fn fork(&self) -> Box<dyn NativeCanister> {
        Box::new(self.clone())
    }
}
