/** Inputs and results of loaders. A loader writes guest memory and returns how the first vCPU enters the guest. */
import { MachineError } from '../api';
import type { E820Entry } from '../e820';
import { E820_RAM, isRam } from '../e820';
import type { PhysicalMemory } from '../physical';

export interface LoadContext {
  name: string;
  physical: PhysicalMemory;
  e820: readonly E820Entry[];
  append: string;
  initrd?: Uint8Array;
  /** gpa of the ACPI root pointer */
  rsdp?: number;
}

/** How vCPU 0 enters the guest. Interrupts are off, A20 is open. */
export interface EntryState {
  mode: 'real' | 'protected' | 'long';
  rip: number;
  /** In encoding order; missing ones are 0. */
  gpr: { [register: number]: number };
  /** gpa of the page tables; long mode only. */
  cr3?: number;
  /** The guest takes hotplugged memory only in blocks of this many bytes, at multiples of it. */
  memoryBlock?: number;
  /** gpa of a GDT with null, 32-bit or 64-bit code at 0x10 and data at 0x18; not in real mode. */
  gdt?: { base: number; limit: number };
}

export const RBX = 3;
export const RAX = 0;
export const RDX = 2;
export const RSP = 4;
export const RSI = 6;

/** One line, naming the file: `could not load kernel 'x': reason`. */
export function loadError(context: { name: string }, reason: string): MachineError {
  return new MachineError(`could not load kernel '${context.name}': ${reason}`);
}

/** Writes bytes (and then zeros up to `length`) where the memory map has RAM. */
export function put(context: LoadContext, gpa: number, bytes: Uint8Array, what: string, length = bytes.length): void {
  if (length === 0) return;
  if (!isRam(context.e820, gpa, gpa + length)) {
    throw loadError(
      context,
      `${what} needs guest memory [${hex(gpa)}, ${hex(gpa + length)}), which is not RAM: more -m, or another layout`,
    );
  }
  context.physical.write(gpa, bytes);
  if (length > bytes.length) context.physical.clear(gpa + bytes.length, length - bytes.length);
}

/** Throws a MachineError that says how much RAM is needed, unless [start, end) is RAM. `what`: "it", "the initrd of 5 bytes". */
export function demandRam(context: LoadContext, start: number, end: number, what: string): void {
  if (isRam(context.e820, start, end)) return;
  const least = Math.ceil(end / 0x100000);
  throw loadError(
    context,
    `${what} needs RAM up to ${hex(end)}: use at least -m ${least}M, and a layout that has RAM from ${hex(start)} on`,
  );
}

/** The RAM of the memory map without these occupied pieces (bytes). */
export function freeRam(context: LoadContext, pieces: readonly { at: number; length: number }[]): E820Entry[] {
  let free = context.e820.filter((entry) => entry.type === E820_RAM);
  for (const { at, length } of pieces) {
    free = free.flatMap((e) => [
      { ...e, end: Math.min(e.end, at) },
      { ...e, start: Math.max(e.start, at + length) },
    ]);
    free = free.filter((e) => e.start < e.end);
  }
  return free;
}

/** Text as Latin-1 with a closing NUL. */
export function cString(text: string): Uint8Array {
  return Uint8Array.from([...text, '\0'], (letter) => {
    const code = letter.codePointAt(0)!;
    return code < 0x100 ? code : 0x3f;
  });
}

const GDT_CODE32 = 0x00cf9b000000ffffn;
const GDT_CODE64 = 0x00af9b000000ffffn;
const GDT_DATA = 0x00cf93000000ffffn;

/** Selectors 0x10 (code) and 0x18 (data), as the Linux boot protocol requires; Multiboot accepts any. */
export function writeGdt(context: LoadContext, gpa: number, mode: 'protected' | 'long'): { base: number; limit: number } {
  const table = new DataView(new ArrayBuffer(32));
  table.setBigUint64(16, mode === 'long' ? GDT_CODE64 : GDT_CODE32, true);
  table.setBigUint64(24, GDT_DATA, true);
  put(context, gpa, new Uint8Array(table.buffer), 'the GDT');
  return { base: gpa, limit: 31 };
}

export function hex(value: number): string {
  return `0x${value.toString(16)}`;
}
