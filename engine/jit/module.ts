/** One region as a WebAssembly module: imports, one function, its name and the hints of its branches. Specification 2.0, chapter 5. */
import { Bytes, type Code, I32, I64 } from './encoder';

export interface FunctionType {
  parameters: readonly number[];
  results: readonly number[];
}

export interface Import {
  name: string;
  type: FunctionType;
}

/** Locals beside the parameters: how many of which type, in order. */
export type Locals = readonly (readonly [count: number, type: number])[];

const MAGIC = Uint8Array.of(0, 0x61, 0x73, 0x6d, 1, 0, 0, 0);
/** In every region's module: the memory is imported from "env" and may have any size. */
const MAX_PAGES = 65536;

function section(out: Bytes, id: number, content: (bytes: Bytes) => void): void {
  const bytes = new Bytes();
  content(bytes);
  out.byte(id);
  out.u32(bytes.length);
  out.append(bytes.view());
}

function custom(out: Bytes, name: string, content: (bytes: Bytes) => void): void {
  section(out, 0, (bytes) => {
    bytes.text(name);
    content(bytes);
  });
}

function localsOf(locals: Locals): Bytes {
  const bytes = new Bytes();
  const used = locals.filter(([count]) => count > 0);
  bytes.u32(used.length);
  for (const [count, type] of used) {
    bytes.u32(count);
    bytes.byte(type);
  }
  return bytes;
}

/** What all modules with these imports begin with: types, imports, the one function and its name. */
function prologue(imports: readonly Import[], type: FunctionType): Uint8Array {
  const out = new Bytes();
  out.append(MAGIC);
  section(out, 1, (bytes) => {
    bytes.u32(imports.length + 1);
    for (const { parameters, results } of [...imports.map((entry) => entry.type), type]) {
      bytes.byte(0x60);
      bytes.u32(parameters.length);
      for (const parameter of parameters) bytes.byte(parameter);
      bytes.u32(results.length);
      for (const result of results) bytes.byte(result);
    }
  });
  section(out, 2, (bytes) => {
    bytes.u32(imports.length + 1);
    bytes.text('env');
    bytes.text('memory');
    bytes.byte(2);
    bytes.byte(1);
    bytes.u32(1);
    bytes.u32(MAX_PAGES);
    for (const [index, { name }] of imports.entries()) {
      bytes.text('env');
      bytes.text(name);
      bytes.byte(0);
      bytes.u32(index);
    }
  });
  section(out, 3, (bytes) => {
    bytes.u32(1);
    bytes.u32(imports.length);
  });
  section(out, 7, (bytes) => {
    bytes.u32(1);
    bytes.text('region');
    bytes.byte(0);
    bytes.u32(imports.length);
  });
  return out.view().slice();
}

let last: { imports: readonly Import[]; type: FunctionType; bytes: Uint8Array } | undefined;

/**
 * The module with one function `region` of `type`, whose code may call the imports by their position.
 * `code` must be complete but for the last `end`.
 */
export function moduleOf(imports: readonly Import[], type: FunctionType, locals: Locals, code: Code): Uint8Array<ArrayBuffer> {
  if (code.depth !== 0) throw new Error(`${code.depth} blocks of the region are still open`);
  if (last?.imports !== imports || last.type !== type) last = { imports, type, bytes: prologue(imports, type) };
  const out = new Bytes(last.bytes.length + code.length + 8 * code.hints.length + 256);
  out.append(last.bytes);
  const head = localsOf(locals);
  // Offsets of hints count from the start of the function's locals (branch hinting proposal).
  if (code.hints.length > 0)
    custom(out, 'metadata.code.branch_hint', (bytes) => {
      bytes.u32(1);
      bytes.u32(imports.length);
      bytes.u32(code.hints.length);
      for (const { offset, likely } of code.hints) {
        bytes.u32(head.length + offset);
        bytes.u32(1);
        bytes.byte(likely ? 1 : 0);
      }
    });
  const size = new Bytes();
  size.u32(head.length + code.length + 1);
  out.byte(10);
  out.u32(1 + size.length + head.length + code.length + 1);
  out.u32(1);
  out.append(size.view());
  out.append(head.view());
  out.append(code.view());
  out.byte(0x0b);
  return out.view().slice();
}

export { I32, I64 };
