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
  const packed = await fetch("replica.wasm.gz");
  if (!packed.ok) throw new Error(`replica.wasm.gz: HTTP status ${packed.status}`);
  const { instance } = await WebAssembly.instantiate(await unpack(await packed.arrayBuffer()), imports);
  return instance.exports;
}

/** The module. Some servers say of such a file that it is packed for the way, and then the browser has unpacked it.
 * @param {ArrayBuffer} bytes */
async function unpack(bytes) {
  const [first, second] = new Uint8Array(bytes, 0, 2);
  if (first !== 0x1f || second !== 0x8b) return bytes;
  const unpacked = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(unpacked).arrayBuffer();
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
