/** The replica, apart from the page: what takes time here stops nothing there. */

/** @type {Promise<WebAssembly.Exports>} */
const replica = start();

async function start() {
  const imports = {
    page: {
      /** @param {number} faults @param {number} deliveries */
      progress(faults, deliveries) {
        postMessage({ progress: { faults, deliveries } });
        // Whoever wants an end to it ends this worker.
        return 1;
      },
    },
  };
  const module = await fetch("replica.wasm");
  if (!module.ok) throw new Error(`replica.wasm: HTTP status ${module.status}`);
  // A server may not know the type of the file; then it is compiled when all of it is there.
  const isWasm = module.headers.get("content-type") === "application/wasm";
  const { instance } = isWasm
    ? await WebAssembly.instantiateStreaming(module, imports)
    : await WebAssembly.instantiate(await module.arrayBuffer(), imports);
  return instance.exports;
}

/** @param {MessageEvent<{ number: number, request: unknown, bytes?: ArrayBuffer }>} message */
onmessage = async ({ data: { number, request, bytes } }) => {
  try {
    const { memory, room, ask, length } = await replica;
    const head = new TextEncoder().encode(`${JSON.stringify(request)}\n`);
    const size = head.length + (bytes?.byteLength ?? 0);
    // Memory may have grown, so it is looked at again after each call.
    const place = room(size);
    const written = new Uint8Array(memory.buffer, place, size);
    written.set(head);
    if (bytes) written.set(new Uint8Array(bytes), head.length);
    const answered = ask() >>> 0;
    const text = new TextDecoder().decode(new Uint8Array(memory.buffer, answered, length()));
    postMessage({ number, answer: JSON.parse(text) });
  } catch (error) {
    postMessage({ number, answer: { error: `The replica failed: ${error}` }, failed: true });
  }
};
