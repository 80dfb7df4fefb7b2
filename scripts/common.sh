# What the scripts share. Sets `root` and `target`, and goes to neither.

root=$(CDPATH='' cd -- "$(dirname -- "${BASH_SOURCE[0]}")/.." && pwd)
target=$root/target

say() {
  if [ -t 2 ] && [ -z "${NO_COLOR-}" ]; then
    printf '\033[1m== %s\033[0m\n' "$*" >&2
  else
    printf '== %s\n' "$*" >&2
  fi
}

fail() {
  printf 'error: %s\n' "$*" >&2
  exit 2
}

# Whether version $1 is at least version $2; both begin with major.minor.
at_least() {
  local major minor wanted_major wanted_minor rest
  IFS=. read -r major minor rest <<<"$1"
  IFS=. read -r wanted_major wanted_minor rest <<<"$2"
  [ "$major" -gt "$wanted_major" ] ||
    { [ "$major" -eq "$wanted_major" ] && [ "$minor" -ge "$wanted_minor" ]; }
}

# Rust must be there; the wasm target is added if it is missing.
need_rust() {
  command -v cargo >/dev/null && command -v rustc >/dev/null ||
    fail "Rust is missing. Install it from https://rustup.rs, then run this again."
  local wanted have
  wanted=$(sed -n 's/^rust-version = "\(.*\)"/\1/p' "$root/Cargo.toml")
  have=$(cd "$root" && rustc --version | cut -d' ' -f2)
  at_least "$have" "$wanted" ||
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

# The canisters of the packages and binaries given.
build_canisters() {
  say "Building the canisters"
  # The id of canister2 is given at run time here; one built in would be of another deployment.
  (unset CANISTER_ID_CANISTER2 &&
    project_cargo build --locked --release --target wasm32-unknown-unknown "$@")
}

# The versions of icp and ic-wasm that this project is tested with.
icp_version=1.5.0
ic_wasm_version=0.11.1

# Puts icp and ic-wasm on PATH: those that are there, else from npm into target/icp-tools.
need_icp() {
  local tools=$target/icp-tools packages
  if command -v icp >/dev/null && command -v ic-wasm >/dev/null; then
    return
  fi
  command -v npm >/dev/null ||
    fail "icp is missing, and there is no npm to install it with: install Node.js 20 or later."
  # The packages that users install choose one for the platform; here it is named directly where
  # that is known to work.
  case $(uname -sm) in
    "Linux x86_64")
      packages="@icp-sdk/icp-cli-linux-x64@$icp_version @icp-sdk/ic-wasm-linux-x64@$ic_wasm_version"
      PATH=$tools/node_modules/@icp-sdk/icp-cli-linux-x64/bin:$PATH
      PATH=$tools/node_modules/@icp-sdk/ic-wasm-linux-x64/bin:$PATH
      ;;
    *)
      packages="@icp-sdk/icp-cli@$icp_version @icp-sdk/ic-wasm@$ic_wasm_version"
      PATH=$tools/node_modules/.bin:$PATH
      ;;
  esac
  export PATH
  if command -v icp >/dev/null && command -v ic-wasm >/dev/null; then
    return
  fi
  say "Installing icp $icp_version and ic-wasm $ic_wasm_version in target/icp-tools"
  # shellcheck disable=SC2086
  npm install --no-audit --no-fund --loglevel=error --prefix "$tools" $packages >&2 ||
    fail "npm could not install $packages"
  command -v icp >/dev/null && command -v ic-wasm >/dev/null ||
    fail "npm installed $packages, but icp or ic-wasm is not in it"
}

# The version of TypeScript that checks the types of the page.
typescript_version=5.9.3

# Checks the types of the page's modules; TypeScript is put into target/page-tools.
check_types() {
  local tools=$target/page-tools
  local known
  known=$(sed -n 's/^ *"version": "\(.*\)",$/\1/p' "$tools/node_modules/typescript/package.json" 2>/dev/null || true)
  if [ "$known" != "$typescript_version" ]; then
    say "Installing TypeScript $typescript_version in target/page-tools"
    npm install --no-audit --no-fund --loglevel=error --prefix "$tools" "typescript@$typescript_version" >&2 ||
      fail "npm could not install TypeScript"
  fi
  node "$tools/node_modules/typescript/bin/tsc" --project "$root/page/web/jsconfig.json"
}
