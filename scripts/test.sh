#!/usr/bin/env bash
# Everything that must pass: formatting, lints, documentation, and all tests.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

need_rust
for component in fmt clippy; do
  project_cargo "$component" --version >/dev/null 2>&1 ||
    fail "cargo $component is missing. With rustup: rustup component add rustfmt clippy"
done
need_icp

say "Formatting"
project_cargo fmt --all --check
build_canisters
"$root/scripts/motoko.sh"
say "Lints"
project_cargo clippy --locked --workspace --all-targets -- -D warnings
say "Documentation"
RUSTDOCFLAGS="-D warnings" project_cargo doc --locked --workspace --no-deps
say "Tests"
project_cargo test --locked --workspace
say "Everything passed"
