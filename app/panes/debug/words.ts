/** Kinds of breakpoints: their shapes, and their descriptions in the form. */
import type { BreakpointView } from '../../../engine/worker/protocol';

type Kind = BreakpointView['kind'];

/** Disc: code; diamond: memory; square: slot; ring: hole; triangle: port, MSR, vector. */
export const KIND_GLYPHS: Record<Kind, string> = {
  gva: '●',
  gpa: '◆',
  hva: '◆',
  page: '◆',
  slot: '■',
  hole: '○',
  port: '▲',
  msr: '▲',
  vector: '▲',
};

interface KindRule {
  words: string;
  address: string;
  placeholder: string;
  note: string;
  usual: string;
  length: boolean;
  code: boolean;
}

const memory = { address: 'Address', usual: 'read, write', length: true, code: true };
const number = { usual: 'read, write', length: false, code: false };

export const KINDS: Record<Kind, KindRule> = {
  gpa: { words: 'guest-physical address', placeholder: '0x10000000', note: 'Stays at the address, whatever slot is there.', ...memory },
  gva: { words: 'code or virtual address', placeholder: '0x101b70', note: 'As the vCPU translates it.', ...memory, usual: 'execute' },
  page: { words: 'page', placeholder: '0x10000000', note: 'The 4 KiB around a guest-physical address.', ...memory, length: false },
  slot: { words: 'slot', ...memory, address: 'Slot', placeholder: '5', note: 'Follows the slot, wherever it is moved.', length: false },
  hole: {
    words: 'hole',
    ...memory,
    placeholder: 'any',
    note: 'Accesses that no slot and no device answers; empty: anywhere.',
    code: false,
  },
  hva: { words: 'host memory', placeholder: '0x12000000', note: 'The memory itself, through any slot.', ...memory },
  port: { words: 'I/O port', address: 'Port', placeholder: '0x3f8', note: 'In and out.', ...number },
  msr: { words: 'MSR', address: 'MSR', placeholder: '0xc0000080', note: 'RDMSR and WRMSR.', ...number },
  vector: {
    words: 'exception or interrupt',
    address: 'Vector',
    placeholder: '14',
    note: 'When it is delivered.',
    ...number,
    usual: 'delivery',
  },
};

/** "read, write" */
export function accessWords({ kind, access }: BreakpointView): string {
  if (kind === 'vector') return 'delivery';
  const words = [access.includes('x') ? 'execute' : '', access.includes('r') ? 'read' : '', access.includes('w') ? 'write' : ''];
  return words.filter(Boolean).join(', ');
}
