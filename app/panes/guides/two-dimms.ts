/** What the guides share that exchange two DIMMs while the guest reads one of them. */
import type { LabState, SlotView } from '../../../engine/worker/protocol';
import { hex } from '../../shared/format';
import { contains, dimmSlots, endLoop, shell, toPrompt, watchInstead, watchLine } from './facts';
import type { Line, Live, StateStep } from './types';

export const pair = (state: LabState): SlotView[] => dimmSlots(state).slice(0, 2);

export const watched = (live: Live): boolean =>
  live.watch !== undefined && pair(live.state).some((slot) => contains(slot, live.watch?.address ?? -1));

/** Stages the exchange and commits it as `commit` says. */
export function exchangeLines(live: Live, commit: string): Line[] {
  const [a, b] = pair(live.state);
  if (!a || !b) return [];
  return [
    { at: 'monitor', text: 'changeset_begin' },
    { at: 'monitor', text: `memslot_move ${a.slot} ${hex(b.guestPhysAddr)}` },
    { at: 'monitor', text: `memslot_move ${b.slot} ${hex(a.guestPhysAddr)}` },
    { at: 'monitor', text: commit },
  ];
}

/** Marks both, so that an exchange can be seen, and watches the lower one. */
export const watchStep = (text: string): StateStep => ({
  id: 'watch',
  title: 'Let the guest read one of them',
  text,
  holds: watched,
  instead: (live) => watchInstead(live, 'one of the two DIMMs'),
  lines(live) {
    const [a, b] = pair(live.state);
    if (!a || !b) return [];
    const [low, high] = a.guestPhysAddr < b.guestPhysAddr ? [a, b] : [b, a];
    return [
      ...toPrompt(live),
      shell(`poke ${hex(low.guestPhysAddr)} 0x1111111111111111`),
      shell(`poke ${hex(high.guestPhysAddr)} 0x2222222222222222`),
      watchLine(low.guestPhysAddr),
    ];
  },
  undo: endLoop,
});
