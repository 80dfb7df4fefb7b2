//! Which functions there are, their types, and from where each may be called: the table in the
//! specification's section "Overview of imports", in its order.

use super::entry_point::{EntryPoint, EntryPoints};
use super::host::SystemApi;
use super::{
    arguments as msg, calls, certification, cycles, debugging, environment as env, responding,
    stable, time,
};
use crate::wasm::HostFunction;
use crate::wasm::ValueType::{I32, I64, Pointer as P};

// The letters of the specification.
const I: EntryPoints = EntryPoints::of(&[EntryPoint::Init, EntryPoint::PostUpgrade]);
const G: EntryPoints = EntryPoints::of(&[EntryPoint::PreUpgrade]);
const U: EntryPoints = EntryPoints::of(&[EntryPoint::Update]);
const RQ: EntryPoints = EntryPoints::of(&[EntryPoint::ReplicatedQuery]);
const NRQ: EntryPoints = EntryPoints::of(&[EntryPoint::Query]);
const CQ: EntryPoints = EntryPoints::of(&[EntryPoint::CompositeQuery]);
const RY: EntryPoints = EntryPoints::of(&[EntryPoint::ReplyCallback]);
const RT: EntryPoints = EntryPoints::of(&[EntryPoint::RejectCallback]);
const CRY: EntryPoints = EntryPoints::of(&[EntryPoint::CompositeReplyCallback]);
const CRT: EntryPoints = EntryPoints::of(&[EntryPoint::CompositeRejectCallback]);
const C: EntryPoints = EntryPoints::of(&[EntryPoint::Cleanup]);
const CC: EntryPoints = EntryPoints::of(&[EntryPoint::CompositeCleanup]);
const F: EntryPoints = EntryPoints::of(&[EntryPoint::InspectMessage]);
const T: EntryPoints = EntryPoints::of(&[EntryPoint::SystemTask]);

/// `* s`: from everywhere.
const ANYWHERE: EntryPoints = EntryPoints::of(&EntryPoint::ALL);
/// `*`: from everywhere but the start function.
const STAR: EntryPoints = ANYWHERE.without(EntryPoint::Start);

macro_rules! any {
    ($first:ident $($rest:ident)*) => { $first$(.or($rest))* };
}

macro_rules! functions {
    ($($name:ident $parameters:tt -> $result:ident, $width:ident, [$($letter:ident)*], $call:path;)*) => {
        &[$(HostFunction {
            name: stringify!($name),
            parameters: &$parameters,
            result: functions!(@ $result),
            in_memory64: functions!(@ $width),
            permission: any!($($letter)*),
            call: $call,
        },)*]
    };
    (@ nothing) => { None };
    (@ both) => { true };
    (@ only32) => { false };
    (@ $value:ident) => { Some($value) };
}

/// All functions of the System API.
pub fn functions() -> &'static [HostFunction<SystemApi>] {
    const FUNCTIONS: &[HostFunction<SystemApi>] = functions! {
        msg_arg_data_size [] -> P, both, [I U RQ NRQ CQ RY CRY F], msg::arg_data_size;
        msg_arg_data_copy [P, P, P] -> nothing, both, [I U RQ NRQ CQ RY CRY F], msg::arg_data_copy;
        msg_caller_size [] -> P, both, [STAR], msg::caller_size;
        msg_caller_copy [P, P, P] -> nothing, both, [STAR], msg::caller_copy;
        msg_caller_info_data_size [] -> P, both, [U RQ NRQ CQ RY RT CRY CRT C CC F], msg::caller_info_size;
        msg_caller_info_data_copy [P, P, P] -> nothing, both, [U RQ NRQ CQ RY RT CRY CRT C CC F], msg::caller_info_copy;
        msg_caller_info_signer_size [] -> P, both, [U RQ NRQ CQ RY RT CRY CRT C CC F], msg::caller_info_size;
        msg_caller_info_signer_copy [P, P, P] -> nothing, both, [U RQ NRQ CQ RY RT CRY CRT C CC F], msg::caller_info_copy;
        msg_reject_code [] -> I32, both, [RY RT CRY CRT C], msg::reject_code;
        msg_reject_msg_size [] -> P, both, [RT CRT], msg::reject_msg_size;
        msg_reject_msg_copy [P, P, P] -> nothing, both, [RT CRT], msg::reject_msg_copy;
        msg_deadline [] -> I64, both, [U RQ NRQ CQ RY RT CRY CRT], msg::deadline;

        msg_reply_data_append [P, P] -> nothing, both, [U RQ NRQ CQ RY RT CRY CRT], responding::reply_data_append;
        msg_reply [] -> nothing, both, [U RQ NRQ CQ RY RT CRY CRT], responding::reply;
        msg_reject [P, P] -> nothing, both, [U RQ NRQ CQ RY RT CRY CRT], responding::reject;

        msg_cycles_available128 [P] -> nothing, both, [U RQ RT RY], cycles::available128;
        msg_cycles_refunded128 [P] -> nothing, both, [RT RY], cycles::refunded128;
        msg_cycles_accept128 [I64, I64, P] -> nothing, both, [U RQ RT RY], cycles::accept128;
        mint_cycles128 [I64, I64, P] -> nothing, both, [U RY RT T], cycles::mint128;
        cycles_burn128 [I64, I64, P] -> nothing, both, [I G U RQ RY RT C T], cycles::burn128;

        canister_self_size [] -> P, both, [STAR], env::canister_self_size;
        canister_self_copy [P, P, P] -> nothing, both, [STAR], env::canister_self_copy;
        canister_cycle_balance128 [P] -> nothing, both, [STAR], cycles::balance128;
        canister_liquid_cycle_balance128 [P] -> nothing, both, [STAR], cycles::liquid_balance128;
        canister_status [] -> I32, both, [STAR], env::canister_status;
        canister_version [] -> I64, both, [STAR], env::canister_version;
        subnet_self_size [] -> P, both, [STAR], env::subnet_self_size;
        subnet_self_copy [P, P, P] -> nothing, both, [STAR], env::subnet_self_copy;

        msg_method_name_size [] -> P, both, [F], msg::method_name_size;
        msg_method_name_copy [P, P, P] -> nothing, both, [F], msg::method_name_copy;
        accept_message [] -> nothing, both, [F], responding::accept_message;

        call_new [P, P, P, P, P, P, P, P] -> nothing, both, [U CQ RY RT CRY CRT T], calls::new;
        call_on_cleanup [P, P] -> nothing, both, [U CQ RY RT CRY CRT T], calls::on_cleanup;
        call_data_append [P, P] -> nothing, both, [U CQ RY RT CRY CRT T], calls::data_append;
        call_with_best_effort_response [I32] -> nothing, both, [U CQ RY RT CRY CRT T], calls::with_best_effort_response;
        call_cycles_add128 [I64, I64] -> nothing, both, [U RY RT T], calls::cycles_add128;
        call_perform [] -> I32, both, [U CQ RY RT CRY CRT T], calls::perform;

        stable64_size [] -> I64, both, [ANYWHERE], stable::size64;
        stable64_grow [I64] -> I64, both, [ANYWHERE], stable::grow64;
        stable64_write [I64, I64, I64] -> nothing, both, [ANYWHERE], stable::write64;
        stable64_read [I64, I64, I64] -> nothing, both, [ANYWHERE], stable::read64;

        root_key_size [] -> P, both, [I G U RQ RY RT C T], certification::root_key_size;
        root_key_copy [P, P, P] -> nothing, both, [I G U RQ RY RT C T], certification::root_key_copy;
        certified_data_set [P, P] -> nothing, both, [I G U RY RT T], certification::certified_data_set;
        data_certificate_present [] -> I32, both, [STAR], certification::data_certificate_present;
        data_certificate_size [] -> P, both, [NRQ CQ], certification::data_certificate_size;
        data_certificate_copy [P, P, P] -> nothing, both, [NRQ CQ], certification::data_certificate_copy;

        time [] -> I64, both, [STAR], time::time;
        global_timer_set [I64] -> I64, both, [I G U RY RT C T], time::global_timer_set;
        performance_counter [I32] -> I64, both, [ANYWHERE], time::performance_counter;
        is_controller [P, P] -> I32, both, [ANYWHERE], env::is_controller;
        in_replicated_execution [] -> I32, both, [ANYWHERE], env::in_replicated_execution;

        cost_call [I64, I64, P] -> nothing, both, [ANYWHERE], cycles::cost_call;
        cost_create_canister [P] -> nothing, both, [ANYWHERE], cycles::cost_create_canister;
        cost_http_request [I64, I64, P] -> nothing, both, [ANYWHERE], cycles::cost_http_request;
        cost_http_request_v2 [P, P, P] -> nothing, both, [ANYWHERE], cycles::cost_http_request_v2;
        cost_sign_with_ecdsa [P, P, I32, P] -> I32, both, [ANYWHERE], cycles::cost_sign_with_ecdsa;
        cost_sign_with_schnorr [P, P, I32, P] -> I32, both, [ANYWHERE], cycles::cost_sign_with_schnorr;
        cost_vetkd_derive_key [P, P, I32, P] -> I32, both, [ANYWHERE], cycles::cost_vetkd_derive_key;

        env_var_count [] -> P, both, [STAR], env::variable_count;
        env_var_name_size [P] -> P, both, [STAR], env::variable_name_size;
        env_var_name_copy [P, P, P, P] -> nothing, both, [STAR], env::variable_name_copy;
        env_var_name_exists [P, P] -> I32, both, [STAR], env::variable_name_exists;
        env_var_value_size [P, P] -> P, both, [STAR], env::variable_value_size;
        env_var_value_copy [P, P, P, P, P] -> nothing, both, [STAR], env::variable_value_copy;

        debug_print [P, P] -> nothing, both, [ANYWHERE], debugging::debug_print;
        trap [P, P] -> nothing, both, [ANYWHERE], debugging::trap;

        msg_cycles_available [] -> I64, only32, [U RQ RT RY], cycles::available;
        msg_cycles_refunded [] -> I64, only32, [RT RY], cycles::refunded;
        msg_cycles_accept [I64] -> I64, only32, [U RQ RT RY], cycles::accept;
        canister_cycle_balance [] -> I64, only32, [STAR], cycles::balance;
        call_cycles_add [I64] -> nothing, only32, [U RY RT T], calls::cycles_add;
        stable_size [] -> I32, only32, [ANYWHERE], stable::size;
        stable_grow [I32] -> I32, only32, [ANYWHERE], stable::grow;
        stable_write [I32, I32, I32] -> nothing, only32, [ANYWHERE], stable::write;
        stable_read [I32, I32, I32] -> nothing, only32, [ANYWHERE], stable::read;
    };
    FUNCTIONS
}
