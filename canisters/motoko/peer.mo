/// How canister1 learns the id of canister2.
///
/// `icp deploy` gives it to the running canister, in a canister environment variable;
/// `dfx deploy` gives it to the compiler, which puts it where the import below is.

import BuiltIn "canister:canister2";
import Principal "mo:core/Principal";
import Runtime "mo:core/Runtime";

module {
  /// What canister1 takes canister2 to be. The compiler believes it: that there is no
  /// `no_such_method` shows only when it is called.
  public type Canister2 = actor {
    increment : () -> async ();
    increment_then_reject : () -> async ();
    increment_then_trap : () -> async ();
    no_such_method : () -> async ();
  };

  /// The canister environment variable that holds the id at run time.
  let run_time = "PUBLIC_CANISTER_ID:canister2";

  /// canister2.
  public func canister2<system>() : Canister2 {
    actor (id<system>());
  };

  /// Its id: the one given at run time, else the one built in; the first is easier to correct.
  /// Where there is none this traps, and undoes what the calling method did so far.
  public func id<system>() : Text {
    let built_in = Principal.fromActor(BuiltIn);
    switch (Runtime.envVar<system>(run_time)) {
      case (?given) given;
      // Where the compiler is not told the id, it is told the anonymous principal: nobody's.
      case null if (Principal.isAnonymous(built_in)) {
        Runtime.trap(
          "canister1 does not know canister2. Deploy both with `icp deploy` or `dfx deploy`; "
          # "or set the canister environment variable " # run_time # " to the id of canister2."
        );
      } else {
        Principal.toText(built_in);
      };
    };
  };
};
