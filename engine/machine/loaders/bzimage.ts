/**
 * Linux boot protocol (Documentation/arch/x86/boot.rst), 32-bit and 64-bit entries of a bzImage. memtest86+ speaks it too.
 * Not implemented: the 16-bit entry, EFI handover, protocols before 2.05, setup_data.
 */
import { enterLinux } from './boot-params';
import { demandRam, type EntryState, hex, type LoadContext, loadError, put } from './image';

/** Offsets in the setup header. */
const SETUP_SECTS = 0x1f1;
const SYSSIZE = 0x1f4;
const BOOT_FLAG = 0x1fe;
const JUMP_LENGTH = 0x201;
const MAGIC = 0x202;
const VERSION = 0x206;
const CODE32_START = 0x214;
const INITRD_ADDR_MAX = 0x22c;
const RELOCATABLE = 0x234;
const XLOADFLAGS = 0x236;
const CMDLINE_SIZE = 0x238;
const PREF_ADDRESS = 0x258;
const INIT_SIZE = 0x260;
/** boot_params has its E820 table after the header. */
const HEADER_LIMIT = 0x290;

const HDRS = 0x53726448;
const XLF_KERNEL_64 = 1;
const ENTRY_64 = 0x200;
const MIN_VERSION = 0x205;

export function isBzImage(image: Uint8Array): boolean {
  if (image.length < 0x400) return false;
  const view = dataView(image);
  return view.getUint16(BOOT_FLAG, true) === 0xaa55 && view.getUint32(MAGIC, true) === HDRS;
}

export function loadBzImage(image: Uint8Array, context: LoadContext): EntryState {
  const view = dataView(image);
  const version = view.getUint16(VERSION, true);
  if (version < MIN_VERSION)
    throw loadError(context, `boot protocol ${version >> 8}.${version & 0xff} is too old: 2.05 or newer is needed`);
  const code = protectedModeCode(image, view, context);
  const loadAt = loadAddress(view, version, context);
  const initSize = version >= 0x20a ? view.getUint32(INIT_SIZE, true) : 0;
  const end = loadAt + Math.max(initSize, code.length);
  demandRam(context, loadAt, end, 'the kernel, while it starts,');
  put(context, loadAt, code, 'the kernel');
  const long = version >= 0x20c && (view.getUint16(XLOADFLAGS, true) & XLF_KERNEL_64) !== 0;
  const headerEnd = Math.min(MAGIC + view.getUint8(JUMP_LENGTH), HEADER_LIMIT);
  return enterLinux(
    {
      mode: long ? 'long' : 'protected',
      entry: long ? loadAt + ENTRY_64 : loadAt,
      end,
      setup: image.subarray(SETUP_SECTS, headerEnd),
      setupAt: SETUP_SECTS,
      cmdlineMax: version >= 0x206 ? view.getUint32(CMDLINE_SIZE, true) : 255,
      initrdMax: view.getUint32(INITRD_ADDR_MAX, true),
    },
    context,
  );
}

function protectedModeCode(image: Uint8Array, view: DataView, context: LoadContext): Uint8Array {
  const setupSize = ((view.getUint8(SETUP_SECTS) || 4) + 1) * 512;
  const codeSize = view.getUint32(SYSSIZE, true) * 16;
  // The last paragraph may be partial.
  if (image.length <= setupSize || image.length < setupSize + codeSize - 15) {
    throw loadError(context, `the image is cut short: ${image.length} bytes of ${setupSize + codeSize}`);
  }
  return image.subarray(setupSize);
}

function loadAddress(view: DataView, version: number, context: LoadContext): number {
  const preferred = version >= 0x20a ? Number(view.getBigUint64(PREF_ADDRESS, true)) : 0;
  const relocatable = view.getUint8(RELOCATABLE) !== 0;
  const at = relocatable && preferred > 0 ? preferred : view.getUint32(CODE32_START, true);
  if (!(at >= 0x10000 && at < 0x100000000)) throw loadError(context, `its load address ${hex(at)} makes no sense`);
  return at;
}

function dataView(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}
