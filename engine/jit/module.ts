/**
 * One region as a WebAssembly module: imports, one function, its name and the hints of its branches. Specification 2.0, chapter 5. Helpers are called
 * through a table: for imported functions engines would compile a wrapper per type in every module.
 */
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
/** Reference type of the elements of a table of functions. */
const FUNCTIONS = 0x70;

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

/** What a function may call: imports by their position, and helpers by theirs in the imported table `helpers`. */
export interface Callees {
  imports: readonly Import[];
  helpers: readonly FunctionType[];
}

/** The beginning of all modules with these callees: types, imports, the one function and its name. Helpers have the first types. */
function prologue({ imports, helpers }: Callees, type: FunctionType): Uint8Array {
  const types = [...helpers, ...imports.map((entry) => entry.type), type];
  const out = new Bytes();
  out.append(MAGIC);
  section(out, 1, (bytes) => {
    bytes.u32(types.length);
    for (const { parameters, results } of types) {
      bytes.byte(0x60);
      bytes.u32(parameters.length);
      for (const parameter of parameters) bytes.byte(parameter);
      bytes.u32(results.length);
      for (const result of results) bytes.byte(result);
    }
  });
  section(out, 2, (bytes) => {
    bytes.u32(imports.length + (helpers.length > 0 ? 2 : 1));
    bytes.text('env');
    bytes.text('memory');
    bytes.byte(2);
    bytes.byte(1);
    bytes.u32(1);
    bytes.u32(MAX_PAGES);
    if (helpers.length > 0) {
      bytes.text('env');
      bytes.text('helpers');
      bytes.byte(1);
      bytes.byte(FUNCTIONS);
      bytes.byte(0);
      bytes.u32(helpers.length);
    }
    for (const [index, { name }] of imports.entries()) {
      bytes.text('env');
      bytes.text(name);
      bytes.byte(0);
      bytes.u32(helpers.length + index);
    }
  });
  section(out, 3, (bytes) => {
    bytes.u32(1);
    bytes.u32(types.length - 1);
  });
  section(out, 7, (bytes) => {
    bytes.u32(1);
    bytes.text('region');
    bytes.byte(0);
    bytes.u32(imports.length);
  });
  return out.view().slice();
}

let last: { callees: Callees; type: FunctionType; bytes: Uint8Array } | undefined;

/** The module with one function `region` of `type`. `code` must be complete except for the last `end`. */
export function moduleOf(callees: Callees, type: FunctionType, locals: Locals, code: Code): Uint8Array<ArrayBuffer> {
  const { imports } = callees;
  if (code.depth !== 0) throw new Error(`${code.depth} blocks of the region are still open`);
  if (last?.callees !== callees || last.type !== type) last = { callees, type, bytes: prologue(callees, type) };
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
