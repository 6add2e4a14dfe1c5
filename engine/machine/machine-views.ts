/** What of the machine monitor and page look at: registers, memory, tables, devices and counters. Nothing here but the writes changes the guest. */
import type { CoreExports } from '../abi/core';
import { VCPU_MAILBOX2 } from '../abi/layout';
import type { Jit } from '../jit/index';
import type { MemslotEngine } from '../memory/index';
import { type IoApicState, type Machine, MachineError, type PicState, type VcpuRegisters } from './api';
import type { MmioBus, PortBus } from './bus';
import type { Clock } from './clock';
import type { Board } from './devices';
import type { HostMemory } from './host-memory';
import { walkPageTable } from './page-table';
import { walkAddress } from './page-walk';
import type { PhysicalMemory } from './physical';
import type { Vcpu } from './vcpu';
import { sumStats } from './vcpu-reset';

export abstract class MachineViews {
  abstract readonly memory: MemslotEngine;
  protected abstract readonly host: HostMemory;
  protected abstract readonly core: CoreExports;
  protected abstract readonly vcpus: Vcpu[];
  protected abstract readonly clock: Clock;
  protected abstract readonly ports: PortBus;
  protected abstract readonly mmio: MmioBus;
  protected abstract readonly board: Board;
  protected abstract readonly physical: PhysicalMemory;
  /** Pages whose translations commits dropped. */
  protected abstract readonly zappedPages: number;
  protected abstract readonly jit: Jit | undefined;

  registers(vcpu = 0): VcpuRegisters {
    return this.vcpu(vcpu).registers();
  }

  readPhysical(gpa: number, length: number): Uint8Array | undefined {
    return this.physical.read(gpa, length);
  }

  writePhysical(gpa: number, bytes: Uint8Array): number {
    return this.physical.write(gpa, bytes);
  }

  translate(gva: bigint, vcpu = 0): number | undefined {
    const low = Number(gva & 0xffffffffn) | 0;
    const high = Number((gva >> 32n) & 0xffffffffn) | 0;
    if (!this.core.translate(this.vcpu(vcpu).index, low, high)) return undefined;
    return this.vcpu(vcpu).count(VCPU_MAILBOX2);
  }

  pageTable(vcpu = 0): ReturnType<Machine['pageTable']> {
    return walkPageTable(this.vcpu(vcpu), this.physical);
  }

  pageWalk(gva: bigint, vcpu = 0): ReturnType<Machine['pageWalk']> {
    return walkAddress(this.vcpu(vcpu), this.memory, this.host, gva);
  }

  ioRead(port: number, size: number): number {
    return this.ports.read(port, size);
  }

  mmioRegions(): { name: string; start: number; end: number }[] {
    return this.mmio.regions().map(({ name, start, end }) => ({ name, start, end }));
  }

  irqCounts(): { name: string; count: number }[] {
    return this.board.irqCounts();
  }

  picState(): PicState[] {
    return this.board.picState();
  }

  ioapicState(): IoApicState {
    return this.board.ioapic.inspect();
  }

  get instructions(): number {
    return this.vcpus.reduce((sum, vcpu) => sum + vcpu.icount, 0);
  }

  get guestTimeNs(): number {
    return this.clock.now();
  }

  get holes(): { total: number } {
    return { total: this.mmio.holes };
  }

  jitFigures(): ReturnType<Machine['jitFigures']> {
    return this.jit?.figures();
  }

  stats(): Record<string, number> {
    return {
      instructions: this.instructions,
      ...sumStats(this.vcpus),
      dirtied_pages: this.memory.dirtyLog.dirtied,
      zapped_pages: this.zappedPages,
      holes: this.mmio.holes,
      host_memory: this.host.inUse,
    };
  }

  protected vcpu(index: number): Vcpu {
    const vcpu = this.vcpus[index];
    if (!vcpu) throw new MachineError('invalid CPU index');
    return vcpu;
  }
}
