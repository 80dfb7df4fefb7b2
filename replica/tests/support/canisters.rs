//! The modules that the tests install.

/// Counts. Also fails in every way, says who calls it, and has metadata.
pub const COUNTER: &str = r#"
(module
  (import "ic0" "msg_reply" (func $reply))
  (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
  (import "ic0" "msg_reject" (func $reject (param i32 i32)))
  (import "ic0" "msg_caller_size" (func $caller_size (result i32)))
  (import "ic0" "msg_caller_copy" (func $caller_copy (param i32 i32 i32)))
  (import "ic0" "msg_arg_data_size" (func $argument_size (result i32)))
  (import "ic0" "msg_arg_data_copy" (func $argument_copy (param i32 i32 i32)))
  (import "ic0" "trap" (func $trap (param i32 i32)))
  (import "ic0" "time" (func $time (result i64)))
  (import "ic0" "global_timer_set" (func $set_timer (param i64) (result i64)))
  (import "ic0" "call_new"
    (func $call_new (param i32 i32 i32 i32 i32 i32 i32 i32)))
  (import "ic0" "call_perform" (func $call_perform (result i32)))
  (memory 1)
  (table 2 funcref)
  (elem (i32.const 0) $pass_on $give_up)
  (data (i32.const 100) "not today")
  (data (i32.const 120) "on purpose")
  (data (i32.const 140) "get")

  (func $increment
    (i64.store (i32.const 0) (i64.add (i64.load (i32.const 0)) (i64.const 1))))
  (func $get (call $append (i32.const 0) (i32.const 8)) (call $reply))
  (func $add (call $increment) (call $get))
  (func $refuse (call $reject (i32.const 100) (i32.const 9)))
  (func $trap_on_purpose (call $increment) (call $trap (i32.const 120) (i32.const 10)))
  (func $reach_the_unreachable (call $increment) unreachable)
  (func $silent (call $increment))
  (func $who
    (call $caller_copy (i32.const 1000) (i32.const 0) (call $caller_size))
    (call $append (i32.const 1000) (call $caller_size))
    (call $reply))

  (export "canister_update add" (func $add))
  (export "canister_query get" (func $get))
  (export "canister_update refuse" (func $refuse))
  (export "canister_query refuse_query" (func $refuse))
  (export "canister_update trap" (func $trap_on_purpose))
  (export "canister_query trap_query" (func $trap_on_purpose))
  (export "canister_update unreachable" (func $reach_the_unreachable))
  (export "canister_update silent" (func $silent))
  (export "canister_update who" (func $who))
  (export "canister_query who_query" (func $who))

  ;; What `get` of the canister in the argument says.
  (func (export "canister_composite_query get_of")
    (call $argument_copy (i32.const 1000) (i32.const 0) (call $argument_size))
    (call $call_new
      (i32.const 1000) (call $argument_size) (i32.const 140) (i32.const 3)
      (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 0))
    (drop (call $call_perform)))
  (func $pass_on (param i32)
    (call $argument_copy (i32.const 1000) (i32.const 0) (call $argument_size))
    (call $append (i32.const 1000) (call $argument_size))
    (call $reply))
  (func $give_up (param i32) (call $refuse))

  ;; Adds one in an hour.
  (func (export "canister_update add_later")
    (drop (call $set_timer (i64.add (call $time) (i64.const 3600000000000))))
    (call $reply))
  (func (export "canister_global_timer") (call $increment))

  (@custom "icp:public about" "for everybody")
  (@custom "icp:private secret" "for controllers"))
"#;

/// Takes in messages for `add` alone.
pub const PICKY: &str = r#"
(module
  (import "ic0" "msg_reply" (func $reply))
  (import "ic0" "accept_message" (func $accept))
  (import "ic0" "msg_method_name_size" (func $name_size (result i32)))
  (memory 1)
  (func (export "canister_inspect_message")
    (if (i32.eq (call $name_size) (i32.const 3)) (then (call $accept))))
  (func $nothing (call $reply))
  (export "canister_update add" (func $nothing))
  (export "canister_update reset" (func $nothing)))
"#;

/// Pays into the cycles ledger: `deposit` takes the amount in eight bytes and then the argument of
/// the ledger's method of the same name, and passes its answer on.
pub const PAYER: &str = r#"
(module
  (import "ic0" "msg_reply" (func $reply))
  (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
  (import "ic0" "msg_reject" (func $reject (param i32 i32)))
  (import "ic0" "msg_reject_msg_size" (func $reason_size (result i32)))
  (import "ic0" "msg_reject_msg_copy" (func $reason_copy (param i32 i32 i32)))
  (import "ic0" "msg_arg_data_size" (func $argument_size (result i32)))
  (import "ic0" "msg_arg_data_copy" (func $argument_copy (param i32 i32 i32)))
  (import "ic0" "call_new"
    (func $call_new (param i32 i32 i32 i32 i32 i32 i32 i32)))
  (import "ic0" "call_data_append" (func $call_append (param i32 i32)))
  (import "ic0" "call_cycles_add128" (func $call_cycles (param i64 i64)))
  (import "ic0" "call_perform" (func $call_perform (result i32)))
  (memory 1)
  (table 2 funcref)
  (elem (i32.const 0) $pass_on $give_up)
  ;; um5iw-rqaaa-aaaaq-qaaba-cai
  (data (i32.const 100) "\00\00\00\00\02\10\00\02\01\01")
  (data (i32.const 120) "deposit")
  (func $pass_on (param i32)
    (call $argument_copy (i32.const 1000) (i32.const 0) (call $argument_size))
    (call $append (i32.const 1000) (call $argument_size))
    (call $reply))
  (func $give_up (param i32)
    (call $reason_copy (i32.const 1000) (i32.const 0) (call $reason_size))
    (call $reject (i32.const 1000) (call $reason_size)))
  (func (export "canister_update deposit")
    (call $argument_copy (i32.const 1000) (i32.const 0) (call $argument_size))
    (call $call_new
      (i32.const 100) (i32.const 10) (i32.const 120) (i32.const 7)
      (i32.const 0) (i32.const 0) (i32.const 1) (i32.const 0))
    (call $call_append (i32.const 1008) (i32.sub (call $argument_size) (i32.const 8)))
    (call $call_cycles (i64.const 0) (i64.load (i32.const 1000)))
    (drop (call $call_perform))))
"#;

/// Answers as it is told: `say` takes the number of an answer in one byte, and then the answer.
/// `http_request` gives number 0, or that at which an asked range begins (one digit);
/// `http_request_update` number 1, and `asked` says what that was asked last; `next` gives the number
/// in the last byte of its argument. What was not told traps.
pub const PAGES: &str = r#"
(module
  (import "ic0" "msg_reply" (func $reply))
  (import "ic0" "msg_reply_data_append" (func $append (param i32 i32)))
  (import "ic0" "msg_arg_data_size" (func $argument_size (result i32)))
  (import "ic0" "msg_arg_data_copy" (func $argument_copy (param i32 i32 i32)))
  (import "ic0" "trap" (func $trap (param i32 i32)))
  ;; Sizes from 0, by number; what was asked at 1 MiB; the answers from 2 MiB, 1 MiB each.
  (memory 192)
  (data (i32.const 2000) "told nothing")
  (func $place (param $number i32) (result i32)
    (i32.add (i32.const 0x200000) (i32.shl (local.get $number) (i32.const 20))))
  (func $size (param $number i32) (result i32)
    (i32.load (i32.shl (local.get $number) (i32.const 2))))
  (func $set_size (param $number i32) (param $size i32)
    (i32.store (i32.shl (local.get $number) (i32.const 2)) (local.get $size)))
  (func $give (param $number i32)
    (if (i32.eqz (call $size (local.get $number)))
      (then (call $trap (i32.const 2000) (i32.const 12))))
    (call $append (call $place (local.get $number)) (call $size (local.get $number)))
    (call $reply))
  (func $ask
    (call $argument_copy (i32.const 0x100000) (i32.const 0) (call $argument_size)))
  (func $asked_byte (param $at i32) (result i32)
    (i32.load8_u (i32.add (i32.const 0x100000) (local.get $at))))

  (func (export "canister_update say") (local $number i32)
    (call $argument_copy (i32.const 1000) (i32.const 0) (i32.const 1))
    (local.set $number (i32.load8_u (i32.const 1000)))
    (call $set_size (local.get $number) (i32.sub (call $argument_size) (i32.const 1)))
    (call $argument_copy
      (call $place (local.get $number)) (i32.const 1) (call $size (local.get $number)))
    (call $reply))
  (func (export "canister_query http_request") (local $at i32)
    (call $ask)
    ;; "tes=" and a digit: the first byte of a range.
    (loop $search
      (if (i32.eq
            (i32.load (i32.add (i32.const 0x100000) (local.get $at)))
            (i32.const 0x3d736574))
        (then
          (call $give (i32.sub
            (call $asked_byte (i32.add (local.get $at) (i32.const 4)))
            (i32.const 48)))
          return))
      (local.set $at (i32.add (local.get $at) (i32.const 1)))
      (br_if $search (i32.lt_u (local.get $at) (call $argument_size))))
    (call $give (i32.const 0)))
  (func (export "canister_update http_request_update")
    (call $ask)
    (call $set_size (i32.const 200) (call $argument_size))
    (call $give (i32.const 1)))
  (func (export "canister_query asked")
    (call $append (i32.const 0x100000) (call $size (i32.const 200)))
    (call $reply))
  (func (export "canister_query next")
    (call $ask)
    (call $give (call $asked_byte (i32.sub (call $argument_size) (i32.const 1))))))
"#;
