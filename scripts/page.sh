#!/usr/bin/env bash
# Builds the page on which you deliver the messages, and serves it on loopback.
# Arguments go to the program: --port, --build to build the folder only, --help.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

need_rust
build_canisters -p canister1 -p canister2 -p lessons
say "Building the replica for the browser"
project_cargo build --locked -p page --lib --profile page --target wasm32-unknown-unknown
say "Building the page"
project_cargo build --locked -p page
exec "$target/debug/page" --target "$target" "$target/page-site" "$@"
