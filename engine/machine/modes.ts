/**
 * The current modes of the memslot engine: what a commit zaps, whether reading a dirty log clears it, and the dirty rings with their entries. Machine
 * states and digests include them, but omit what a new machine has anyway, so that states and digests from before these modes existed stay valid.
 */
import type { MemslotEngine, SavedRings } from '../memory/index';

export interface SavedModes {
  zap: 'slot' | 'all';
  /** MANUAL_PROTECT and INITIALLY_SET bits */
  dirtyLog: number;
  /** null: off */
  rings: SavedRings | null;
}

/** undefined: as in a new machine. */
export function captureModes({ zap, dirtyLog }: MemslotEngine): SavedModes | undefined {
  const rings = dirtyLog.saveRings();
  if (zap === 'slot' && dirtyLog.manualProtect === 0 && !rings) return undefined;
  return { zap, dirtyLog: dirtyLog.manualProtect, rings: rings ?? null };
}

/** For the digest. The existence and size of rings are not state; their entries are. */
export function modesForDigest(memory: MemslotEngine): object {
  const modes = captureModes(memory);
  if (!modes) return {};
  const { zap, dirtyLog, rings } = modes;
  const standing = rings?.vcpus.some(({ slots }) => slots.length > 0) ? rings.vcpus : undefined;
  return {
    ...(zap === 'slot' ? {} : { zap }),
    ...(dirtyLog === 0 ? {} : { dirtyLog }),
    ...(standing ? { rings: standing } : {}),
  };
}
