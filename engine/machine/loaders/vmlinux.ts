/**
 * A Linux kernel as a plain 64-bit ELF file (the payload of a bzImage, unpacked beforehand): entered at startup_64 as the 64-bit
 * boot protocol describes, without the decompressor, unless it names a PVH entry (pvh.ts). It brings no setup header, so this makes one.
 */
import { enterLinux } from './boot-params';
import { EM_X86_64, isElf, readElf } from './elf';
import { demandRam, type EntryState, type LoadContext, loadError, put } from './image';

const SETUP_AT = 0x1f1;
const BOOT_FLAG = 0x1fe - SETUP_AT;
const MAGIC = 0x202 - SETUP_AT;
const VERSION = 0x206 - SETUP_AT;
const LOADFLAGS = 0x211 - SETUP_AT;
const SETUP_SIZE = 0x280 - SETUP_AT;
const LOADED_HIGH = 1;
/** COMMAND_LINE_SIZE - 1 and the initrd limit of x86-64. */
const CMDLINE_MAX = 2047;
const INITRD_MAX = 0x7fffffff;

/** A 64-bit x86 ELF executable that is linked to a fixed physical address of 1 MiB or more. */
export function isVmlinux(image: Uint8Array): boolean {
  if (!isElf(image) || image[4] !== 2 || image.length < 64) return false;
  const view = new DataView(image.buffer, image.byteOffset, image.byteLength);
  return view.getUint16(16, true) === 2 && view.getUint16(18, true) === EM_X86_64;
}

export function loadVmlinux(image: Uint8Array, context: LoadContext): EntryState {
  let elf: ReturnType<typeof readElf>;
  try {
    elf = readElf(image);
  } catch (error) {
    throw loadError(context, (error as Error).message);
  }
  const end = elf.segments.reduce((most, { physical, memorySize }) => Math.max(most, physical + memorySize), 0);
  const start = elf.segments.reduce((least, { physical }) => Math.min(least, physical), end);
  demandRam(context, start, end, 'the kernel');
  for (const { physical, bytes, memorySize } of elf.segments) put(context, physical, bytes, 'a kernel segment', memorySize);
  return enterLinux(
    { mode: 'long', entry: elf.entry, end, setup: setupHeader(), setupAt: SETUP_AT, cmdlineMax: CMDLINE_MAX, initrdMax: INITRD_MAX },
    context,
  );
}

function setupHeader(): Uint8Array {
  const setup = new Uint8Array(SETUP_SIZE);
  const view = new DataView(setup.buffer);
  view.setUint16(BOOT_FLAG, 0xaa55, true);
  view.setUint32(MAGIC, 0x53726448, true);
  view.setUint16(VERSION, 0x20f, true);
  view.setUint8(LOADFLAGS, LOADED_HIGH);
  return setup;
}
