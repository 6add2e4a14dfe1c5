/** Checks of the compiled core for errors that no test of its behaviour would find. */

/** Reads just enough of the wasm format (core specification, 5): sections, data segments, the br_tables of the code section. */
class Reader {
  constructor(
    private readonly data: Uint8Array,
    public at = 0,
  ) {}
  byte(): number {
    return this.data[this.at++]!;
  }
  unsigned(): number {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = this.byte();
      value += (byte & 127) * 2 ** shift;
      if (byte < 128) return value;
    }
  }
}

function sections(wasm: Uint8Array): { id: number; start: number; end: number }[] {
  const reader = new Reader(wasm, 8);
  const list: { id: number; start: number; end: number }[] = [];
  while (reader.at < wasm.length) {
    const id = reader.byte();
    const size = reader.unsigned();
    list.push({ id, start: reader.at, end: reader.at + size });
    reader.at += size;
  }
  return list;
}

/** End of the highest active data segment. */
function dataEnd(wasm: Uint8Array): number {
  const section = sections(wasm).find(({ id }) => id === 11);
  if (!section) return 0;
  const reader = new Reader(wasm, section.start);
  let end = 0;
  for (let count = reader.unsigned(); count > 0; count--) {
    const kind = reader.unsigned();
    if (kind !== 0) throw new Error(`data segment of kind ${kind}: only active ones of memory 0 are expected`);
    reader.byte(); // i32.const
    const offset = reader.unsigned();
    reader.byte(); // end
    const size = reader.unsigned();
    reader.at += size;
    end = Math.max(end, offset + size);
  }
  return end;
}

/** Bytes of the functions' bodies, in order. */
function bodies(wasm: Uint8Array): Uint8Array[] {
  const code = sections(wasm).find(({ id }) => id === 10);
  if (!code) return [];
  const reader = new Reader(wasm, code.start);
  return Array.from({ length: reader.unsigned() }, () => {
    const size = reader.unsigned();
    reader.at += size;
    return wasm.subarray(reader.at - size, reader.at);
  });
}

/** A br_table with at least `handlers` targets: opcode 0x0e, then its length as LEB128, then that many labels. */
function hasTable(body: Uint8Array, handlers: number): boolean {
  for (let at = 0; at < body.length; at++) {
    if (body[at] !== 0x0e) continue;
    const length = new Reader(body, at + 1).unsigned();
    if (length >= handlers && length < handlers + 8) return true;
  }
  return false;
}

/**
 * Bytes of the interpreter's loop up to which V8 gives it its better register allocator: at 8,192 virtual registers, of which one of 38,081 bytes
 * has 7,758.
 */
const LOOP_LIMIT = 39_500;

export function checkCore(wasm: Uint8Array, dataLimit: number, handlers: number): void {
  const end = dataEnd(wasm);
  if (end > dataLimit)
    throw new Error(`static data of the core ends at 0x${end.toString(16)}, above ASC_DATA_END 0x${dataLimit.toString(16)}`);
  const loop = bodies(wasm).find((body) => hasTable(body, handlers));
  if (loop === undefined) throw new Error(`the interpreter's switch over ${handlers} handlers did not become a br_table`);
  if (loop.length > LOOP_LIMIT)
    throw new Error(`the interpreter's loop has ${loop.length} bytes: over ${LOOP_LIMIT} it gets slower (engine/abi/ops/common.ts)`);
}
