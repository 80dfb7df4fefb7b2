/// canister1, the caller: it adds 1 to a counter of its own, then asks canister2 to do the same.
///
/// It serves every method of the lesson `rollback`, with the names and types of the Rust canister1,
/// and below them what only Motoko can show. A comment `COMMIT POINT` marks where everything so far
/// becomes final: at an `await`, and at the normal end of a message. `return` and `throw` are normal
/// ends; a trap is not.

import Error "mo:core/Error";
import Nat32 "mo:core/Nat32";
import Peer "peer";
import Runtime "mo:core/Runtime";

// `persistent`: the variables outlive an upgrade.
persistent actor Canister1 {
  var counter : Nat = 0;

  func add_one() {
    counter += 1;
  };

  /// The counter.
  public query func get() : async Nat {
    counter;
  };

  /// Adds 1 here and 1 in canister2, then fails by returning `#Err`. Nothing is undone: `#Err` is
  /// a reply like any other.
  public func increment_both() : async { #Ok; #Err : Text } {
    // Step 1: add 1 here. A trap before the commit point would undo it.
    add_one();

    // Step 2: ask canister2 to add 1.
    // COMMIT POINT: the await sends the call. The 1 of step 1 is final, whatever follows.
    try {
      await Peer.canister2<system>().increment();
    } catch error {
      return #Err("canister2 did not confirm: " # Error.message(error));
    };

    // Step 3: fail. A trap here would undo what was done since the commit point: nothing.
    #Err("Failed to complete the operation.");
    // COMMIT POINT: the message ends normally.
  };

  // ---- A trap, and no commit point before it -----------------------------------------------

  /// A trap before any await undoes everything.
  public func increment_then_trap() : async () {
    add_one();
    Runtime.trap("trapped on purpose"); // Undoes the 1.
  };

  func nothing() : async* () {};

  /// `await*` runs a local function in the same message. It is no commit point, unless that
  /// function comes to an `await`: a trap after it undoes what came before it, too.
  public func increment_then_await_nothing_then_trap() : async () {
    add_one();
    await* nothing(); // Not a commit point.
    add_one();
    Runtime.trap("trapped on purpose"); // Undoes both.
  };

  /// A one-way call leaves when the message ends normally. This message traps, so the call is
  /// discarded with the rest. (One-way is what the type says here: it has no `async`.)
  public func increment_both_one_way_then_trap() : async () {
    let canister2 : actor { increment : () -> () } = actor (Peer.id<system>());
    add_one();
    canister2.increment();
    Runtime.trap("trapped on purpose"); // Undoes the 1, and the call.
  };

  // ---- A trap after a commit point ---------------------------------------------------------

  /// A trap after the await undoes only what came after the await.
  public func increment_both_then_trap() : async () {
    add_one();
    await Peer.canister2<system>().increment(); // COMMIT POINT: the first 1 is kept.
    add_one();
    Runtime.trap("trapped on purpose"); // Undoes the second 1.
  };

  /// A trap after two awaits undoes only what came after the second.
  public func increment_both_twice_then_trap() : async () {
    add_one();
    await Peer.canister2<system>().increment(); // COMMIT POINT: the first 1 is kept.
    add_one();
    await Peer.canister2<system>().increment(); // COMMIT POINT: the second 1 is kept.
    add_one();
    Runtime.trap("trapped on purpose"); // Undoes the third 1.
  };

  // ---- The callee fails, or is not there: canister1 sees a reject, and goes on -------------

  /// What became of a call, as the caller saw it.
  type CallOutcome = {
    /// The callee replied.
    #Replied;
    /// The callee, or the system in its place, rejected the call.
    #Rejected : { code : Nat32; message : Text };
    /// The call never left this canister.
    #NotSent : Text;
  };

  /// Calls `method` and awaits the answer. `await*` of this is a commit point, because of the
  /// `await` in it.
  func outcome_of(method : shared () -> async ()) : async* CallOutcome {
    try {
      await method();
      #Replied;
    } catch error {
      let code : Nat32 = switch (Error.code(error)) {
        case (#system_fatal) 1;
        case (#system_transient) 2;
        case (#destination_invalid) 3;
        case (#canister_reject) 4;
        case (#canister_error) 5;
        case (#system_unknown) 6;
        case (#future(code)) code;
        case (#call_error({ err_code })) {
          return #NotSent("call_perform failed with code " # Nat32.toText(err_code));
        };
      };
      #Rejected({ code; message = Error.message(error) });
    };
  };

  /// The callee traps. Its own change is undone, and nothing here.
  public func increment_then_call_trapping_callee() : async CallOutcome {
    add_one();
    // COMMIT POINT: the first 1 is kept.
    let outcome = await* outcome_of(Peer.canister2<system>().increment_then_trap);
    add_one();
    outcome;
    // COMMIT POINT: so is the second.
  };

  /// The callee rejects on purpose. A reject does not prove that the callee changed nothing:
  /// this one keeps its 1.
  public func increment_then_call_rejecting_callee() : async CallOutcome {
    add_one();
    // COMMIT POINT: the first 1 is kept.
    let outcome = await* outcome_of(Peer.canister2<system>().increment_then_reject);
    add_one();
    outcome;
    // COMMIT POINT: so is the second.
  };

  /// The callee has no such method.
  public func increment_then_call_missing_method() : async CallOutcome {
    add_one();
    // COMMIT POINT: the first 1 is kept; the call is sent, and the system rejects it.
    let outcome = await* outcome_of(Peer.canister2<system>().no_such_method);
    add_one();
    outcome;
    // COMMIT POINT: so is the second.
  };

  /// The callee does not exist: no network has given out this id, `nowhere!` in ASCII.
  public func increment_then_call_missing_canister() : async CallOutcome {
    let nowhere : Peer.Canister2 = actor ("ghzi7-pdon5-3wqzl-smuqq-cai");
    add_one();
    // COMMIT POINT: the first 1 is kept; the call is sent, and the system rejects it.
    let outcome = await* outcome_of(nowhere.increment);
    add_one();
    outcome;
    // COMMIT POINT: so is the second.
  };

  /// The call needs more cycles than there can be. Rust's CDK asks for the balance first, and
  /// gives an error; Motoko does not, and the system traps where the cycles are attached.
  public func increment_then_call_with_too_many_cycles() : async CallOutcome {
    let too_many = 0xffff_ffff_ffff_ffff_ffff_ffff_ffff_ffff;
    add_one();
    // Undoes the 1: nothing is sent, and the await is not reached.
    await (with cycles = too_many) Peer.canister2<system>().increment();
    #Replied;
  };

  // ---- Cleanup: what `finally` does after a trap -------------------------------------------

  /// How many `finally` blocks ran to their end, as far as it was kept.
  var drops : Nat = 0;

  /// How often a `finally` ran and was kept. It has the name that it has in Rust, where a guard's
  /// `Drop` does what `finally` does here.
  public query func get_drops() : async Nat {
    drops;
  };

  /// After a trap after an await, cleanup runs the `finally` around it, and what that does is
  /// kept. In real code this would be the unlocking of a lock.
  public func increment_both_then_trap_with_guard() : async () {
    try {
      add_one();
      await Peer.canister2<system>().increment(); // COMMIT POINT: the first 1 is kept.
      add_one();
      Runtime.trap("trapped on purpose"); // Undoes the second 1. Then cleanup runs `finally`.
    } finally {
      drops += 1;
    };
  };

  /// The mistake: a `finally` that can trap. It undoes what cleanup did: if this were a lock, it
  /// would stay locked. The right way is the method above: a `finally` that cannot trap.
  public func increment_both_then_trap_in_cleanup_too() : async () {
    try {
      add_one();
      await Peer.canister2<system>().increment(); // COMMIT POINT: the first 1 is kept.
      add_one();
      Runtime.trap("trapped on purpose"); // Undoes the second 1. Then cleanup runs `finally`.
    } finally {
      drops += 1;
      Runtime.trap("trapped on purpose, in cleanup"); // Undoes what cleanup did.
    };
  };

  // ==== What only Motoko can show ===========================================================

  // ---- `throw`: a reject on purpose, and a normal end --------------------------------------

  /// A `throw` undoes nothing, not even what came before any await.
  public func increment_then_throw() : async () {
    add_one();
    throw Error.reject("thrown on purpose");
    // COMMIT POINT: the 1 is kept, though the caller sees a reject.
  };

  /// The article's example. A `throw` after the await undoes nothing, neither here nor there.
  public func increment_both_then_throw() : async () {
    add_one();
    await Peer.canister2<system>().increment(); // COMMIT POINT: the first 1 is kept.
    add_one();
    throw Error.reject("thrown on purpose");
    // COMMIT POINT: so is the second.
  };

  /// A `throw` runs the `finally` around it in the same message, as `return` would.
  public func increment_both_then_throw_with_finally() : async () {
    try {
      add_one();
      await Peer.canister2<system>().increment(); // COMMIT POINT: the first 1 is kept.
      add_one();
      throw Error.reject("thrown on purpose");
    } finally {
      drops += 1;
    };
    // COMMIT POINT: the second 1 is kept, and what `finally` did.
  };

  /// A trap in `finally` spoils even what went well: the caller sees a reject. Cleanup runs the
  /// same `finally` once more, and it traps once more.
  public func increment_both_then_trap_in_finally() : async () {
    try {
      add_one();
      await Peer.canister2<system>().increment(); // COMMIT POINT: the first 1 is kept.
      add_one();
    } finally {
      drops += 1;
      Runtime.trap("trapped on purpose, in finally"); // Undoes the second 1, and the count.
    };
  };

  /// What nobody catches, the caller gets: the reject of canister2 is now one of canister1.
  public func increment_then_call_rejecting_callee_uncaught() : async () {
    add_one();
    // COMMIT POINT: the first 1 is kept. The await throws.
    await Peer.canister2<system>().increment_then_reject();
    add_one(); // Never executed.
  };

  /// The same, if canister2 traps. The caller gets reject code 4, not 5: canister1 did not trap,
  /// it threw. The code of the trap is a part of the text.
  public func increment_then_call_trapping_callee_uncaught() : async () {
    add_one();
    // COMMIT POINT: the first 1 is kept. The await throws.
    await Peer.canister2<system>().increment_then_trap();
    add_one(); // Never executed.
  };

  // ---- What is a commit point, and what is not ---------------------------------------------

  /// `await` of a local `async` block is a commit point: the block is a message that canister1
  /// sends to itself.
  public func increment_then_await_async_block_then_trap() : async () {
    add_one();
    await async { add_one() }; // COMMIT POINT: the first 1 is kept, and the block's own.
    add_one();
    Runtime.trap("trapped on purpose"); // Undoes the third 1.
  };

  /// A call that is not awaited leaves when the message ends normally. This message traps, so the
  /// call is discarded with the rest.
  public func increment_both_without_await_then_trap() : async () {
    add_one();
    ignore Peer.canister2<system>().increment(); // Not a commit point.
    Runtime.trap("trapped on purpose"); // Undoes the 1, and the call.
  };

  /// An `assert` that does not hold is a trap, not a `throw`.
  public func increment_both_then_assert_false() : async () {
    add_one();
    await Peer.canister2<system>().increment(); // COMMIT POINT: the first 1 is kept.
    add_one();
    assert false; // Undoes the second 1.
  };
};
