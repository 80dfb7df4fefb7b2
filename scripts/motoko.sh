#!/usr/bin/env bash
# Builds the Motoko pair with the compiler from npm: target/motoko/canister1.wasm and canister2.wasm.
# Given the name of one, it builds that one. What is up to date stays as it is.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

# The compiler, moc, as JavaScript; and with it the library mo:core.
motoko=motoko@4.10.0
tools=$target/motoko-tools/$motoko

need_motoko() {
  local node fresh=$tools.$$
  command -v node >/dev/null && command -v npm >/dev/null ||
    fail "The Motoko compiler needs Node.js with npm: install Node.js 20 or later."
  node=$(node --version)
  at_least "${node#v}" 20.0 ||
    fail "The Motoko compiler needs Node.js 20 or later, and this is ${node#v}."
  if [ -d "$tools" ]; then
    return
  fi
  say "Installing the Motoko compiler, $motoko, in target/motoko-tools"
  # Aside at first: icp builds both canisters at the same time.
  npm install --no-audit --no-fund --loglevel=error --prefix "$fresh" "$motoko" >&2 ||
    fail "npm could not install $motoko; is there a network?"
  [ -d "$tools" ] || mv "$fresh" "$tools"
  rm -rf "$fresh"
}

need_motoko
[ $# -gt 0 ] || set -- canister2 canister1
for canister; do
  [ -f "$root/canisters/motoko/$canister.mo" ] ||
    fail "There is no canisters/motoko/$canister.mo to build."
done
exec node "$root/scripts/motoko.mjs" "$root" "$tools" "$target/motoko" "$@"
