// Compiles a canister in Motoko. Arguments: the folder with the compiler's node_modules, the source,
// and the file to write.
import { readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { join } from 'node:path';

const [tools, source, wasm] = process.argv.slice(2);
const motoko = createRequire(join(tools, 'package.json'))('motoko');
motoko.setPublicMetadata(['candid:service']);
motoko.write('bank.mo', readFileSync(source, 'utf8'));
const { code, diagnostics } = motoko.compiler.compileWasm('ic', 'bank.mo');
if (!code) {
  process.stderr.write(`${JSON.stringify(diagnostics)}\n`);
  process.exit(1);
}
writeFileSync(wasm, code.wasm);
