#!/usr/bin/env bash
# Builds the Motoko pair with the compiler from npm: target/motoko/canister1.wasm and canister2.wasm.
# Takes a second where nothing has changed since the last build.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

# The compiler, moc, as JavaScript; and with it the library mo:core.
motoko_version=4.10.0
tools=$target/motoko-tools

need_motoko() {
  local node package=$tools/node_modules/motoko/package.json
  command -v node >/dev/null && command -v npm >/dev/null ||
    fail "The Motoko compiler needs Node.js with npm: install Node.js 20 or later."
  node=$(node --version)
  at_least "${node#v}" 20.0 ||
    fail "The Motoko compiler needs Node.js 20 or later, and this is ${node#v}."
  if [ "$(sed -n 's/^ *"version": "\(.*\)",$/\1/p' "$package" 2>/dev/null)" = "$motoko_version" ]; then
    return
  fi
  say "Installing the Motoko compiler, motoko@$motoko_version, in target/motoko-tools"
  npm install --no-audit --no-fund --loglevel=error --prefix "$tools" "motoko@$motoko_version" >&2 ||
    fail "npm could not install motoko@$motoko_version; is there a network?"
}

need_motoko
exec node "$root/scripts/motoko.mjs" "$root" "$tools" "$target/motoko"
