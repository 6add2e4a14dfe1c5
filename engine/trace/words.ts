/** An event as text, and its lane. */
import type { Machine } from '../machine/index';
import { symbolsOf } from '../symbols/index';
import { eventOf } from './events';
import type { TraceRecord } from './ring';
import type { Tracer } from './tracer';

/** Exceptions by the manual's mnemonics (SDM 3A table 6-1). */
const VECTORS = '#DE #DB NMI #BP #OF #BR #UD #NM #DF - #TS #NP #SS #GP #PF - #MF #AC #MC #XM #VE #CP'.split(' ');
const hex = (value: number): string => `0x${value.toString(16)}`;
const counts = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;

export const vectorName = (vector: number): string => (VECTORS[vector] && VECTORS[vector] !== '-' ? VECTORS[vector]! : `vector ${vector}`);

const slotsText = (slots: Int16Array | undefined): string =>
  slots && slots.length > 0 ? `memslot${slots.length === 1 ? '' : 's'} ${slots.slice(0, 8).join(', ')}` : 'memslots';

/** "vCPU 0", "commits" */
export const laneOf = ({ vcpu }: TraceRecord): string => (vcpu < 0 ? 'commits' : `vCPU ${vcpu}`);

/** The device of an access, by its name on the board. */
export function deviceOf(machine: Machine, { event, a }: TraceRecord): string | undefined {
  const { name } = eventOf(event);
  if (name === 'cpu_in' || name === 'cpu_out') return machine.trace.portDevice(a);
  if (name !== 'memory_region_ops_read' && name !== 'memory_region_ops_write') return undefined;
  return machine.inspect.mmioRegions().find(({ start, end }) => a >= start && a < end)?.name;
}

/** "read 4 bytes at 0xfee00000 lapic, 0x50014" */
export function wordsOf(machine: Machine, tracer: Tracer, record: TraceRecord): string {
  const { seq, event, a, b, size, duration } = record;
  const { name } = eventOf(event);
  const device = deviceOf(machine, record);
  const of = device === undefined ? '' : ` ${device}`;
  const took = duration > 0 ? `, ${duration} ns` : '';
  switch (name) {
    case 'cpu_in':
    case 'cpu_out':
      return `${name === 'cpu_in' ? 'in' : 'out'} ${counts(size, 'byte')} at port ${hex(a)}${of || ' no device'}, ${hex(b)}`;
    case 'memory_region_ops_read':
    case 'memory_region_ops_write':
      return `${name.endsWith('read') ? 'read' : 'write'} ${counts(size, 'byte')} at ${hex(a)}${of}, ${hex(b)}`;
    case 'vcpu_hole':
      return `${b === 1 ? 'write' : 'read'} ${counts(size, 'byte')} at ${hex(a)}: nothing is there`;
    case 'vcpu_retry':
      return `${hex(a)} lies in an INVALID slot${took}`;
    case 'vcpu_hlt':
      return `halted${took}`;
    case 'vcpu_shutdown':
      return 'triple fault';
    case 'vcpu_internal_error':
      return 'code where there is no memslot';
    case 'breakpoint':
      return 'a watched access';
    case 'tlb_fill':
      return `page ${hex(a)}`;
    case 'dirty_page':
      return `page ${hex(a)} is dirty`;
    case 'exception':
      return `${vectorName(a)}, error code ${hex(b)}`;
    case 'interrupt':
      return `vector ${hex(a)}`;
    case 'vcpu_dirty_ring_full':
      return `its dirty ring is full${took}`;
    case 'dirty_log_harvest':
      return `${counts(a, 'page')} of ${slotsText(tracer.slotsOf(seq))}`;
    case 'dirty_ring_harvest':
      return `${counts(a, 'page')}${a > 0 ? ` of ${slotsText(tracer.slotsOf(seq))}` : ''}`;
    case 'dirty_ring_reset':
      return `${a} ${a === 1 ? 'entry is' : 'entries are'} free`;
    case 'memslot_publish':
      return `swap ${a} of ${size}`;
    case 'memslot_zap':
      return b === 1 ? 'every translation' : `${counts(a, 'page')} in ${counts(size, 'range')}`;
    case 'dirty_protect':
      return `${counts(a, 'page')} in ${counts(size, 'range')}`;
    default:
      return tracer.titleOf(seq) ?? counts(a, 'change');
  }
}

/** The code that caused an event: "read_while+0x3", or its address if it has no name. */
export type CodeNames = (code: bigint) => string | undefined;

/** For one reading of the ring: names are looked up once each. */
export function codeNames(machine: Machine): CodeNames {
  const symbols = symbolsOf(machine);
  const known = new Map<bigint, string | undefined>();
  return (code) => {
    if (code === 0n) return undefined;
    if (!known.has(code)) known.set(code, symbols.name(code));
    return known.get(code) ?? `0x${code.toString(16)}`;
  };
}
