/** A boot sector or flat program: loaded at 0x7c00 and entered there in real mode, DL = 0x80, stack below it. */
import { type EntryState, type LoadContext, loadError, put, RDX, RSP } from './image';

const LOAD_AT = 0x7c00;
const MOST = 0xa0000 - LOAD_AT;

/** Is it a flat file, by its name or by a boot signature? */
export function isFlat(image: Uint8Array, name: string): boolean {
  return image.length > 0 && (name.endsWith('.flat') || (image.length >= 512 && image[510] === 0x55 && image[511] === 0xaa));
}

export function loadFlat(image: Uint8Array, context: LoadContext): EntryState {
  if (image.length > MOST) throw loadError(context, `a flat image of ${image.length} bytes is too long: at most ${MOST}`);
  if (context.initrd) throw loadError(context, 'a flat image takes no initrd');
  put(context, LOAD_AT, image, 'the image');
  return { mode: 'real', rip: LOAD_AT, gpr: { [RDX]: 0x80, [RSP]: LOAD_AT } };
}
