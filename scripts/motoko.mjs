// Compiles canisters/motoko/canister1.mo and canister2.mo, unless that was done already.
// Arguments: the project, the folder with the compiler's node_modules, the folder to write to.
// scripts/motoko.sh calls this.
import { createHash } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const [project, tools, out] = process.argv.slice(2);
const sources = 'canisters/motoko';
const canisters = ['canister2', 'canister1'];

// For `import "canister:canister2"`. The id of canister2 is not known yet: canister1 learns it when
// it runs. Until then it is the anonymous principal, who is nobody.
const nobody = '2vxsx-fae';

const require = createRequire(join(tools, 'package.json'));

// Where the compiler finds a file, and where it is in the project.
const paths = new Map([[`${nobody}.did`, 'candid/canister2.did']]);
for (const name of readdirSync(join(project, sources)).sort()) {
  if (name.endsWith('.mo')) {
    paths.set(name, `${sources}/${name}`);
  }
}
const files = [...paths].map(([path, real]) => [path, readFileSync(join(project, real), 'utf8')]);

// What the build depends on. It is written down after a build without complaints.
const inputs = createHash('sha256')
  .update(JSON.stringify(files))
  .update(readFileSync(process.argv[1]))
  .update(require('motoko/package.json').version)
  .digest('hex');
const stamp = join(out, 'inputs');

const wasm = (canister) => join(out, `${canister}.wasm`);

function isBuilt() {
  try {
    canisters.forEach((canister) => readFileSync(wasm(canister)));
    return readFileSync(stamp, 'utf8') === inputs;
  } catch {
    return false;
  }
}

// Others may read the file at the same time, so it is replaced as a whole.
function replace(path, content) {
  const fresh = `${path}.${process.pid}`;
  writeFileSync(fresh, content);
  renameSync(fresh, path);
}

// How one can go to it: file, line and column, counted from 1.
function describe({ source, range, severity, code, message }) {
  const { line, character } = range.start;
  const kind = severity === 1 ? 'error' : 'warning';
  return `${paths.get(source) ?? source}:${line + 1}:${character + 1}: ${kind} [${code}]: ${message}`;
}

function build() {
  process.stderr.write('== Building the Motoko canisters\n');
  const motoko = require('motoko');
  motoko.loadPackage(require('motoko/packages/latest/core.json'));
  motoko.setPublicMetadata(['candid:service']);
  motoko.setAliases('.', { canister2: nobody });
  files.forEach(([path, content]) => motoko.write(path, content));
  mkdirSync(out, { recursive: true });
  rmSync(stamp, { force: true });
  let complaints = 0;
  for (const canister of canisters) {
    // `motoko.wasm` would forget where the errors are.
    const { code, diagnostics } = motoko.compiler.compileWasm('ic', `${canister}.mo`);
    diagnostics.forEach((diagnostic) => process.stderr.write(`${describe(diagnostic)}\n`));
    complaints += diagnostics.length;
    if (!code) {
      process.stderr.write(`error: ${sources}/${canister}.mo does not compile\n`);
      return 2;
    }
    replace(wasm(canister), code.wasm);
  }
  if (complaints === 0) {
    replace(stamp, inputs);
  }
  return 0;
}

process.exitCode = isBuilt() ? 0 : build();
