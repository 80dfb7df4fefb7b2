#!/usr/bin/env bash
# Everything that must pass: formatting, lints, documentation, and all tests.
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

need_rust
for component in fmt clippy; do
  project_cargo "$component" --version >/dev/null 2>&1 ||
    fail "cargo $component is missing. With rustup: rustup component add rustfmt clippy"
done

say "Formatting"
project_cargo fmt --all --check
say "Lints"
project_cargo clippy --locked --workspace --all-targets --all-features -- -D warnings
# What the first look is built of has fewer features.
project_cargo clippy --locked -p observe -- -D warnings
say "Documentation"
RUSTDOCFLAGS="-D warnings" project_cargo doc --locked --workspace --all-features --no-deps

need_icp
# The tests look for it in the same places.
if ! command -v chromedriver >/dev/null && [ ! -x "${CHROMEWEBDRIVER-}/chromedriver" ]; then
  [ -z "${CI-}" ] || fail "There is no chromedriver, which opens pages in a browser."
  say "No page is opened in a browser: there is no chromedriver (Debian: chromium, chromium-driver)"
fi
build_canisters -p canister1 -p canister2 -p lessons
"$root/scripts/motoko.sh"
say "The page"
check_types
node --test "$root"/page/web/*.test.js >"$target/page-tests.txt" || { cat "$target/page-tests.txt"; exit 1; }
"$root/scripts/page.sh" --build
say "Tests"
project_cargo test --locked --workspace --all-features
say "Tests of the replica, with memory kept as where it can't be mapped"
COMPARE_MEMORY=1 project_cargo test --locked --workspace --all-features --test conformance
say "The first look, as README has it"
"$root/scripts/observe.sh" rollback >"$target/first-look.txt"
[[ $(<"$root/README.md") == *"$(<"$target/first-look.txt")"* ]] ||
  fail "./scripts/observe.sh rollback prints something else than README; see $target/first-look.txt"
say "Everything passed"
