// Compiles canisters/motoko/<canister>.mo, unless that was done already. scripts/motoko.sh calls this.
// Arguments: the project, the folder with the compiler's node_modules, the folder to write to, and
// the canisters.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import { renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const [project, tools, out, ...canisters] = process.argv.slice(2);
const sources = 'canisters/motoko';
const require = createRequire(join(tools, 'package.json'));

// What `import "canister:canister2"` means. Where it is not known, canister1 learns the id of
// canister2 when it runs; until then it is the anonymous principal, who is nobody.
const canister2 = process.env.CANISTER_ID_CANISTER2 || '2vxsx-fae';

// Where the compiler finds a file, and where it is in the project.
const paths = new Map([[`${canister2}.did`, 'candid/canister2.did']]);
for (const name of readdirSync(join(project, sources)).sort()) {
  if (name.endsWith('.mo')) {
    paths.set(name, `${sources}/${name}`);
  }
}
const files = [...paths].map(([path, real]) => [path, readFileSync(join(project, real), 'utf8')]);

// All that a build depends on. It is written down after a build without complaints.
const inputs = createHash('sha256')
  .update(JSON.stringify(files))
  .update(readFileSync(process.argv[1]))
  .update(require('motoko/package.json').version)
  .digest('hex');

// Others may read the file at the same time, so it is replaced as a whole.
function replace(path, content) {
  const fresh = `${path}.${process.pid}`;
  writeFileSync(fresh, content);
  renameSync(fresh, path);
}

// How one can go to it: file, line and column, counted from 1.
function describe({ source, range, severity, code, message }) {
  const { line, character } = range.start;
  const kind = (severity === 1 ? 'error' : 'warning') + (code && ` [${code}]`);
  return `${paths.get(source) ?? source}:${line + 1}:${character + 1}: ${kind}: ${message}`;
}

function loadCompiler() {
  const motoko = require('motoko');
  motoko.loadPackage(require('motoko/packages/latest/core.json'));
  motoko.setPublicMetadata(['candid:service']);
  motoko.setAliases('.', { canister2 });
  files.forEach(([path, content]) => motoko.write(path, content));
  return motoko.compiler;
}

let compiler;
mkdirSync(out, { recursive: true });
for (const canister of canisters) {
  const wasm = join(out, `${canister}.wasm`);
  const stamp = join(out, `${canister}.inputs`);
  if (existsSync(wasm) && existsSync(stamp) && readFileSync(stamp, 'utf8') === inputs) {
    continue;
  }
  process.stderr.write(`== Compiling ${sources}/${canister}.mo\n`);
  rmSync(stamp, { force: true });
  compiler ??= loadCompiler();
  // The package's own `wasm` would forget where the errors are.
  const { code, diagnostics } = compiler.compileWasm('ic', `${canister}.mo`);
  diagnostics.forEach((diagnostic) => process.stderr.write(`${describe(diagnostic)}\n`));
  if (!code) {
    process.stderr.write(`error: ${sources}/${canister}.mo does not compile\n`);
    process.exitCode = 2;
    break;
  }
  replace(wasm, code.wasm);
  if (diagnostics.length === 0) {
    replace(stamp, inputs);
  }
}
