/** Registers, tables, devices and counters for the monitor and the page. Nothing here changes the guest. */
import type { CoreExports } from '../abi/core';
import { VCPU_MAILBOX2 } from '../abi/layout';
import { MODE_64 } from '../abi/mode';
import { VCPU_MODE } from '../abi/vcpu';
import type { CodeTier, Jit, JitFigures } from '../jit/index';
import type { MemslotEngine } from '../memory/index';
import {
  type IoApicState,
  MachineError,
  type MachineInspect,
  type NestedGuest,
  type PageWalk,
  type PicState,
  type VcpuRegisters,
} from './api';
import type { MmioBus } from './bus';
import type { Board } from './devices';
import type { HostMemory } from './host-memory';
import { nestedGuest, nestedPhysical } from './nested-tables';
import { walkPageTable } from './page-table';
import { walkAddress } from './page-walk';
import type { PhysicalMemory } from './physical';
import type { Vcpu } from './vcpu';
import { sumStats } from './vcpu-reset';

/** The parts of a machine that can be inspected. */
export interface Inspected {
  memory: MemslotEngine;
  host: HostMemory;
  core: CoreExports;
  vcpus: readonly Vcpu[];
  mmio: MmioBus;
  board: Board;
  physical: PhysicalMemory;
  layout: { zappedPages: number };
  jit: Jit | undefined;
}

const halvesOf = (gva: bigint): [low: number, high: number] => [Number(gva & 0xffffffffn) | 0, Number((gva >> 32n) & 0xffffffffn) | 0];

export class Inspection implements MachineInspect {
  constructor(private readonly parts: Inspected) {}

  registers(vcpu = 0): VcpuRegisters {
    return this.vcpu(vcpu).registers();
  }

  translate(gva: bigint, vcpu = 0): number | undefined {
    if (!this.parts.core.translate(this.vcpu(vcpu).index, ...halvesOf(gva))) return undefined;
    return this.vcpu(vcpu).count(VCPU_MAILBOX2);
  }

  pageTable(vcpu = 0): ReturnType<MachineInspect['pageTable']> {
    const { memory, host, physical } = this.parts;
    return walkPageTable(this.vcpu(vcpu), nestedPhysical(this.vcpu(vcpu), memory, host, physical));
  }

  pageWalk(gva: bigint, vcpu = 0): PageWalk {
    return walkAddress(this.vcpu(vcpu), this.parts.memory, this.parts.host, gva);
  }

  nestedGuests(): NestedGuest[] {
    const { memory, host, vcpus } = this.parts;
    return vcpus.flatMap((vcpu) => nestedGuest(vcpu, memory, host) ?? []);
  }

  mmioRegions(): { name: string; start: number; end: number }[] {
    return this.parts.mmio.regions().map(({ name, start, end }) => ({ name, start, end }));
  }

  irqCounts(): { name: string; count: number }[] {
    return this.parts.board.irqCounts();
  }

  picState(): PicState[] {
    return this.parts.board.picState();
  }

  ioapicState(): IoApicState {
    return this.parts.board.ioapic.inspect();
  }

  get holes(): { total: number } {
    return { total: this.parts.mmio.holes };
  }

  jitFigures(): JitFigures | undefined {
    return this.parts.jit?.figures();
  }

  codeTier(vcpu = 0): CodeTier {
    const { core, jit, memory } = this.parts;
    if (jit === undefined) return { tier: 'interpreter', why: 'accel' };
    const { rip } = this.registers(vcpu);
    const gpa = this.translate(rip, vcpu);
    const hva = gpa === undefined ? -1 : memory.gpaToHva(gpa);
    const is64 = (this.vcpu(vcpu).u32(VCPU_MODE) & MODE_64) !== 0;
    const watched = gpa !== undefined && core.watchesCode(vcpu, ...halvesOf(rip), Math.floor(gpa / 4096)) !== 0;
    return jit.tier({ linear: rip, hva: hva < 0 ? undefined : hva, is64, watched });
  }

  stats(): Record<string, number> {
    return {
      instructions: this.parts.vcpus.reduce((sum, vcpu) => sum + vcpu.icount, 0),
      ...sumStats(this.parts.vcpus),
      dirtied_pages: this.parts.memory.dirtyLog.dirtied,
      zapped_pages: this.parts.layout.zappedPages,
      holes: this.parts.mmio.holes,
      host_memory: this.parts.host.inUse,
      ...this.parts.jit?.counters(),
    };
  }

  private vcpu(index: number): Vcpu {
    const vcpu = this.parts.vcpus[index];
    if (!vcpu) throw new MachineError('invalid CPU index');
    return vcpu;
  }
}
