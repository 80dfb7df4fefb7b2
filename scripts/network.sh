#!/usr/bin/env bash
# Starts the local replica as icp's network, so that the next command can be: icp deploy
# The project that it is for is this one, or that of the folder given: lessons, canisters/motoko.
# Ends with the commands to go on with. Stop it with: icp network stop
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

folder=${1-.}
[[ $# -le 1 && -f $root/$folder/icp.yaml ]] ||
  fail "'$*' is no folder of this project with an icp.yaml; there are lessons and canisters/motoko."
need_rust
already=$(command -v icp || true)
need_icp
say "Building the local replica"
project_cargo build --locked -p local-replica
cd "$root/$folder"
export DO_NOT_TRACK=1
ICP_CLI_NETWORK_LAUNCHER_PATH=$target/debug/local-replica icp network start --background >&2

say "The local replica is icp's network now. Go on with:"
if [ -z "$already" ]; then
  # The directories that need_icp has put in front.
  printf 'export PATH=%q:$PATH\n' "$(dirname -- "$(command -v ic-wasm)"):$(dirname -- "$(command -v icp)")"
fi
case $folder in
  .) ;;
  *) printf 'cd %q\n' "$folder" ;;
esac
case $folder in
  lessons) cat <<'COMMANDS'
icp deploy journal_caller journal_callee
icp canister call journal_caller open '(100 : nat64)'
icp network stop
COMMANDS
    ;;
  *) cat <<'COMMANDS'
icp deploy
icp canister call canister1 increment_both '()'
icp canister call canister1 get '()' --query
icp canister call canister2 get '()' --query
icp network stop
COMMANDS
    ;;
esac
