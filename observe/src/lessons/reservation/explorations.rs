//! What is gone through in every order: buyers of a show's only seat.

use anyhow::{Error, Result};
use candid::CandidType;
use serde::Deserialize;

use crate::exploration::{Exploration, FAULTS, Fault, Plan, finds, holds};
use crate::stage::Stage;

const PRICE: u64 = 10;
const MONEY: u64 = 30;

/// What a buyer has, as far as it matters.
#[derive(CandidType, Deserialize)]
struct Buyer {
    money: u64,
    tickets: u64,
    pending: Option<u64>,
}

#[derive(CandidType, Deserialize)]
struct Seats {
    free: u64,
    held: u64,
    sold: u64,
}

const PAID: &str = "every seat that is sold is paid and has a ticket, and nothing else is paid";

pub fn all() -> Vec<Exploration> {
    vec![
        finds(
            "take_then_pay",
            "one buyer of the only seat",
            "sell a seat to nobody",
            |stage| Ok(buy(stage, "take_then_pay", 1)?.faults(&[Fault::Trap], 1)),
        ),
        finds(
            "pay_then_take",
            "one buyer of the only seat",
            "take money for no ticket",
            |stage| Ok(buy(stage, "pay_then_take", 1)?.faults(&[Fault::Lose], 1)),
        ),
        holds(
            "buy_in_two_steps",
            "one buyer of the only seat, who finishes afterwards",
            PAID,
            |stage| Ok(buy(stage, "buy_in_two_steps", 1)?.faults(FAULTS, 2)),
        ),
        holds(
            "buy_in_two_steps",
            "two buyers of the only seat, who finish afterwards",
            PAID,
            |stage| Ok(buy(stage, "buy_in_two_steps", 2)?.faults(FAULTS, 2)),
        ),
    ]
}

/// So many buyers of a show's only seat.
fn buy(stage: &mut Stage, method: &str, buyers: usize) -> Result<Plan> {
    let arguments = (1u64, vec![stage.caller]);
    let show: Result<u64, String> = stage.reply(stage.callee, "open_show", arguments)?;
    let show = show.map_err(Error::msg)?;
    let mut accounts = Vec::new();
    for _ in 0..buyers {
        let buyer: Result<u64, String> = stage.reply(stage.caller, "open_buyer", (show, MONEY))?;
        accounts.push(buyer.map_err(Error::msg)?);
    }
    let mut plan = Plan::from(stage)?.look(stage.callee, "seats", (show,))?;
    for buyer in accounts {
        plan = plan
            .call(stage.caller, method, (buyer,))?
            .afterwards(stage.caller, "finish", (buyer,))?
            .look(stage.caller, "buyer", (buyer,))?;
    }
    let plan = plan.sometimes("the seat is sold", |seen| {
        let seats: Seats = seen.look(0)?;
        Ok((seats.free, seats.held, seats.sold) == (0, 0, 1))
    });
    Ok(plan.at_end(move |seen| {
        let seats: Seats = seen.look(0)?;
        let mut tickets = 0;
        for place in 1..=buyers {
            let buyer: Option<Buyer> = seen.look(place)?;
            let Some(buyer) = buyer else {
                return Ok(false);
            };
            if buyer.pending.is_some() || buyer.money + PRICE * buyer.tickets != MONEY {
                return Ok(false);
            }
            tickets += buyer.tickets;
        }
        Ok(tickets == seats.sold && seats.free + seats.held + seats.sold == 1)
    }))
}
