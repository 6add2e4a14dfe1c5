/** Takes the ELF kernel out of a bzImage (Linux Documentation/arch/x86/boot.rst), so that the guest need not unpack itself. */
import { unpackPayload } from './packed';

/** Throws an Error that says what is wrong with the image. */
export function vmlinuxOf(bzImage: Uint8Array): Uint8Array {
  const view = new DataView(bzImage.buffer, bzImage.byteOffset, bzImage.byteLength);
  if (bzImage.length < 0x264 || view.getUint32(0x202, true) !== 0x53726448)
    throw new Error('not a bzImage: the "HdrS" signature is missing');
  if (view.getUint16(0x206, true) < 0x208)
    throw new Error('the bzImage is older than boot protocol 2.08: it does not say where its payload is');
  const setupSectors = view.getUint8(0x1f1) || 4;
  const start = (setupSectors + 1) * 512 + view.getUint32(0x248, true);
  const length = view.getUint32(0x24c, true);
  if (start + length > bzImage.length) throw new Error('the bzImage is cut short: its payload runs past the end of the file');
  if (length < 12) throw new Error(`the bzImage has a payload of ${length} bytes: too short for a kernel`);
  const size = view.getUint32(start + length - 4, true);
  if (size > 1 << 28) throw new Error(`the bzImage says that its payload unpacks to ${size} bytes: more than 256 MiB is not believed`);
  return unpackPayload(bzImage.subarray(start, start + length - 4), size);
}
