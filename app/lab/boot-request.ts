/** What a machine is started with. */
import type { GuestEntry, OwnGuest } from './guests';
import type { MachineFlags } from './machine-flags';

export interface BootRequest extends MachineFlags {
  guest: GuestEntry | OwnGuest;
  /** A share link's fragment, unchecked */
  link?: string | undefined;
  /** A replay file, unchecked */
  replay?: Uint8Array | undefined;
}
