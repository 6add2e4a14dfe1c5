/**
 * Multiboot 1 (specification 0.6.96): ELF32, ELF64 or "a.out kludge" images, entered in 32-bit protected mode.
 * The initrd becomes the one module. Not implemented: video modes (the request is ignored), drives, APM, VBE.
 */
import { E820_RAM, highestRam } from '../e820';
import { EM_386, EM_X86_64, isElf, readElf } from './elf';
import { cString, type EntryState, freeRam, hex, type LoadContext, loadError, put, RAX, RBX, writeGdt } from './image';

const SEARCH = 8192;
const HEADER_MAGIC = 0x1badb002;
const LOADER_MAGIC = 0x2badb002;
const FLAG_ADDRESSES = 0x10000;
/** Requirements that this loader can meet: page-aligned modules, memory information, video mode. */
const KNOWN_REQUIREMENTS = 0x0007;

const INFO_MEMORY = 1 << 0;
const INFO_CMDLINE = 1 << 2;
const INFO_MODULES = 1 << 3;
const INFO_MMAP = 1 << 6;
const INFO_LOADER_NAME = 1 << 9;

/** Room for the information block, command line, memory map and GDT. */
const INFO_SIZE = 0x8000;
const CMDLINE_ROOM = 0x2000;

interface MultibootHeader {
  offset: number;
  flags: number;
}

interface Piece {
  at: number;
  bytes: Uint8Array;
  length: number;
}

export function findMultibootHeader(image: Uint8Array): MultibootHeader | undefined {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  for (let offset = 0; offset + 12 <= Math.min(image.length, SEARCH); offset += 4) {
    if (view.getUint32(offset, true) !== HEADER_MAGIC) continue;
    const flags = view.getUint32(offset + 4, true);
    if ((HEADER_MAGIC + flags + view.getUint32(offset + 8, true)) % 0x100000000 === 0) return { offset, flags };
  }
  return undefined;
}

export function loadMultiboot(image: Uint8Array, header: MultibootHeader, context: LoadContext): EntryState {
  const unknown = header.flags & 0xffff & ~KNOWN_REQUIREMENTS;
  if (unknown) throw loadError(context, `its Multiboot header asks for unknown features (flags ${hex(unknown)})`);
  const { entry, pieces } = (header.flags & FLAG_ADDRESSES) !== 0 ? fromAddresses(image, header, context) : fromElf(image, context);
  for (const { at, bytes, length } of pieces) put(context, at, bytes, 'a kernel segment', length);

  const kernelEnd = Math.max(...pieces.map((piece) => piece.at + piece.length));
  const info = highestRam(freeRam(context, pieces), INFO_SIZE, 0x1000, 0xa0000);
  if (info === undefined) throw loadError(context, 'no room for the Multiboot information below 640 KiB');
  writeInfo(context, info, kernelEnd);
  return {
    mode: 'protected',
    rip: entry,
    gpr: { [RAX]: LOADER_MAGIC, [RBX]: info },
    gdt: writeGdt(context, info + INFO_SIZE - 0x100, 'protected'),
  };
}

function fromElf(image: Uint8Array, context: LoadContext): { entry: number; pieces: Piece[] } {
  if (!isElf(image)) throw loadError(context, 'it has a Multiboot header but is neither ELF nor gives its addresses there');
  try {
    const elf = readElf(image);
    if (elf.machine !== EM_386 && elf.machine !== EM_X86_64) throw new Error(`ELF machine ${elf.machine} is not x86`);
    const home = elf.segments.find((s) => elf.entry >= s.virtual && elf.entry < s.virtual + s.memorySize);
    // A kernel linked to a high address has a virtual entry address.
    const entry = home ? elf.entry - home.virtual + home.physical : elf.entry;
    if (!(entry < 0x100000000)) throw new Error(`its entry ${hex(entry)} is not below 4 GiB`);
    return { entry, pieces: elf.segments.map((s) => ({ at: s.physical, bytes: s.bytes, length: s.memorySize })) };
  } catch (error) {
    throw loadError(context, (error as Error).message);
  }
}

function fromAddresses(image: Uint8Array, header: MultibootHeader, context: LoadContext): { entry: number; pieces: Piece[] } {
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  if (header.offset + 32 > image.length) throw loadError(context, 'its Multiboot header is cut short');
  const [headerAt, loadAt, loadEnd, bssEnd, entry] = [12, 16, 20, 24, 28].map((o) => view.getUint32(header.offset + o, true)) as [
    number,
    number,
    number,
    number,
    number,
  ];
  const first = header.offset - (headerAt - loadAt);
  const size = loadEnd === 0 ? image.length - first : loadEnd - loadAt;
  if (first < 0 || size <= 0 || first + size > image.length)
    throw loadError(context, 'the addresses in its Multiboot header do not fit the file');
  const length = Math.max(size, bssEnd === 0 ? 0 : bssEnd - loadAt);
  return { entry, pieces: [{ at: loadAt, bytes: image.subarray(first, first + size), length }] };
}

function writeInfo(context: LoadContext, at: number, kernelEnd: number): void {
  const bytes = new Uint8Array(INFO_SIZE - 0x100);
  const view = new DataView(bytes.buffer);
  const set = (offset: number, value: number) => view.setUint32(offset, value, true);
  const low = context.e820.find((e) => e.type === E820_RAM && e.start === 0);
  const high = context.e820.find((e) => e.type === E820_RAM && e.start <= 0x100000 && e.end > 0x100000);
  set(4, Math.floor((low?.end ?? 0) / 1024));
  set(8, Math.floor(((high?.end ?? 0x100000) - 0x100000) / 1024));

  const line = cString(context.append === '' ? context.name : `${context.name} ${context.append}`);
  if (line.length > CMDLINE_ROOM)
    throw loadError(context, `the command line has ${line.length - 1} characters, at most ${CMDLINE_ROOM - 1} fit`);
  bytes.set(line, 0x200);
  set(16, at + 0x200);
  const loader = cString('memslot-lab');
  bytes.set(loader, 0x180);
  set(64, at + 0x180);

  const mmap = 0x200 + CMDLINE_ROOM;
  const room = Math.floor((bytes.length - mmap) / 24);
  if (context.e820.length > room) throw loadError(context, `the memory layout has ${context.e820.length} pieces, at most ${room} fit`);
  context.e820.forEach(({ start, end, type }, index) => {
    const entry = mmap + index * 24;
    set(entry, 20);
    view.setBigUint64(entry + 4, BigInt(start), true);
    view.setBigUint64(entry + 12, BigInt(end - start), true);
    set(entry + 20, type);
  });
  set(44, context.e820.length * 24);
  set(48, at + mmap);
  set(0, INFO_MEMORY | INFO_CMDLINE | INFO_MODULES | INFO_MMAP | INFO_LOADER_NAME);
  placeModule(context, bytes, at, kernelEnd);
  put(context, at, bytes, 'the Multiboot information');
}

function placeModule(context: LoadContext, info: Uint8Array, infoAt: number, kernelEnd: number): void {
  const { initrd } = context;
  if (!initrd || initrd.length === 0) return;
  const at = highestRam(context.e820, initrd.length, Math.max(kernelEnd, 0x100000), 0xffffffff);
  if (at === undefined)
    throw loadError(context, `no room for the initrd of ${initrd.length} bytes above ${hex(kernelEnd)}: give it more -m`);
  put(context, at, initrd, 'the initrd');
  const view = new DataView(info.buffer);
  view.setUint32(20, 1, true);
  view.setUint32(24, infoAt + 0x100, true);
  view.setUint32(0x100, at, true);
  view.setUint32(0x104, at + initrd.length, true);
}
