#!/usr/bin/env bash
# Builds the canisters and runs `observe` with the arguments given, on a local replica.
# Only the lesson motoko needs more than Rust: Node.js, for its compiler.
# Try: ./scripts/observe.sh --help
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

need_rust
build_canisters
case " $* " in
  *" motoko "*) "$root/scripts/motoko.sh" ;;
esac
say "Building the local replica, and observe"
project_cargo build --locked -p observe
exec "$target/debug/observe" --wasm "$target/wasm32-unknown-unknown/release" \
  --motoko "$target/motoko" "$@"
