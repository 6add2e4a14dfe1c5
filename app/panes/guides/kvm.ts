/** The code that was argued about: Debian's own KVM, in the lab, exchanges two slots by four ioctls; then the lab does it in one commit. */
import type { HistoryView } from '../../../engine/worker/protocol';
import { count } from '../../shared/format';
import { cell, commitsSince, measureOf, undoCommit } from './facts';
import type { Guide, Line, Live, Measure } from './types';

const COMMAND = "kvm-memslots 'create 0 0x10000 64K' 'create 1 0x20000 64K' 'exchange 0 1 50'";
/** Two bare slots of the lab's machine, beyond all of Linux' memory. */
const SLOTS = [
  { id: 100, gpa: '0x200000000' },
  { id: 101, gpa: '0x200010000' },
] as const;
/** KVM: two deletions of two swaps, two creations of one. */
const KVM_SWAPS = 6;

const isThere = (live: Live, id: number): boolean => live.state.slots.some((slot) => slot.slot === id);

/** The last commit in which exactly these two changed places. */
function found(live: Live): Measure | undefined {
  const entry = commitsSince(live.state, 0).find(
    (each: HistoryView) =>
      !each.legacy && each.title.includes('<->') && each.changed.length === 2 && SLOTS.every(({ id }) => each.changed.includes(id)),
  );
  return entry && measureOf(entry);
}

function exchangeLines(live: Live): Line[] {
  const [one, two] = SLOTS;
  const at = (id: number): number | undefined => live.state.slots.find((slot) => slot.slot === id)?.guestPhysAddr;
  const swapped = at(one.id) === Number(two.gpa);
  const [first, second] = swapped ? [one.gpa, two.gpa] : [two.gpa, one.gpa];
  return [
    ...SLOTS.filter(({ id }) => !isThere(live, id)).map(({ id, gpa }): Line => ({ at: 'monitor', text: `memslot_add ${id} ${gpa} 64K` })),
    { at: 'monitor', text: 'changeset_begin' },
    { at: 'monitor', text: `memslot_move ${one.id} ${first}` },
    { at: 'monitor', text: `memslot_move ${two.id} ${second}` },
    { at: 'monitor', text: 'changeset_commit' },
  ];
}

/** The exchange, or with it also the slots that the step's button added. */
function takeBack(live: Live, did?: readonly Line[]): Line[] | undefined {
  const made = SLOTS.filter(({ id }) => isThere(live, id) && did?.some(({ text }) => text.startsWith(`memslot_add ${id} `)));
  if (made.length < SLOTS.length) return undoCommit(live, live.measures.lab);
  return made.map(({ id }): Line => ({ at: 'monitor', text: `memslot_del ${id}` }));
}

export const kvmGuide: Guide = {
  id: 'kvm',
  guest: 'linux-kvm',
  title: 'The hole, in KVM itself',
  summary: 'Debian’s own KVM in this tab: four ioctls, a nested guest that reads, and the holes counted.',
  argument:
    'The mail was about Linux’s KVM, so test that. This machine has a processor with AMD’s virtualization; the stock kernel loads its own kvm-amd, and a small program makes memslots and runs a nested guest. KVM has one ioctl per slot: two deletions, two creations.',
  steps: [
    {
      id: 'ready',
      title: 'Let Linux come to its prompt',
      text: 'A boot takes some seconds. `dmesg | grep -i kvm` in the console shows what KVM reports about this processor.',
      holds: (live) => live.state.guest === 'linux-kvm' && live.shell === 'linux-kvm',
      instead: () => 'It is booting.',
      lines: () => [],
    },
    {
      id: 'kvm',
      title: 'Exchange two slots in KVM, fifty times',
      text: 'A nested guest in real mode reads one address in a loop. Meanwhile its two slots change places, by four ioctls each time. When it finds no memory it exits with `KVM_EXIT_MMIO`, and the program counts these exits.',
      measures: true,
      find: (live) => live.exchanged,
      lines: () => [
        {
          at: 'console',
          text: `${COMMAND}\r`,
          until: { holds: (live) => live.exchanged !== undefined && live.atPrompt, else: 'kvm-memslots did not finish.' },
        },
      ],
    },
    {
      id: 'lab',
      title: 'Exchange two slots of the machine below it, in one commit',
      text: 'The same exchange one level down: two slots of the machine that this Linux runs on, one change set. Both are INVALID for an instant, and an access would wait.',
      measures: true,
      find: found,
      lines: exchangeLines,
      undo: takeBack,
    },
  ],
  results(live) {
    const { kvm, lab } = live.measures;
    const times = kvm?.times || 1;
    return [
      {
        title: 'One exchange',
        columns: ['KVM, four ioctls', 'the lab, one commit'],
        rows: [
          { name: 'Calls', cells: [cell(kvm && (kvm.ioctls ?? 0) / times, count), cell(lab && 1, count)] },
          { name: 'Swaps of the sets', cells: [cell(kvm && KVM_SWAPS, count), cell(lab?.swaps, count)] },
          {
            name: 'Holes the guest fell into',
            cells: [
              cell(
                kvm && (kvm.holes ?? 0) / times,
                (holes) => holes.toFixed(1),
                (holes) => (holes ? 'bad' : 'ok'),
              ),
              cell(lab?.holes, count, (holes) => (holes ? 'bad' : 'ok')),
            ],
          },
          { name: 'Guest time, ms', cells: [cell(kvm && (kvm.took ?? 0) / times, (ms) => ms.toFixed(1)), cell(lab && 0, count)] },
        ],
        note: 'Nobody reads the lab’s two slots here; in the guide Exchange two regions a guest does, and sees no hole either. A commit of the lab takes no guest time.',
      },
    ];
  },
  outcome: ({ measures: { kvm } }) =>
    `In ${count(kvm?.times ?? 0)} exchanges KVM’s nested guest fell into the hole ${count(kvm?.holes ?? 0)} times. Its users can only stop all vCPUs around such a change, as QEMU 8.0 does.`,
};
