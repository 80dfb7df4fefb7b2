//! A canister that does what it is told: the argument of a call is a small script, and so are the
//! callbacks of the calls that it makes.
//!
//! An operation is a function of the canister's table, and its number in a script is its index
//! there. What it needs stands behind the number: a cell (one byte), a number (eight bytes), bytes
//! (their length in four bytes, then they themselves) or a callback. Cells are 64-bit numbers in
//! the canister's memory. Scripts stay in that memory, and a callback's environment is the address
//! of its script.

use candid::Principal;

/// Functions that return a number, which goes to a cell: the operation, and the call.
const NUMBERS: &[(&str, &str)] = &[
    ("time", "(call $time)"),
    ("deadline", "(call $msg_deadline)"),
    ("available", "(call $msg_cycles_available)"),
    ("refunded", "(call $msg_cycles_refunded)"),
    ("accept", "(call $msg_cycles_accept (call $number))"),
    ("balance", "(call $canister_cycle_balance)"),
    ("version", "(call $canister_version)"),
    ("status", "(i64.extend_i32_u (call $canister_status))"),
    (
        "replicated",
        "(i64.extend_i32_u (call $in_replicated_execution))",
    ),
    ("reject_code", "(i64.extend_i32_u (call $msg_reject_code))"),
    (
        "certificate_present",
        "(i64.extend_i32_u (call $data_certificate_present))",
    ),
    (
        "counter",
        "(call $performance_counter (i32.wrap_i64 (call $number)))",
    ),
    ("timer", "(call $global_timer_set (call $number))"),
    ("stable_size", "(call $stable64_size)"),
    ("stable_grow", "(call $stable64_grow (call $number))"),
    (
        "memory_grow",
        "(i64.extend_i32_s (memory.grow (i32.wrap_i64 (call $number))))",
    ),
    ("perform", "(i64.extend_i32_u (call $call_perform))"),
    ("burn", "(call $burn (call $number))"),
    ("cost_call", "(call $cost (call $number) (call $number))"),
    ("liquid", "(call $liquid)"),
    ("variables", "(i64.extend_i32_u (call $env_var_count))"),
    (
        "is_controller",
        "(i64.extend_i32_u (call $on_bytes_is_controller))",
    ),
    ("set", "(call $number)"),
    (
        "load",
        "(i64.load (i32.add (i32.const 1024) (i32.shl (call $byte) (i32.const 3))))",
    ),
    ("stable_load", "(call $stable_load (call $number))"),
];

/// Bytes that the System API copies: the operation appends them to the reply.
const BLOBS: &[(&str, &str, &str)] = &[
    ("append_argument", "msg_arg_data_size", "msg_arg_data_copy"),
    ("append_caller", "msg_caller_size", "msg_caller_copy"),
    (
        "append_reject_message",
        "msg_reject_msg_size",
        "msg_reject_msg_copy",
    ),
    ("append_self", "canister_self_size", "canister_self_copy"),
    ("append_subnet", "subnet_self_size", "subnet_self_copy"),
    ("append_root_key", "root_key_size", "root_key_copy"),
    (
        "append_certificate",
        "data_certificate_size",
        "data_certificate_copy",
    ),
];

/// Functions that take bytes and return nothing.
const TAKE_BYTES: &[(&str, &str)] = &[
    ("append", "msg_reply_data_append"),
    ("reject", "msg_reject"),
    ("trap", "trap"),
    ("print", "debug_print"),
    ("certify", "certified_data_set"),
    ("call_data", "call_data_append"),
];

/// Everything else.
const OTHERS: &[(&str, &str)] = &[
    ("add", "(local $c i32) (local.set $c (call $cell))
       (i64.store (local.get $c) (i64.add (i64.load (local.get $c)) (call $number)))"),
    ("append_cell", "(call $msg_reply_data_append (call $cell) (i32.const 8))"),
    ("append_zeros", "(call $msg_reply_data_append
       (call $allocate (i32.wrap_i64 (call $number))) (global.get $size))"),
    ("reply", "(call $msg_reply)"),
    ("accept_message", "(call $accept_message)"),
    ("stable_write", "(local $o i64) (local.set $o (call $number)) (call $bytes)
       (call $stable64_write (local.get $o) (i64.extend_i32_u (global.get $at))
         (i64.extend_i32_u (global.get $size)))"),
    ("if", "(local $c i32) (local.set $c (call $cell)) (call $bytes)
       (if (i64.ne (i64.load (local.get $c)) (i64.const 0))
         (then (global.set $pc (global.get $at))))"),
    ("hook", "(local $a i32)
       (local.set $a (i32.add (i32.const 64) (i32.shl (call $byte) (i32.const 2))))
       (i32.store (local.get $a) (global.get $pc)) (call $bytes)"),
    ("call_new", "(local $ca i32) (local $cs i32) (local $ma i32) (local $ms i32)
       (local $f i32) (local $e i32)
       (call $bytes) (local.set $ca (global.get $at)) (local.set $cs (global.get $size))
       (call $bytes) (local.set $ma (global.get $at)) (local.set $ms (global.get $size))
       (call $callback) (local.set $f (global.get $function)) (local.set $e (global.get $environment))
       (call $callback)
       (call $call_new (local.get $ca) (local.get $cs) (local.get $ma) (local.get $ms)
         (local.get $f) (local.get $e) (global.get $function) (global.get $environment))"),
    ("call_cleanup", "(call $callback)
       (call $call_on_cleanup (global.get $function) (global.get $environment))"),
    ("call_cycles", "(call $call_cycles_add128 (call $number) (call $number))"),
    ("call_timeout", "(call $call_with_best_effort_response (i32.wrap_i64 (call $number)))"),
    ("spin", "(local $n i64) (local.set $n (call $number))
       (loop $again (local.set $n (i64.sub (local.get $n) (i64.const 1)))
         (br_if $again (i64.ne (local.get $n) (i64.const 0))))"),
    ("unreachable", "unreachable"),
];

/// What the argument of `hook` names, in this order, and what [`module`] can be asked to export.
pub const HOOKS: [&str; 5] = [
    "canister_pre_upgrade",
    "canister_heartbeat",
    "canister_global_timer",
    "canister_inspect_message",
    "canister_on_low_wasm_memory",
];

const LIBRARY: &str = r#"
  (memory (export "memory") 1)
  (global $heap (mut i32) (i32.const 4096))
  (global $pc (mut i32) (i32.const 0))
  (global $at (mut i32) (i32.const 0))
  (global $size (mut i32) (i32.const 0))
  (global $function (mut i32) (i32.const 0))
  (global $environment (mut i32) (i32.const 0))

  ;; Memory that is never given back. Its size is in $size.
  (func $allocate (param $n i32) (result i32) (local $a i32) (local $missing i32)
    (global.set $size (local.get $n))
    (local.set $a (global.get $heap))
    (global.set $heap (i32.add (local.get $a) (local.get $n)))
    (local.set $missing (i32.sub
      (i32.shr_u (i32.add (global.get $heap) (i32.const 65535)) (i32.const 16)) (memory.size)))
    (if (i32.gt_s (local.get $missing) (i32.const 0))
      (then (drop (memory.grow (local.get $missing)))))
    (local.get $a))

  ;; What stands next in the script.
  (func $byte (result i32)
    (i32.load8_u (global.get $pc)) (global.set $pc (i32.add (global.get $pc) (i32.const 1))))
  (func $number (result i64)
    (i64.load (global.get $pc)) (global.set $pc (i32.add (global.get $pc) (i32.const 8))))
  (func $cell (result i32) (i32.add (i32.const 1024) (i32.shl (call $byte) (i32.const 3))))
  (func $bytes
    (global.set $size (i32.load (global.get $pc)))
    (global.set $at (i32.add (global.get $pc) (i32.const 4)))
    (global.set $pc (i32.add (global.get $at) (global.get $size))))
  (func $callback
    (if (call $byte)
      (then (global.set $function (i32.wrap_i64 (call $number)))
        (global.set $environment (i32.const 0)))
      (else (global.set $function (i32.const 0)) (global.set $environment (global.get $pc))
        (call $bytes))))

  (func $burn (param $n i64) (result i64)
    (call $cycles_burn128 (i64.const 0) (local.get $n) (i32.const 512)) (i64.load (i32.const 512)))
  (func $cost (param $m i64) (param $n i64) (result i64)
    (call $cost_call (local.get $m) (local.get $n) (i32.const 512)) (i64.load (i32.const 512)))
  (func $liquid (result i64)
    (call $canister_liquid_cycle_balance128 (i32.const 512)) (i64.load (i32.const 512)))
  (func $on_bytes_is_controller (result i32)
    (call $bytes) (call $is_controller (global.get $at) (global.get $size)))
  (func $stable_load (param $o i64) (result i64)
    (call $stable64_read (i64.const 512) (local.get $o) (i64.const 8)) (i64.load (i32.const 512)))

  ;; Runs the script at $script: its size and then its operations.
  (func $resume (param $script i32) (local $end i32)
    (global.set $pc (i32.add (local.get $script) (i32.const 4)))
    (local.set $end (i32.add (global.get $pc) (i32.load (local.get $script))))
    (block $done (loop $next
      (br_if $done (i32.ge_u (global.get $pc) (local.get $end)))
      (call_indirect (type $void) (call $byte))
      (br $next))))
  (func $argument (local $size i32) (local $script i32)
    (local.set $size (call $msg_arg_data_size))
    (local.set $script (call $allocate (i32.add (local.get $size) (i32.const 4))))
    (i32.store (local.get $script) (local.get $size))
    (call $msg_arg_data_copy
      (i32.add (local.get $script) (i32.const 4)) (i32.const 0) (local.get $size))
    (call $resume (local.get $script)))
  (func $hook_script (param $hook i32)
    (local.set $hook (i32.load (i32.add (i32.const 64) (i32.shl (local.get $hook) (i32.const 2)))))
    (if (local.get $hook) (then (call $resume (local.get $hook)))))

  (export "canister_init" (func $argument))
  (export "canister_post_upgrade" (func $argument))
  (export "canister_update run" (func $argument))
  (export "canister_query ask" (func $argument))
  (export "canister_composite_query compose" (func $argument))
"#;

fn operations() -> impl Iterator<Item = (&'static str, String)> {
    let numbers = NUMBERS.iter().map(|(name, call)| {
        let body =
            format!("(local $c i32) (local.set $c (call $cell)) (i64.store (local.get $c) {call})");
        (*name, body)
    });
    let blobs = BLOBS.iter().map(|(name, size, copy)| {
        let body = format!(
            "(local $a i32) (local.set $a (call $allocate (call ${size})))
             (call ${copy} (local.get $a) (i32.const 0) (global.get $size))
             (call $msg_reply_data_append (local.get $a) (global.get $size))"
        );
        (*name, body)
    });
    let take = TAKE_BYTES.iter().map(|(name, function)| {
        let body = format!("(call $bytes) (call ${function} (global.get $at) (global.get $size))");
        (*name, body)
    });
    let others = OTHERS
        .iter()
        .map(|(name, body)| (*name, (*body).to_owned()));
    numbers.chain(blobs).chain(take).chain(others)
}

/// The canister's module, with these of [`HOOKS`] exported and `more` added.
pub fn module(hooks: &[&str], more: &str) -> Vec<u8> {
    let mut functions = String::new();
    let mut table = String::from("$resume");
    for (name, body) in operations() {
        functions += &format!("(func $op_{name} {body})\n");
        table += &format!(" $op_{name}");
    }
    for (index, hook) in HOOKS.iter().enumerate().filter(|(_, h)| hooks.contains(h)) {
        functions +=
            &format!("(func (export \"{hook}\") (call $hook_script (i32.const {index})))\n");
    }
    let text = format!(
        "(module (type $void (func)) {} {LIBRARY} {functions} (table funcref (elem {table})) {more})",
        crate::harness::imports(false)
    );
    wat::parse_str(text).expect("the puppet is valid")
}

/// What a puppet shall do.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Script(pub Vec<u8>);

/// The script that does nothing.
pub fn script() -> Script {
    Script::default()
}

/// A callback: a script, or an index of the table that may be none.
#[derive(Clone, Debug)]
pub enum Callback {
    Script(Script),
    Index(u64),
}

impl From<Script> for Callback {
    fn from(script: Script) -> Self {
        Callback::Script(script)
    }
}

/// The index that CDKs give to one-way calls.
pub const NO_CALLBACK: Callback = Callback::Index(u32::MAX as u64);

/// A call to make.
#[derive(Clone, Debug)]
pub struct Call {
    callee: Principal,
    method: String,
    argument: Vec<u8>,
    cycles: u128,
    timeout: Option<u64>,
    on_reply: Callback,
    on_reject: Callback,
    cleanup: Option<Callback>,
}

/// A call of a puppet's method `run`. The caller passes the answer on: a reply as it is, and of a
/// reject a reply of its code and message ([`crate::harness::rejected`] reads it).
pub fn call(callee: Principal, argument: Script) -> Call {
    call_method(callee, "run", &argument.0)
}

/// A call of any method.
pub fn call_method(callee: Principal, method: &str, argument: &[u8]) -> Call {
    Call {
        callee,
        method: method.to_owned(),
        argument: argument.to_vec(),
        cycles: 0,
        timeout: None,
        on_reply: script().op("append_argument").reply().into(),
        on_reject: tell_reject().into(),
        cleanup: None,
    }
}

/// Replies with the code and message of a reject.
pub fn tell_reject() -> Script {
    script()
        .get("reject_code", 255)
        .append_cell(255)
        .op("append_reject_message")
        .reply()
}

impl Call {
    pub fn cycles(mut self, cycles: u128) -> Self {
        self.cycles = cycles;
        self
    }

    pub fn timeout(mut self, seconds: u64) -> Self {
        self.timeout = Some(seconds);
        self
    }

    pub fn on_reply(mut self, callback: impl Into<Callback>) -> Self {
        self.on_reply = callback.into();
        self
    }

    pub fn on_reject(mut self, callback: impl Into<Callback>) -> Self {
        self.on_reject = callback.into();
        self
    }

    pub fn cleanup(mut self, callback: impl Into<Callback>) -> Self {
        self.cleanup = Some(callback.into());
        self
    }

    /// A call whose caller does not wait for the answer.
    pub fn one_way(self) -> Self {
        self.on_reply(NO_CALLBACK).on_reject(NO_CALLBACK)
    }
}

impl Script {
    pub fn op(mut self, name: &str) -> Self {
        let position = operations().position(|(operation, _)| operation == name);
        let position = position.unwrap_or_else(|| panic!("no operation is called {name}"));
        self.0
            .push(u8::try_from(position + 1).expect("there are few operations"));
        self
    }

    fn byte(mut self, byte: u8) -> Self {
        self.0.push(byte);
        self
    }

    fn number(mut self, number: u64) -> Self {
        self.0.extend(number.to_le_bytes());
        self
    }

    fn bytes(mut self, bytes: &[u8]) -> Self {
        let length = u32::try_from(bytes.len()).expect("scripts are short");
        self.0.extend(length.to_le_bytes());
        self.0.extend(bytes);
        self
    }

    fn callback(self, callback: &Callback) -> Self {
        match callback {
            Callback::Script(script) => self.byte(0).bytes(&script.0),
            Callback::Index(index) => self.byte(1).number(*index),
        }
    }

    /// An operation that puts a number into a cell.
    pub fn get(self, name: &str, cell: u8) -> Self {
        self.op(name).byte(cell)
    }

    /// An operation that takes a number and puts one into a cell.
    pub fn get_of(self, name: &str, cell: u8, number: u64) -> Self {
        self.get(name, cell).number(number)
    }

    /// Copies one cell to another.
    pub fn copy(self, from: u8, to: u8) -> Self {
        self.get("load", to).byte(from)
    }

    pub fn add(self, cell: u8, number: i64) -> Self {
        self.op("add").byte(cell).number(number.cast_unsigned())
    }

    pub fn append_cell(self, cell: u8) -> Self {
        self.op("append_cell").byte(cell)
    }

    pub fn append(self, bytes: &[u8]) -> Self {
        self.op("append").bytes(bytes)
    }

    pub fn append_zeros(self, size: u64) -> Self {
        self.op("append_zeros").number(size)
    }

    pub fn reply(self) -> Self {
        self.op("reply")
    }

    /// Replies with the cell's number.
    pub fn reply_cell(self, cell: u8) -> Self {
        self.append_cell(cell).reply()
    }

    pub fn reject(self, text: impl AsRef<[u8]>) -> Self {
        self.op("reject").bytes(text.as_ref())
    }

    pub fn trap(self, text: &str) -> Self {
        self.op("trap").bytes(text.as_bytes())
    }

    pub fn print(self, text: &str) -> Self {
        self.op("print").bytes(text.as_bytes())
    }

    pub fn certify(self, data: &[u8]) -> Self {
        self.op("certify").bytes(data)
    }

    pub fn stable_write(self, offset: u64, bytes: &[u8]) -> Self {
        self.op("stable_write").number(offset).bytes(bytes)
    }

    /// Puts whether `who` is a controller into a cell.
    pub fn ask_controller(self, cell: u8, who: Principal) -> Self {
        self.get("is_controller", cell).bytes(who.as_slice())
    }

    /// Runs `then` if the cell is not 0.
    pub fn when(self, cell: u8, then: Script) -> Self {
        self.op("if").byte(cell).bytes(&then.0)
    }

    pub fn spin(self, rounds: u64) -> Self {
        self.op("spin").number(rounds)
    }

    /// Remembers what a hook shall do.
    pub fn hook(self, name: &str, then: Script) -> Self {
        let index = HOOKS.iter().position(|hook| *hook == name);
        let index = index.unwrap_or_else(|| panic!("no hook is called {name}"));
        self.op("hook").byte(index as u8).bytes(&then.0)
    }

    /// Puts the cost of a call, without what is attached, into a cell.
    pub fn cost_call(self, cell: u8, method: u64, argument: u64) -> Self {
        self.get("cost_call", cell).number(method).number(argument)
    }

    pub fn attach(self, cycles: u128) -> Self {
        let low = cycles as u64;
        self.op("call_cycles")
            .number((cycles >> 64) as u64)
            .number(low)
    }

    pub fn timeout(self, seconds: u64) -> Self {
        self.op("call_timeout").number(seconds)
    }

    pub fn cleanup(self, callback: &Callback) -> Self {
        self.op("call_cleanup").callback(callback)
    }

    /// Assembles a call, but does not perform it.
    pub fn assemble(self, call: Call) -> Self {
        let mut assembled = self
            .op("call_new")
            .bytes(call.callee.as_slice())
            .bytes(call.method.as_bytes())
            .callback(&call.on_reply)
            .callback(&call.on_reject);
        if let Some(callback) = &call.cleanup {
            assembled = assembled.cleanup(callback);
        }
        if let Some(seconds) = call.timeout {
            assembled = assembled.timeout(seconds);
        }
        if call.cycles > 0 {
            assembled = assembled.attach(call.cycles);
        }
        assembled.op("call_data").bytes(&call.argument)
    }

    /// Makes a call; what `ic0.call_perform` returned goes to cell 254.
    pub fn call(self, call: Call) -> Self {
        self.assemble(call).get("perform", 254)
    }
}
