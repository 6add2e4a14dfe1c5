/** info mem, info tlb: the guest's page tables, walked as QEMU walks them (not the contents of the software TLB: `info tlb-stats`). */
import type { VcpuRegisters } from '../../machine/api';
import { PAGE_NX } from '../../machine/page-table';
import type { Command, Context } from '../types';

const PG = 0x80000000n;
/** Bits of a page table entry. */
const PTE = { RW: 2, US: 4, PWT: 8, PCD: 0x10, A: 0x20, D: 0x40, PSE: 0x80, G: 0x100 } as const;

const h = (value: bigint | number): string => value.toString(16).padStart(16, '0');
const has = (flags: number, bit: number): boolean => (flags & bit) !== 0;

function pagingOff(context: Context): boolean {
  const registers: VcpuRegisters = context.machine.registers(context.state.vcpu);
  return (registers.cr0 & PG) === 0n;
}

function tlb(context: Context): string {
  if (pagingOff(context)) return 'PG disabled\n';
  const lines: string[] = [];
  for (const { gva, gpa, flags } of context.machine.pageTable(context.state.vcpu)) {
    const bit = (mask: number, letter: string): string => (has(flags, mask) ? letter : '-');
    const letters =
      bit(PAGE_NX, 'X') +
      bit(PTE.G, 'G') +
      bit(PTE.PSE, 'P') +
      bit(PTE.D, 'D') +
      bit(PTE.A, 'A') +
      bit(PTE.PCD, 'C') +
      bit(PTE.PWT, 'T') +
      bit(PTE.US, 'U') +
      bit(PTE.RW, 'W');
    lines.push(`${h(gva)}: ${h(gpa)} ${letters}\n`);
  }
  return lines.join('');
}

/** Neighbours with equal rights are one line. */
function mem(context: Context): string {
  if (pagingOff(context)) return 'PG disabled\n';
  const lines: string[] = [];
  let run: { start: bigint; end: bigint; rights: string } | undefined;
  const flush = (): void => {
    if (run) lines.push(`${h(run.start)}-${h(run.end)} ${h(run.end - run.start)} ${run.rights}\n`);
  };
  for (const { gva, flags, size } of context.machine.pageTable(context.state.vcpu)) {
    const rights = `${has(flags, PTE.US) ? 'u' : '-'}r${has(flags, PTE.RW) ? 'w' : '-'}`;
    if (run && run.end === gva && run.rights === rights) {
      run.end += BigInt(size);
      continue;
    }
    flush();
    run = { start: gva, end: gva + BigInt(size), rights };
  }
  flush();
  return lines.join('');
}

export const pagingInfo: Command[] = [
  { name: 'mem', args: '', params: '', help: 'show the active virtual memory mappings', origin: 'qemu', run: mem },
  { name: 'tlb', args: '', params: '', help: 'show virtual to physical memory mappings', origin: 'qemu', run: tlb },
];
