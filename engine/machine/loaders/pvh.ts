/**
 * PVH (Xen's docs/misc/pvh.pandoc and arch-x86/hvm/start_info.h): an ELF file with the Xen note XEN_ELFNOTE_PHYS32_ENTRY is entered at the 32-bit
 * address in the note, in protected mode without paging, with EBX pointing to struct hvm_start_info, version 1. The initrd becomes the one module.
 * Not implemented: command lines of modules.
 */
import { LINUX_MEMORY_BLOCK } from '../dimm-placement';
import { highestRam } from '../e820';
import { type Elf, EM_386, EM_X86_64, isElf, readElf, readNotes } from './elf';
import { cString, demandRam, type EntryState, freeRam, hex, type LoadContext, loadError, put, RBX, writeGdt } from './image';
import { brokenArchive } from './initrd';

const XEN_ELFNOTE_GUEST_OS = 6;
const XEN_ELFNOTE_PHYS32_ENTRY = 18;
const START_MAGIC = 0x336ec578;
const START_VERSION = 1;

/** The block below 640 KiB: start info, module list, GDT, command line, memory map. */
const MODULES_AT = 0x40;
const GDT_AT = 0x80;
const CMDLINE_AT = 0x100;
const CMDLINE_ROOM = 0x1000;
const MAP_AT = CMDLINE_AT + CMDLINE_ROOM;
const MAP_ENTRY = 24;
const MAP_ROOM = 256;
const BLOCK = MAP_AT + MAP_ROOM * MAP_ENTRY;
/** COMMAND_LINE_SIZE - 1 of Linux, which would truncate a longer one. */
const LINUX_CMDLINE_MAX = 2047;

interface Notes {
  entry: number;
  linux: boolean;
}

function notesOf(image: Uint8Array): Notes | undefined {
  let entry: number | undefined;
  let linux = false;
  for (const { owner, type, bytes } of readNotes(image)) {
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (owner === 'Linux') linux = true;
    if (owner !== 'Xen') continue;
    if (type === XEN_ELFNOTE_GUEST_OS) linux ||= new TextDecoder().decode(bytes).startsWith('linux');
    // The value is as wide as the file's class, or 4 bytes in either.
    if (type === XEN_ELFNOTE_PHYS32_ENTRY && bytes.length >= 4) entry = view.getUint32(0, true);
  }
  return entry === undefined ? undefined : { entry, linux };
}

/** Does the file have a PVH entry? */
export function isPvh(image: Uint8Array): boolean {
  return isElf(image) && notesOf(image) !== undefined;
}

export function loadPvh(image: Uint8Array, context: LoadContext): EntryState {
  const { entry, linux } = notesOf(image)!;
  const elf = readSegments(image, context);
  const pieces = elf.segments.map(({ physical, bytes, memorySize }) => ({ at: physical, bytes, length: memorySize }));
  const end = pieces.reduce((most, { at, length }) => Math.max(most, at + length), 0);
  const start = pieces.reduce((least, { at }) => Math.min(least, at), end);
  if (!pieces.some(({ at, length }) => entry >= at && entry < at + length))
    throw loadError(context, `its PVH entry ${hex(entry)} lies in none of its segments`);
  if (linux) demandRam(context, start, end, 'the kernel');
  for (const { at, bytes, length } of pieces) put(context, at, bytes, 'a kernel segment', length);
  const info = highestRam(freeRam(context, pieces), BLOCK, 0x1000, 0xa0000);
  if (info === undefined) throw loadError(context, 'no room for the PVH start information below 640 KiB');
  writeInfo(context, info, end, linux);
  return {
    mode: 'protected',
    rip: entry,
    gpr: { [RBX]: info },
    gdt: writeGdt(context, info + GDT_AT, 'protected'),
    ...(linux ? { memoryBlock: LINUX_MEMORY_BLOCK } : {}),
  };
}

function readSegments(image: Uint8Array, context: LoadContext): Elf {
  try {
    const elf = readElf(image);
    if (elf.machine !== EM_386 && elf.machine !== EM_X86_64) throw new Error(`ELF machine ${elf.machine} is not x86`);
    return elf;
  } catch (error) {
    throw loadError(context, (error as Error).message);
  }
}

function writeInfo(context: LoadContext, at: number, kernelEnd: number, linux: boolean): void {
  const { e820, rsdp, append, initrd } = context;
  const bytes = new Uint8Array(BLOCK);
  const view = new DataView(bytes.buffer);
  const set64 = (offset: number, value: number) => view.setBigUint64(offset, BigInt(value), true);
  view.setUint32(0, START_MAGIC, true);
  view.setUint32(4, START_VERSION, true);
  if (initrd && initrd.length > 0) {
    view.setUint32(12, 1, true);
    set64(16, at + MODULES_AT);
    set64(MODULES_AT, placeModule(context, initrd, kernelEnd, linux));
    set64(MODULES_AT + 8, initrd.length);
  }
  const line = cString(append);
  const most = linux ? LINUX_CMDLINE_MAX : CMDLINE_ROOM - 1;
  if (line.length - 1 > most)
    throw loadError(context, `the command line has ${line.length - 1} characters, the kernel takes at most ${most}`);
  bytes.set(line, CMDLINE_AT);
  set64(24, at + CMDLINE_AT);
  set64(32, rsdp ?? 0);
  if (e820.length > MAP_ROOM) throw loadError(context, `the memory layout has ${e820.length} pieces, at most ${MAP_ROOM} fit`);
  set64(40, at + MAP_AT);
  view.setUint32(48, e820.length, true);
  e820.forEach(({ start, end, type }, index) => {
    const entry = MAP_AT + index * MAP_ENTRY;
    set64(entry, start);
    set64(entry + 8, end - start);
    view.setUint32(entry + 16, type, true);
  });
  put(context, at, bytes, 'the PVH start information');
}

function placeModule(context: LoadContext, initrd: Uint8Array, kernelEnd: number, linux: boolean): number {
  const broken = linux ? brokenArchive(initrd) : undefined;
  if (broken !== undefined) throw loadError(context, `the initrd is ${broken}`);
  const at = highestRam(context.e820, initrd.length, Math.max(kernelEnd, 0x100000), linux ? 0x80000000 : 0xffffffff);
  if (at === undefined) {
    const least = Math.ceil((kernelEnd + initrd.length) / 0x100000) + 1;
    throw loadError(context, `no room for the initrd of ${initrd.length} bytes: use at least -m ${least}M`);
  }
  put(context, at, initrd, 'the initrd');
  return at;
}
