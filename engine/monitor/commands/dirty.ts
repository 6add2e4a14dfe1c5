/** dirty_log, dirty_log_mode, dirty_ring: which pages the guest wrote, ours. */
import { INITIALLY_SET, MANUAL_PROTECT, type RingEntry } from '../../memory/index';
import type { Memslot } from '../../memory/types';
import { columns } from '../info/memslots';
import { count } from '../phases';
import { hex } from '../sizes';
import { type Args, type Command, CommandError, type Context, getFlag, getNumber, getString } from '../types';

const PAGE = 4096;
/** Ranges to list; the rest is only counted. */
const MAX_RANGES = 32;
/** Default number of entries of a ring; 64 are the reserve. */
const RING_ENTRIES = 4096;

/** Set bits as runs of pages, half-open. */
function dirtyRuns(bitmap: Uint8Array, npages: number): { start: number; end: number }[] {
  const runs: { start: number; end: number }[] = [];
  for (let page = 0; page < npages; page++) {
    const byte = bitmap[page >> 3]!;
    if (byte === 0) {
      page |= 7;
      continue;
    }
    if (!((byte >> (page & 7)) & 1)) continue;
    const last = runs.at(-1);
    if (last?.end === page) last.end++;
    else runs.push({ start: page, end: page + 1 });
  }
  return runs;
}

export function dirtyText(slot: Memslot, bitmap: Uint8Array): string {
  const runs = dirtyRuns(bitmap, slot.npages);
  const dirty = runs.reduce((sum, run) => sum + run.end - run.start, 0);
  const lines = runs
    .slice(0, MAX_RANGES)
    .map((run) => `  ${hex((slot.baseGfn + run.start) * PAGE)}-${hex((slot.baseGfn + run.end) * PAGE)} ${run.end - run.start}\n`);
  const more = runs.length > MAX_RANGES ? `  and ${runs.length - MAX_RANGES} ranges more\n` : '';
  return `memslot ${slot.slot}: ${dirty} of ${slot.npages} pages dirty\n${lines.join('')}${more}`;
}

export function slotOf(context: Context, args: Args): Memslot {
  const id = getNumber(args, 'id')!;
  const slot = context.machine.memory.memslotById(id);
  if (!slot) throw new CommandError(`memslot ${id} does not exist`);
  return slot;
}

function dirtyLog(context: Context, args: Args): string {
  const slot = slotOf(context, args);
  const { memory } = context.machine;
  const log = memory.getDirtyLog(slot.slot);
  if (!log.ok) {
    if (log.errno === 'ENXIO') throw new CommandError('ENXIO: pages are recorded in dirty rings, there is no bitmap: see dirty_ring');
    throw new CommandError(`${log.errno}: memslot ${slot.slot} does not log dirty pages: memslot_flags ${slot.slot} -l enables it`);
  }
  if (getFlag(args, 'clear')) {
    const done = memory.clearDirtyLog({ slot: slot.slot, firstPage: 0, numPages: slot.npages, bitmap: log.bitmap });
    if (!done.ok) throw new CommandError(`${done.errno}: the log of memslot ${slot.slot} cannot be cleared`);
  }
  return dirtyText(slot, log.bitmap);
}

const MODES: Record<string, number> = { normal: 0, manual: MANUAL_PROTECT, 'initially-set': MANUAL_PROTECT + INITIALLY_SET };

function dirtyLogMode(context: Context, mode: string | undefined): string {
  const { dirtyLog } = context.machine.memory;
  if (mode === undefined) return `${Object.keys(MODES).find((name) => MODES[name] === dirtyLog.manualProtect)}\n`;
  const flags = MODES[mode];
  if (flags === undefined) throw new CommandError(`dirty log mode '${mode}' does not exist: use normal, manual or initially-set`);
  dirtyLog.setManualProtect(flags);
  return '';
}

function ringStatus({ machine }: Context): string {
  const rings = machine.rings.status();
  if (rings.length === 0) return 'dirty rings are off\n';
  return columns([
    ['vcpu', 'entries', 'used', 'waiting', 'lost', 'state'],
    ...rings.map(({ vcpu, size, used, pending, overflows, full }) => [
      ...[vcpu, size, used, pending, overflows].map(String),
      full ? 'full: the vCPU waits for a reset' : 'ok',
    ]),
  ]);
}

/** Slot by slot, in the order of each one's first entry. */
function entriesText({ machine }: Context, entries: readonly RingEntry[]): string {
  const bySlot = new Map<string, RingEntry[]>();
  for (const entry of entries) {
    const key = `${entry.asId} ${entry.slot}`;
    const list = bySlot.get(key);
    if (list) list.push(entry);
    else bySlot.set(key, [entry]);
  }
  return [...bySlot.values()]
    .map((list) => {
      const { asId, slot: id } = list[0]!;
      const slot = machine.memory.memslotById(id, asId);
      if (!slot) return `memslot ${id}: gone, ${count(list.length, 'entry', 'entries')}\n`;
      const bitmap = new Uint8Array(Math.ceil(slot.npages / 8));
      for (const { offset } of list) if (offset < slot.npages) bitmap[offset >> 3]! |= 1 << (offset & 7);
      return dirtyText(slot, bitmap);
    })
    .join('');
}

function dirtyRing(context: Context, args: Args): string {
  const { machine } = context;
  const verb = getString(args, 'verb') ?? 'status';
  const most = getNumber(args, 'count');
  if (most !== undefined && (verb === 'status' || verb === 'reset')) throw new CommandError(`dirty_ring ${verb} takes no number`);
  switch (verb) {
    case 'status':
      return ringStatus(context);
    case 'enable':
      machine.rings.enable({ entries: most ?? RING_ENTRIES });
      return '';
    case 'harvest':
      return entriesText(context, machine.rings.harvest(most));
    case 'reset': {
      const freed = machine.rings.reset();
      return `${freed} ${freed === 1 ? 'entry' : 'entries'} freed\n`;
    }
    default:
      throw new CommandError(`dirty_ring '${verb}' does not exist: use status, enable, harvest or reset`);
  }
}

const firstOf = (words: readonly string[], candidates: string[]): string[] => (words.length === 0 ? candidates : []);

export const dirtyCommands: Command[] = [
  {
    name: 'dirty_log',
    input: true,
    args: 'id:z,clear:-c',
    params: 'id [-c]',
    help: 'harvest the dirty log of a memslot: print the pages written since the last harvest and clear them (in the modes manual and initially-set only with -c)',
    origin: 'lab',
    run: dirtyLog,
  },
  {
    name: 'dirty_log_mode',
    input: true,
    args: 'mode:s?',
    params: '[normal|manual|initially-set]',
    help: 'show or set whether reading a dirty log clears it (normal) or not (manual: dirty_log -c does); initially-set: manual, and a new log starts with every page dirty',
    origin: 'lab',
    run: (context, args) => dirtyLogMode(context, getString(args, 'mode')),
    complete: (_context, _word, words) => firstOf(words, Object.keys(MODES)),
  },
  {
    name: 'dirty_ring',
    input: true,
    args: 'verb:s?,count:z?',
    params: '[status|enable [entries]|harvest [limit]|reset]',
    help: 'dirty rings, one per vCPU, instead of bitmaps: show them; enable them (before the guest first runs: start with -S); harvest at most limit entries of each; free the harvested entries. A vCPU whose ring is full waits for a reset',
    origin: 'lab',
    run: dirtyRing,
    complete: (_context, _word, words) => firstOf(words, ['status', 'enable', 'harvest', 'reset']),
  },
];
