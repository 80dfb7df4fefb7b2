# What the scripts share. Sets `root` and `target`, and goes to neither.

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
target=$root/target

say() { printf '\033[1m== %s\033[0m\n' "$*" >&2; }

fail() {
  printf 'error: %s\n' "$*" >&2
  exit 2
}

# Rust must be there; the wasm target is added if it is missing.
need_rust() {
  command -v cargo >/dev/null && command -v rustc >/dev/null ||
    fail "Rust is missing. Install it from https://rustup.rs, then run this again."
  local wanted have
  wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$root/Cargo.toml")
  have=$(cd "$root" && rustc --version | cut -d' ' -f2)
  [ "$(printf '%s\n' "$wanted" "${have%%-*}" | sort -V | head -n 1)" = "$wanted" ] ||
    fail "Rust $wanted or later is needed, and this is $have. With rustup: rustup update stable"
  [ -d "$(cd "$root" && rustc --print target-libdir --target wasm32-unknown-unknown)" ] && return
  command -v rustup >/dev/null ||
    fail "Rust's target wasm32-unknown-unknown is missing, and there is no rustup to add it with."
  say "Adding Rust's target wasm32-unknown-unknown"
  (cd "$root" && rustup target add wasm32-unknown-unknown) ||
    fail "rustup could not add the target wasm32-unknown-unknown; is there a network?"
}

# Cargo, for this project and into its own target directory, from any folder.
project_cargo() {
  (cd "$root" && CARGO_TARGET_DIR=$target cargo "$@")
}

build_canisters() {
  say "Building the canisters"
  # The id of canister2 is given at run time here; one built in would be of another deployment.
  (unset CANISTER_ID_CANISTER2 &&
    project_cargo build --locked --release --target wasm32-unknown-unknown -p canister1 -p canister2)
}
