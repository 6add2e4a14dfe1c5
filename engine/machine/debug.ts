/** Watches in the core's table, their hits, and registers written from outside (api/debug.ts). */
import type { CoreExports } from '../abi/core';
import { VCPU_PASS_COUNT, VCPU_PASS_RIP, WATCHES } from '../abi/layout';
import * as abi from '../abi/vcpu';
import * as watch from '../abi/watch';
import { type MachineDebug, MachineError, type RegisterPatch, type Watch, type WatchHit, type WatchStop } from './api';
import type { MmioBus } from './bus';
import type { Executor } from './executor';
import type { HostMemory } from './host-memory';
import { writeRegister } from './register-file';
import type { Vcpu } from './vcpu';

/** VCPU_BREAK_ICOUNT: no break. */
const NOWHERE = 0xffff_ffff_ffff_ffffn;

export interface DebugParts {
  host: HostMemory;
  core: CoreExports;
  vcpus: readonly Vcpu[];
  executor: Executor;
  mmio: MmioBus;
}

export class Debugging implements MachineDebug {
  onHit: ((stop: WatchStop) => string | undefined) | undefined;
  /** The hit that last stopped the machine. */
  lastStop: { stop: WatchStop; text: string } | undefined;
  private holes = false;
  private readonly holeHits: WatchHit[] = [];

  constructor(private readonly parts: DebugParts) {
    parts.executor.onDebug = (vcpu) => this.met(vcpu);
  }

  watch(list: readonly Watch[]): void {
    const { view } = this.parts.host;
    if (list.length > watch.WATCH_LIMIT)
      throw new MachineError(`${list.length} address ranges are watched, at most ${watch.WATCH_LIMIT} are possible: delete a breakpoint`);
    for (let index = 0; index < watch.WATCH_LIMIT; index++) {
      const at = WATCHES + index * watch.WATCH_SIZE;
      const { kind, first, last } = list[index] ?? { kind: 0, first: 0n, last: 0n };
      view.setUint32(at + watch.WATCH_KIND, kind, true);
      view.setBigUint64(at + watch.WATCH_FIRST, first, true);
      view.setBigUint64(at + watch.WATCH_LAST, last, true);
    }
    this.parts.core.watchesChanged();
  }

  get watchHoles(): boolean {
    return this.holes;
  }

  set watchHoles(on: boolean) {
    this.holes = on;
    this.parts.mmio.onHole = (gpa, bytes, write) => {
      const { executor } = this.parts;
      if (!this.holes || !executor.executing) return;
      this.holeHits.push({ watch: -1, access: write ? 'write' : 'read', address: BigInt(gpa), gpa, bytes });
      executor.current.requestExit();
    };
  }

  passBreakpoint(index: number): void {
    const vcpu = this.vcpu(index);
    vcpu.setU64(VCPU_PASS_COUNT, vcpu.u64(abi.VCPU_ICOUNT));
    vcpu.setU64(VCPU_PASS_RIP, vcpu.u64(abi.VCPU_RIP));
  }

  breakVcpu(index: number, icount: number | undefined): void {
    this.vcpu(index).setU64(abi.VCPU_BREAK_ICOUNT, icount === undefined ? NOWHERE : BigInt(icount));
  }

  icount(index: number): number {
    return this.vcpu(index).icount;
  }

  setRegisters(index: number, patch: RegisterPatch): void {
    const vcpu = this.vcpu(index);
    const { host, core } = this.parts;
    let state = false;
    for (const [name, value] of Object.entries(patch)) state = writeRegister({ vcpu, host, core }, name, value) || state;
    if (state) core.stateChanged(index);
  }

  /** The core returned because of a watch, or a hole may have been hit. True: the machine stops. */
  private met(vcpu: Vcpu): boolean {
    const hits = [...this.takeHits(), ...this.holeHits.splice(0)];
    if (hits.length === 0) return false;
    const stop = { vcpu: vcpu.index, hits };
    const text = this.onHit?.(stop);
    if (text === undefined) return false;
    this.lastStop = { stop, text };
    return true;
  }

  private takeHits(): WatchHit[] {
    const { view } = this.parts.host;
    const count = Math.min(view.getUint32(watch.HIT_COUNT, true), watch.HIT_LIMIT);
    view.setUint32(watch.HIT_COUNT, 0, true);
    return Array.from({ length: count }, (_unused, index) => {
      const at = watch.HITS + index * watch.HIT_SIZE;
      const access = view.getUint32(at + watch.HIT_ACCESS, true);
      return {
        watch: view.getUint32(at + watch.HIT_WATCH, true),
        access:
          access === watch.WATCH_EXEC ? 'execute' : access === watch.WATCH_READ ? 'read' : access === watch.WATCH_WRITE ? 'write' : 'event',
        address: view.getBigUint64(at + watch.HIT_ADDRESS, true),
        gpa: Number(view.getBigUint64(at + watch.HIT_GPA, true)),
        bytes: view.getUint32(at + watch.HIT_BYTES, true),
      };
    });
  }

  private vcpu(index: number): Vcpu {
    const vcpu = this.parts.vcpus[index];
    if (!vcpu) throw new MachineError('invalid CPU index');
    return vcpu;
  }
}
