/** info mem, info tlb: walks the guest's page tables as QEMU does (not the contents of the software TLB: `info tlb-stats`); info walk, ours. */
import type { NestedGuest, PageWalk, VcpuRegisters, WalkPlace, WalkRights } from '../../machine/index';
import { PAGE_NX } from '../../machine/index';
import { symbolsOf } from '../../symbols/index';
import { hex, shortSize } from '../sizes';
import { type Command, type Context, getBig } from '../types';
import { columns } from './memslots';

const PG = 0x80000000n;
/** Bits of a page table entry. */
const PTE = { RW: 2, US: 4, PWT: 8, PCD: 0x10, A: 0x20, D: 0x40, PSE: 0x80, G: 0x100 } as const;

const h = (value: bigint | number): string => value.toString(16).padStart(16, '0');
const has = (flags: number, bit: number): boolean => (flags & bit) !== 0;

function pagingOff(context: Context): boolean {
  const registers: VcpuRegisters = context.machine.inspect.registers(context.state.vcpu);
  return (registers.cr0 & PG) === 0n;
}

function tlb(context: Context): string {
  if (pagingOff(context)) return 'PG disabled\n';
  const lines: string[] = [];
  for (const { gva, gpa, flags } of context.machine.inspect.pageTable(context.state.vcpu)) {
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

/** Adjacent ranges with equal rights are one line. */
function mem(context: Context): string {
  if (pagingOff(context)) return 'PG disabled\n';
  const lines: string[] = [];
  let run: { start: bigint; end: bigint; rights: string } | undefined;
  const flush = (): void => {
    if (run) lines.push(`${h(run.start)}-${h(run.end)} ${h(run.end - run.start)} ${run.rights}\n`);
  };
  for (const { gva, flags, size } of context.machine.inspect.pageTable(context.state.vcpu)) {
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

/** Letters of an entry, in the order of `info tlb`, and P. */
function entryLetters(entry: bigint, bytes: number): string {
  const flags = Number(entry & 0xfffn);
  const letters: [boolean, string][] = [
    [bytes === 8 && entry >> 63n === 1n, 'X'],
    [has(flags, PTE.G), 'G'],
    [has(flags, PTE.PSE), 'P'],
    [has(flags, PTE.D), 'D'],
    [has(flags, PTE.A), 'A'],
    [has(flags, PTE.PCD), 'C'],
    [has(flags, PTE.PWT), 'T'],
    [has(flags, PTE.US), 'U'],
    [has(flags, PTE.RW), 'W'],
  ];
  return has(flags, 1) ? letters.map(([set, letter]) => (set ? letter : '-')).join('') : 'not present';
}

const placeText = ({ gpa, nestedGpa, slot, hva }: WalkPlace): string =>
  `${nestedGpa === undefined ? '' : `nested gpa ${hex(nestedGpa)} = `}${hex(gpa)} ` +
  `(${slot === undefined ? 'no memslot' : `memslot ${slot}`}${hva === undefined ? '' : `, hva ${hex(hva)}`})`;

const rightsText = ({ write, user, execute }: WalkRights): string => `${user ? 'u' : '-'}r${write ? 'w' : '-'}${execute ? 'x' : '-'}`;

/** `symbol`: of the code or data at the address. */
export function walkText(walk: PageWalk, symbol?: string): string {
  const { mode, gva, cr3, steps, page, stop, nested } = walk;
  const where = symbol === undefined ? hex(gva) : `${hex(gva)} <${symbol}>`;
  const own = mode === 'off' ? 'paging is off' : `${mode} paging, CR3 ${hex(cr3)}`;
  const head = `${where}: ${own}${nested ? `; nested paging, ${nested.mode}, N_CR3 ${hex(nested.ncr3)}` : ''}\n`;
  const rows = steps.map(({ name, high, low, index, bytes, entry, nested: byHost, ...place }) => [
    byHost ? `    nested ${name}` : `  ${name}`,
    `bits ${high}-${low} = ${index}`,
    `at ${placeText(place)}`,
    hex(entry, bytes * 2),
    entryLetters(entry, bytes),
  ]);
  const table = rows.length > 0 ? columns(rows) : '';
  if (!page) return `${head}${table}${stop?.text}\n`;
  const rights = mode === 'off' ? '' : `, ${rightsText(page.rights)}, page of ${shortSize(page.size)}`;
  const outer = page.nested ? `, nested ${rightsText(page.nested.rights)}, page of ${shortSize(page.nested.size)}` : '';
  return `${head}${table}gpa ${placeText(page)}${rights}${outer}\n`;
}

/** Ranges to print per guest in `info nested`. */
const MOST_RANGES = 64;

export function nestedText(guests: readonly NestedGuest[]): string {
  if (guests.length === 0) return 'no vCPU runs or has run a guest with nested paging whose tables still exist\n';
  return guests
    .map(({ vcpu, running, vmcb, asid, ncr3, mode, memory, whole }) => {
      const bytes = memory.reduce((sum, { start, end }) => sum + end - start, 0);
      const more = memory.length > MOST_RANGES ? `  and ${memory.length - MOST_RANGES} more ranges\n` : '';
      const cut = whole ? '' : '  the tables have more than is read\n';
      return (
        `vCPU ${vcpu}: ${running ? 'runs' : 'ran last'} the guest of VMCB ${hex(vmcb)}, ASID ${asid}; ${mode} tables, N_CR3 ${hex(ncr3)}\n` +
        `  ${shortSize(bytes)} of memory in ${memory.length} ${memory.length === 1 ? 'range' : 'ranges'}\n` +
        memory
          .slice(0, MOST_RANGES)
          .map(({ start, end }) => `  ${hex(start)}-${hex(end - 1)} ${shortSize(end - start)}\n`)
          .join('') +
        more +
        cut
      );
    })
    .join('');
}

export const pagingInfo: Command[] = [
  { name: 'mem', args: '', params: '', help: 'show the active virtual memory mappings', origin: 'qemu', run: mem },
  { name: 'tlb', args: '', params: '', help: 'show virtual to physical memory mappings', origin: 'qemu', run: tlb },
  {
    name: 'walk',
    args: 'addr:l',
    params: 'addr',
    help: 'show how the vCPU translates a virtual address: each page table entry, the slot and host memory that holds it, and the result or the reason why the walk stops; for a nested guest through the nested tables too',
    origin: 'lab',
    run: ({ machine, state }, args) =>
      walkText(machine.inspect.pageWalk(getBig(args, 'addr'), state.vcpu), symbolsOf(machine).name(getBig(args, 'addr'))),
  },
  {
    name: 'nested',
    args: '',
    params: '',
    help: 'show the guests with nested paging that the vCPUs run or ran last, and the guest-physical memory that their nested tables map',
    origin: 'lab',
    run: ({ machine }) => nestedText(machine.inspect.nestedGuests()),
  },
];
