/** Texts for a stepped commit. */
import type { Stepping } from '../machine/index';
import type { Phase } from '../memory/index';

export const count = (n: number, one: string, many = `${one}s`): string => `${n} ${n === 1 ? one : many}`;

export const PHASE_NAMES: Record<Phase, string> = {
  validate: 'validate',
  prepare: 'prepare',
  swap1: 'swap 1',
  zap: 'zap',
  swap2: 'last swap',
  hooks: 'hooks',
  free: 'free',
};

/** Slots to name; a change set may have thousands. */
const NAMED = 8;

/** "memslots 5 and 6", "memslots 1, 2, 3, 4, 5, 6, 7, 8 and 92 more" */
export function slotList(slots: readonly number[]): string {
  if (slots.length > NAMED + 1) return `memslots ${slots.slice(0, NAMED).join(', ')} and ${slots.length - NAMED} more`;
  const last = slots.at(-1);
  return slots.length > 1 ? `memslots ${slots.slice(0, -1).join(', ')} and ${last}` : `memslot ${last ?? '-'}`;
}

/** For `info changeset`. */
export function steppingText({ phase, done, invalid, retries }: Stepping): string {
  const ran = done.map((each) => PHASE_NAMES[each.phase]).join(', ') || 'none';
  const now = invalid.length > 0 ? `; ${slotList(invalid)} INVALID, ${count(retries, 'retry', 'retries')} so far` : '';
  return `Stepped commit: phases done: ${ran}; next: ${PHASE_NAMES[phase]}${now}\n`;
}
