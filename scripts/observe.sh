#!/usr/bin/env bash
# Builds what a lesson needs and runs `observe` with the arguments given.
# Only the lesson motoko needs more than Rust: Node.js, for its compiler.
# Try: ./scripts/observe.sh --help
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

# What the arguments ask for: only to be told something, another network, a lesson. What is wrong with
# them `observe` says.
tells='' network='' lesson='' before=''
for argument; do
  case $argument in
    --list | --help | -h | --version | -V) tells=yes ;;
    --network | --network=*) network=yes ;;
  esac
  case $before in
    --network | --identity | --token | --canister1 | --canister2 | --wasm | --motoko) ;;
    *) [[ $lesson || $argument == -* ]] || lesson=$argument ;;
  esac
  before=$argument
done

need_rust
if [[ ! $tells ]]; then
  if [[ ! $lesson ]]; then
    build_canisters -p canister1 -p canister2 -p lessons
  elif grep -qx "name = \"${lesson}_caller\"" "$root/lessons/Cargo.toml"; then
    # The binaries of its room.
    build_canisters -p lessons $(sed -n "s/^name = \"\(${lesson}_[a-z]*\)\"$/--bin \1/p" "$root/lessons/Cargo.toml")
  else
    build_canisters -p canister1 -p canister2
  fi
  [[ $lesson != motoko ]] || "$root/scripts/motoko.sh"
fi
say "Building observe${network:+, with what reaches other networks}"
project_cargo build --locked -p observe ${network:+--features network}
exec "$target/debug/observe" --wasm "$target/wasm32-unknown-unknown/release" \
  --motoko "$target/motoko" "$@"
