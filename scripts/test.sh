#!/usr/bin/env bash
# Everything that must pass: formatting, lints, documentation, and all tests.
set -euo pipefail
. "$(dirname "${BASH_SOURCE[0]}")/common.sh"

# The versions of icp and ic-wasm that the tests are run with.
icp=1.5.0
ic_wasm=0.11.1

# icp and ic-wasm, for the test that builds the canisters as `icp deploy` does.
need_icp() {
  local tools=$target/icp-tools packages
  PATH=$tools/node_modules/.bin:$PATH
  if command -v icp >/dev/null && command -v ic-wasm >/dev/null; then
    return
  fi
  command -v npm >/dev/null ||
    fail "icp is missing, and there is no npm to install it with: install Node.js 20 or later."
  # The packages that users install choose one for the platform; here it is named directly where
  # that is known to work.
  case $(uname -sm) in
    "Linux x86_64") packages="@icp-sdk/icp-cli-linux-x64@$icp @icp-sdk/ic-wasm-linux-x64@$ic_wasm" ;;
    *) packages="@icp-sdk/icp-cli@$icp @icp-sdk/ic-wasm@$ic_wasm" ;;
  esac
  [ "$(cat "$tools/packages" 2>/dev/null)" = "$packages" ] && return
  say "Installing icp $icp and ic-wasm $ic_wasm for the tests, in target/icp-tools"
  # shellcheck disable=SC2086
  npm install --no-audit --no-fund --loglevel=error --prefix "$tools" $packages >&2 ||
    fail "npm could not install $packages"
  printf '%s\n' "$packages" >"$tools/packages"
}

need_rust
for component in fmt clippy; do
  project_cargo "$component" --version >/dev/null 2>&1 ||
    fail "cargo $component is missing. With rustup: rustup component add rustfmt clippy"
done
need_icp

say "Formatting"
project_cargo fmt --all --check
build_canisters
say "Lints"
project_cargo clippy --locked --workspace --all-targets -- -D warnings
say "Documentation"
RUSTDOCFLAGS="-D warnings" project_cargo doc --locked --workspace --no-deps
say "Tests"
project_cargo test --locked --workspace
say "Everything passed"
