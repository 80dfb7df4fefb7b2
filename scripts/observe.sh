#!/usr/bin/env bash
# Builds what a lesson needs and runs `observe` with the arguments given.
# Only the lesson motoko needs more than Rust: Node.js, for its compiler.
# Try: ./scripts/observe.sh --help
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

# What the arguments ask for. Without a lesson, all of the tutorial is run.
lesson= network= canisters=yes
for argument; do
  case $argument in
    --network | --network=* | --identity* | --canister[12]*) network=yes ;;
    --list | --help | -h | --version | -V) canisters= ;;
    motoko | rollback) lesson=$argument ;;
    *) ! compgen -G "$root/lessons/[0-9][0-9]-$argument" >/dev/null || lesson=$argument ;;
  esac
done

need_rust
case $canisters$lesson in
  "") ;;
  yes) build_canisters -p canister1 -p canister2 -p lessons ;;
  yesmotoko | yesrollback) build_canisters -p canister1 -p canister2 ;;
  *) build_canisters -p lessons --bin "${lesson}_caller" --bin "${lesson}_callee" ;;
esac
[ "$lesson" != motoko ] || "$root/scripts/motoko.sh"
say "Building observe${network:+, which can reach other networks}"
project_cargo build --locked -p observe ${network:+--features network}
exec "$target/debug/observe" --wasm "$target/wasm32-unknown-unknown/release" \
  --motoko "$target/motoko" "$@"
