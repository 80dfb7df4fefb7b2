#!/usr/bin/env bash
# Starts the local replica as icp's network, so that the next command can be: icp deploy
# Ends with the commands to go on with. Stop it with: icp network stop
set -euo pipefail
. "$(dirname -- "${BASH_SOURCE[0]}")/common.sh"

need_rust
already=$(command -v icp || true)
need_icp
say "Building the local replica"
project_cargo build --locked -p local-replica
cd "$root"
export DO_NOT_TRACK=1
ICP_CLI_NETWORK_LAUNCHER_PATH=$target/debug/local-replica icp network start --background >&2

say "The local replica is icp's network now. Go on with:"
if [ -z "$already" ]; then
  # The directories that need_icp has put in front.
  printf 'export PATH=%s:$PATH\n' "$(dirname -- "$(command -v ic-wasm)"):$(dirname -- "$(command -v icp)")"
fi
cat <<'COMMANDS'
icp deploy
icp canister call canister1 increment_both '()'
icp canister call canister1 get '()' --query
icp canister call canister2 get '()' --query
icp network stop
COMMANDS
