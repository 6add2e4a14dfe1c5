/** boot_params, the Linux "zero page" (Documentation/arch/x86/zero-page.rst), and what it points to: command line, initrd, tables. */
import { LINUX_MEMORY_BLOCK } from '../dimm-placement';
import { type E820Entry, highestRam } from '../e820';
import { writeIdentityTables } from './identity';
import { cString, type EntryState, type LoadContext, loadError, put, RSI, writeGdt } from './image';
import { brokenArchive } from './initrd';

/** Layout of low RAM. */
const GDT_AT = 0x6000;
const PARAMS_AT = 0x7000;
const CMDLINE_AT = 0x8000;
const CMDLINE_ROOM = 0x1000;
const TABLES_AT = 0x9000;

const PARAMS_SIZE = 0x1000;
const ACPI_RSDP = 0x070;
const E820_COUNT = 0x1e8;
const TYPE_OF_LOADER = 0x210;
const RAMDISK_IMAGE = 0x218;
const RAMDISK_SIZE = 0x21c;
const CMD_LINE_PTR = 0x228;
const E820_TABLE = 0x2d0;
const E820_MAX = 128;
const LOADER_UNDEFINED = 0xff;

export interface LinuxKernel {
  mode: 'protected' | 'long';
  entry: number;
  /** gpa after everything that the kernel needs while it starts */
  end: number;
  /** The setup header, which is copied to boot_params at `setupAt`. */
  setup: Uint8Array;
  setupAt: number;
  cmdlineMax: number;
  /** Highest gpa that an initrd may reach, 0: the old limit. */
  initrdMax: number;
}

/** Writes everything but the kernel itself. */
export function enterLinux(kernel: LinuxKernel, context: LoadContext): EntryState {
  const params = new Uint8Array(PARAMS_SIZE);
  const view = new DataView(params.buffer);
  params.set(kernel.setup, kernel.setupAt);
  params[TYPE_OF_LOADER] = LOADER_UNDEFINED;
  placeCommandLine(view, kernel, context);
  placeInitrd(view, kernel, context);
  if (context.rsdp !== undefined) view.setUint32(ACPI_RSDP, context.rsdp, true);
  placeE820(view, context.e820, context);
  put(context, PARAMS_AT, params, 'boot_params');
  const { mode, entry: rip } = kernel;
  const state = { mode, rip, gpr: { [RSI]: PARAMS_AT }, gdt: writeGdt(context, GDT_AT, mode), memoryBlock: LINUX_MEMORY_BLOCK };
  return mode === 'long' ? { ...state, cr3: writeIdentityTables(context, TABLES_AT) } : state;
}

function placeCommandLine(params: DataView, kernel: LinuxKernel, context: LoadContext): void {
  const line = cString(context.append);
  const most = Math.min(kernel.cmdlineMax, CMDLINE_ROOM - 1);
  if (line.length - 1 > most) {
    throw loadError(context, `the command line has ${line.length - 1} characters, the kernel takes at most ${most}`);
  }
  put(context, CMDLINE_AT, line, 'the command line');
  params.setUint32(CMD_LINE_PTR, CMDLINE_AT, true);
}

function placeInitrd(params: DataView, kernel: LinuxKernel, context: LoadContext): void {
  const { initrd } = context;
  if (!initrd || initrd.length === 0) return;
  const broken = brokenArchive(initrd);
  if (broken !== undefined) throw loadError(context, `the initrd is ${broken}`);
  const below = Math.min(kernel.initrdMax > 0 ? kernel.initrdMax + 1 : 0x38000000, 0xffffffff);
  const at = highestRam(context.e820, initrd.length, kernel.end, below);
  if (at === undefined)
    throw loadError(context, `no room for the initrd of ${initrd.length} bytes: use at least -m ${mebibytes(kernel.end + initrd.length)}M`);
  put(context, at, initrd, 'the initrd');
  params.setUint32(RAMDISK_IMAGE, at, true);
  params.setUint32(RAMDISK_SIZE, initrd.length, true);
}

function placeE820(params: DataView, map: readonly E820Entry[], context: LoadContext): void {
  if (map.length > E820_MAX) throw loadError(context, `the memory layout has ${map.length} pieces, the boot protocol takes ${E820_MAX}`);
  params.setUint8(E820_COUNT, map.length);
  map.forEach(({ start, end, type }, index) => {
    const at = E820_TABLE + index * 20;
    params.setBigUint64(at, BigInt(start), true);
    params.setBigUint64(at + 8, BigInt(end - start), true);
    params.setUint32(at + 16, type, true);
  });
}

function mebibytes(bytes: number): number {
  return Math.ceil((bytes + PARAMS_SIZE) / 0x100000);
}
