// Two memslots exchange their places in one call: a guest that reads meanwhile never falls into a hole.
import { MemFlag, MemslotEngine } from 'memslot-lab/memory';

const MiB = 2 ** 20;
const engine = new MemslotEngine({ hostSize: 64 * MiB });
engine.subscribe((event) => console.log(`  ${event.type}`));

const left = { slot: 1, guestPhysAddr: 0, memorySize: 16 * MiB, userspaceAddr: 0 };
const right = { slot: 2, guestPhysAddr: 32 * MiB, memorySize: 16 * MiB, userspaceAddr: 16 * MiB, flags: MemFlag.LogDirtyPages };
console.log('both at once', engine.changeUserMemoryRegions([left, right]).ok);

const swapped = [
  { ...left, guestPhysAddr: right.guestPhysAddr },
  { ...right, guestPhysAddr: left.guestPhysAddr },
];
const commit = engine.changeUserMemoryRegions(swapped);
console.log('exchanged:', commit.changes.map(({ kind, next }) => `slot ${next.slot} ${kind}`).join(', '), `in ${commit.swaps} swaps`);

// As KVM has it, one slot at a time: the first call is refused, its target is taken.
const refused = engine.setUserMemoryRegion(left);
console.log('one by one:', refused.refusals.map(({ errno, reason }) => `${errno}: ${reason}`).join('; '));
console.log('gpa 0 is at hva', engine.gpaToHva(0) / MiB, 'MiB');
