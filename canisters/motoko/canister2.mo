/// canister2, the callee: a counter that canister1 adds to from afar.

import Error "mo:core/Error";
import Runtime "mo:core/Runtime";

// `persistent`: the variables outlive an upgrade.
persistent actor Canister2 {
  var counter : Nat = 0;

  func add_one() {
    counter += 1;
  };

  /// The counter.
  public query func get() : async Nat {
    counter;
  };

  /// Adds 1.
  public func increment() : async () {
    add_one();
    // COMMIT POINT: the message ends here. No later error in the caller can undo it.
  };

  /// Adds 1, then traps: the 1 is undone, and the caller sees a reject with code 5.
  public func increment_then_trap() : async () {
    add_one();
    Runtime.trap("canister2 trapped on purpose");
  };

  /// Adds 1, then rejects: the caller sees a reject with code 4, and the 1 is kept all the same.
  public func increment_then_reject() : async () {
    add_one();
    throw Error.reject("canister2 rejected on purpose");
    // COMMIT POINT: a `throw` is an answer like any other, and the message ends normally.
  };
};
