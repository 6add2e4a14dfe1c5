/** A selftest's VM: a real guest that runs in slices, and a host that changes its memslots between slices. The guest also runs within commits. */
import { VCPU_INDEX, VCPU_RIP } from '../../../engine/abi/vcpu';
import type { MmioBus } from '../../../engine/machine/bus';
import type { MachineOptions } from '../../../engine/machine/index';
import type { MachineParts } from '../../../engine/machine/parts';
import type { CommitRequest } from '../../../engine/memory/index';
import type { Commit, MemoryRegion } from '../../../engine/memory/types';
import { Guest, MIB } from '../harness';
import type { Program } from './program';

export const PAGE = 4096;
export const MMIO_VALUE = 0xbeef;
/** Every zap mode on every gfn index: the guest's view must depend on neither. */
export const VARIANTS = (['array', 'rbtree', 'btree'] as const).flatMap((index) =>
  (['slot', 'all'] as const).map((zap) => ({ index, zap })),
);

/** Host memory is accessed through slots at these addresses: slots may share their backing, and the guest's page tables do not reach this far. */
const VIEW_GPA = 2 ** 40;
const VIEW_SLOT = 30_000;

export interface Access {
  gpa: number;
  size: number;
  write: boolean;
}

export class Vm {
  /** MMIO exits that the guest made: what no memslot answered. */
  readonly exits: Access[] = [];
  private views = 0;
  private nextView = VIEW_GPA;

  static async start(program: Program, options: Partial<MachineOptions> = {}): Promise<Vm> {
    return new Vm(await Guest.boot({ ram: 4 * MIB, guest: { name: 'selftest', kernel: program.image() }, ...options }));
  }

  private constructor(readonly guest: Guest) {
    this.mmio.onHole = (gpa, size, write) => this.exits.push({ gpa, size, write });
  }

  get machine() {
    return this.guest.machine;
  }

  get memory() {
    return this.guest.machine.memory;
  }

  private get mmio(): MmioBus {
    return (this.guest.machine as unknown as { parts: MachineParts }).parts.mmio;
  }

  /** Reads of the 8 bytes at gpa that no memslot backs exit and return MMIO_VALUE. */
  answerMmio(gpa: number): void {
    const read = (offset: number, size: number): number => {
      this.exits.push({ gpa: gpa + offset, size, write: false });
      return offset === 0 ? MMIO_VALUE : 0;
    };
    const write = (offset: number, size: number) => this.exits.push({ gpa: gpa + offset, size, write: true });
    const device = { name: 'selftest', read, write, peek: () => 0, reset() {}, save: () => ({}), check: () => {}, restore() {} };
    this.mmio.attach({ name: 'selftest', start: gpa, end: gpa + 8, device: () => device });
  }

  /** Host memory that tests can access at any time, independent of the guest's layout. */
  backing(size: number): Backing {
    const hva = this.machine.host.allocate(size, 'selftest');
    const gpa = this.nextView;
    this.nextView += Math.ceil(size / MIB) * MIB + MIB;
    this.commit({ slot: VIEW_SLOT + this.views++, guestPhysAddr: gpa, memorySize: size, userspaceAddr: hva });
    return new Backing(this, hva, gpa);
  }

  /** KVM_SET_USER_MEMORY_REGION, which must be accepted. */
  commit(region: MemoryRegion): void {
    accepted(this.memory.setUserMemoryRegion(region));
  }

  remove(slot: number): void {
    this.commit({ slot, guestPhysAddr: 0, memorySize: 0, userspaceAddr: 0 });
  }

  /** The same, with the guest running `count` instructions after each step of the commit, including while slots are INVALID. */
  commitSlowly(request: CommitRequest, count = 300): void {
    const run = this.memory.beginCommit(request);
    while (run.phase !== 'done') {
      run.step();
      this.run(count);
    }
    accepted(run.result!);
  }

  run(count: number): void {
    this.machine.run.advance(count);
  }

  /** A qword of guest memory. */
  peek(gpa: number): number {
    return Number(new DataView(this.machine.physical.read(gpa, 8)!.buffer).getBigUint64(0, true));
  }

  poke(gpa: number, value: number): void {
    const bytes = new Uint8Array(8);
    new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true);
    if (this.machine.physical.write(gpa, bytes) !== 8) throw new Error(`nothing is mapped at 0x${gpa.toString(16)}`);
  }

  /** Starts vCPU 1 as a copy of vCPU 0 that continues at gpa `rip`. Call it before anything has run. */
  startSecond(rip: number): void {
    const state = this.machine.snapshot.capture();
    const record = state.vcpus[0]!.slice();
    const view = new DataView(record.buffer);
    view.setUint32(VCPU_INDEX, 1, true);
    view.setBigUint64(VCPU_RIP, BigInt(rip), true);
    state.vcpus[1] = record;
    this.machine.snapshot.restore(state);
  }

  /** Maps [4 GiB, 512 GiB) onto itself too, with pages of 1 GiB. */
  mapHigh(): void {
    const tables = this.peek(Number(this.machine.inspect.registers().cr3)) - 3;
    for (let gib = 4; gib < 512; gib++) this.poke(tables + gib * 8, gib * 2 ** 30 + 0x83);
  }
}

export class Backing {
  constructor(
    private readonly vm: Vm,
    readonly hva: number,
    private readonly gpa: number,
  ) {}

  read(offset: number): number {
    return this.vm.peek(this.gpa + offset);
  }

  write(offset: number, value: number): void {
    this.vm.poke(this.gpa + offset, value);
  }

  /** The first qword of each of the first `count` pages. */
  firstOfPages(count: number): number[] {
    return Array.from({ length: count }, (_unused, page) => this.read(page * PAGE));
  }
}

export function accepted(commit: Commit): void {
  if (!commit.ok) throw new Error(`refused: ${commit.refusals.map(({ errno, reason }) => `${errno} ${reason}`).join('; ')}`);
}
