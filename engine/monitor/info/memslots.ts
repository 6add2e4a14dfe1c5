/** info memslots, changeset, generations: ours. */
import type { Machine, StagedEdit, StagedEntry } from '../../machine/index';
import { MEMSLOT_INVALID } from '../../memory/index';
import { MemFlag, type Memslot, type Refusal } from '../../memory/types';
import { flagLetters } from '../commit-title';
import { count, steppingText } from '../phases';
import { hex, shortSize } from '../sizes';
import { type Answer, type Command, CommandError, type Context, getNumber } from '../types';

const PAGE = 4096;

/** "ram.a", "dimm1 (mem1)", with the offset if the slot does not begin at its start; for a slot over several backings, each. */
export function slotName(machine: Machine, slot: Pick<Memslot, 'slot' | 'userspaceAddr' | 'npages'>): string {
  const parts = machine.host.backingsOf(slot.userspaceAddr, slot.npages * PAGE);
  if (parts.length === 0) return `memslot ${slot.slot}`;
  const names = parts.map(({ id, offset }) => {
    const device = [...machine.dimms.list(), ...machine.virtio.mems()].find((each) => each.memdev === id);
    const name = device && device.id !== '' ? `${device.id} (${id})` : id;
    return offset > 0 ? `${name} + ${hex(offset)}` : name;
  });
  return names.join(', ');
}

/** Columns padded to their widest cell, with two blanks between. */
export function columns(rows: string[][]): string {
  const widths = rows[0]!.map((_, column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows
    .map((row) => {
      const cells = row.map((value, column) => (column === row.length - 1 ? value : value.padEnd(widths[column]!)));
      return `${cells.join('  ')}\n`;
    })
    .join('');
}

function memslots(machine: Machine): string {
  const rows = [['id', 'as', 'gpa', 'size', 'hva', 'flags', 'name']];
  for (const asId of [0, 1]) {
    for (const slot of machine.memory.memslots(asId)) {
      rows.push([
        String(slot.slot),
        String(asId),
        hex(slot.baseGfn * PAGE, 12),
        shortSize(slot.npages * PAGE),
        hex(slot.userspaceAddr, 8),
        flagLetters(slot.flags),
        slot.flags >= MEMSLOT_INVALID ? `${slotName(machine, slot)}, INVALID` : slotName(machine, slot),
      ]);
    }
  }
  return columns(rows);
}

/** The edit as the command that stages it. */
export function editText(edit: StagedEdit): string {
  const flags = (bits: number): string => `${bits & MemFlag.ReadOnly ? ' -r' : ''}${bits & MemFlag.LogDirtyPages ? ' -l' : ''}`;
  const force = ({ span }: { span?: boolean }): string => (span ? ' -f' : '');
  switch (edit.op) {
    case 'add':
      return `memslot_add ${edit.slot} ${hex(edit.gpa)} ${shortSize(edit.size)} ${hex(edit.hva)}${flags(edit.flags)}${force(edit)}`;
    case 'move':
      return `memslot_move ${edit.slot} ${hex(edit.gpa)}`;
    case 'flags':
      return `memslot_flags ${edit.slot}${flags(edit.flags)}`;
    case 'resize':
      return `memslot_resize ${edit.slot} ${shortSize(edit.size)}${force(edit)}`;
    case 'split':
      return `memslot_split ${edit.slot} ${hex(edit.gpa)} ${edit.newSlot}`;
    case 'merge':
      return `memslot_merge ${edit.slots.join(' ')}${force(edit)}`;
    case 'rehost':
      return `memslot_rehost ${edit.slot}${edit.memdev === undefined ? '' : ` ${edit.memdev}`}`;
    default:
      return `memslot_del ${edit.slot}`;
  }
}

/** "entry 2: EEXIST: ...": entries count from 1, as in `info changeset`. */
export const refusalLine = (refusal: Refusal): string =>
  `${refusal.index < 0 ? '' : `entry ${refusal.index + 1}: `}${refusal.errno}: ${refusal.reason}\n`;

/** Refusals to print; a set may have thousands, and all of them are found. */
const PRINTED = 64;

export function refusalLines(refusals: readonly Refusal[]): string {
  const rest = refusals.length - PRINTED;
  return refusals.slice(0, PRINTED).map(refusalLine).join('') + (rest > 0 ? `and ${rest} refusals more\n` : '');
}

/** "EEXIST: ..." for each refusal. */
export const reasonsOf = ({ refusals }: { refusals: readonly Refusal[] }): string[] =>
  refusals.map(({ errno, reason }) => `${errno}: ${reason}`);

/** A change set that was refused: the entries at fault, without "Error: ". */
export function refusedSet(refusals: readonly Refusal[], before = ''): Answer {
  const lines = refusalLines(refusals);
  return { text: before + lines, failed: true, reason: lines.trimEnd() };
}

/** Reasons to print per entry. */
const REASONS = 8;

/** From the entry `first` on, counted from 1; as many as a person can read. */
function changeset(machine: Machine, first: number): string {
  const { changeSet } = machine;
  if (!changeSet.open) return 'No change set is open.\n';
  const { entries, stepping } = changeSet;
  if (entries.length === 0) return 'The change set is open and empty.\n';
  if (!(first >= 1 && first <= entries.length)) throw new CommandError(`there is no entry ${first}: the change set has ${entries.length}`);
  const end = first - 1 + PRINTED;
  const lines = entries.slice(first - 1, end).map((entry, index) => entryLines(entry, first + index));
  return `${stepping ? steppingText(stepping) : ''}${lines.join('')}${restLine(entries, end)}`;
}

function entryLines(entry: StagedEntry, number: number): string {
  const reasons = reasonsOf(entry).map((reason) => `   ${reason}\n`);
  const more = reasons.length - REASONS;
  reasons.length = Math.min(reasons.length, REASONS);
  if (more > 0) reasons.push(`   and ${count(more, 'reason')} more\n`);
  return `${number}: ${editText(entry.edit)}\n${reasons.join('')}`;
}

/** Summarises the omitted entries, and where they fail. */
function restLine(entries: readonly StagedEntry[], from: number): string {
  const rest = entries.slice(from);
  if (rest.length === 0) return '';
  const refused = rest.filter(({ refusals }) => refusals.length > 0);
  const first = refused[0] && entries.indexOf(refused[0]) + 1;
  const wrong = first === undefined ? '' : `; ${refused.length} of them refused, the first is entry ${first}`;
  return `and ${count(rest.length, 'entry', 'entries')} more (info changeset ${from + 1})${wrong}\n`;
}

function generations(context: Context): string {
  const rows = [['', 'gen', 'swaps', 'zapped', 'us', 'holes', 'how', 'by', 'when', 'what']];
  context.commits.entries().forEach((entry, index) => {
    rows.push([
      index === context.commits.live ? '*' : ' ',
      String(entry.generation),
      String(entry.swaps),
      String(entry.zappedPages),
      String(Math.round(entry.us)),
      String(entry.holes),
      index === 0 ? '-' : entry.legacy ? 'legacy' : entry.whole ? 'whole' : 'atomic',
      index === 0 ? '-' : (entry.by ?? 'person'),
      new Date(entry.at).toISOString().slice(11, 19),
      entry.title,
    ]);
  });
  return columns(rows);
}

export const memslotInfo: Command[] = [
  {
    name: 'memslots',
    args: '',
    params: '',
    help: 'show the memslots (flags: R read-only, L dirty log)',
    origin: 'lab',
    run: (context) => memslots(context.machine),
  },
  {
    name: 'changeset',
    args: 'first:i?',
    params: '[first]',
    help: `show the staged change set, ${PRINTED} entries from the first on, each with its refusals`,
    origin: 'lab',
    run: (context, args) => changeset(context.machine, getNumber(args, 'first') ?? 1),
  },
  {
    name: 'generations',
    args: '',
    params: '',
    help: 'show the commits so far, by the user or, through a device, by the guest; * is the live one, which undo reverts',
    origin: 'lab',
    run: generations,
  },
];
