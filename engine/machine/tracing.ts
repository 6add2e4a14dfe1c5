/**
 * Records what the core asks of the machine (api/trace.ts). With a listener, members of the core's wiring are replaced by ones that report; without
 * one they are the machine's own, so tracing that is off costs nothing.
 */
import type { CoreExports } from '../abi/core';
import { EXIT_DEBUG, EXIT_HLT, EXIT_INTERNAL_ERROR, EXIT_RETRY, EXIT_SHUTDOWN, PAGE_INVALID } from '../abi/exits';
import { VCPU_PROBING, VCPU_RECORD_AT } from '../abi/layout';
import { R_OFF, VREG_PAGE } from '../abi/record';
import { SEG_BASE, VCPU_EFER, VCPU_RIP, VCPU_SEG, VCPU_SEG_SIZE } from '../abi/vcpu';
import type { MemslotEngine } from '../memory/index';
import type { LeaveReason, MachineTrace, TraceSink } from './api';
import type { MmioBus, PortBus } from './bus';
import type { CoreWiring } from './core';
import type { Executor } from './executor';
import type { Vcpu } from './vcpu';

const REASONS: Readonly<Record<number, LeaveReason>> = {
  [EXIT_HLT]: 'hlt',
  [EXIT_RETRY]: 'retry',
  [EXIT_SHUTDOWN]: 'shutdown',
  [EXIT_INTERNAL_ERROR]: 'internal-error',
  [EXIT_DEBUG]: 'watch',
};
const PAGE = 4096;
const CS_BASE = VCPU_SEG + VCPU_SEG_SIZE + SEG_BASE;
/** 64-bit and compatibility mode: all known systems have a CS base of 0 in the latter. */
const EFER_LMA = 0x400;

export interface TracedParts {
  core: CoreExports;
  vcpus: readonly Vcpu[];
  executor: Executor;
  ports: PortBus;
  mmio: MmioBus;
  memory: MemslotEngine;
  /** True while a machine replays its past: its events were recorded before. */
  again(): boolean;
}

export class Tracing implements MachineTrace {
  private listener: TraceSink | undefined;
  private unobserve: (() => void) | undefined;
  private readonly plain: CoreWiring;
  /** From the last lookup that met an INVALID slot. */
  private retriedGfn = 0;

  constructor(
    private readonly parts: TracedParts,
    private readonly wiring: CoreWiring,
  ) {
    this.plain = { ...wiring };
  }

  get sink(): TraceSink | undefined {
    return this.listener;
  }

  set sink(sink: TraceSink | undefined) {
    this.listener = sink;
    const { core, executor, memory } = this.parts;
    this.unobserve?.();
    this.unobserve = sink && memory.observe((note) => !this.parts.again() && sink.note(note));
    core.traceExceptions(sink ? 1 : 0);
    executor.tracer = sink && {
      entered: (vcpu, at) => {
        if (!this.parts.again()) sink.enter(vcpu.index, at);
      },
      left: (vcpu, reason) => this.left(sink, vcpu, reason),
    };
    Object.assign(this.wiring, sink ? this.reporting(sink) : this.plain);
  }

  codeLow = 0;
  codeHigh = 0;

  locate(vcpu: number, access: boolean): void {
    const it = this.parts.vcpus[vcpu]!;
    const record = access ? it.u32(VCPU_RECORD_AT) : 0;
    this.codeLow = 0;
    this.codeHigh = 0;
    if (access && (record === 0 || it.u32(VCPU_PROBING) !== 0)) return;
    const at = access ? VREG_PAGE : VCPU_RIP;
    const low = it.u32(at) + (access ? it.halfAt(record + R_OFF) : 0);
    const wide = (it.u32(VCPU_EFER) & EFER_LMA) !== 0;
    this.codeLow = (wide ? low : low + it.count(CS_BASE)) >>> 0;
    this.codeHigh = wide ? it.u32(at + 4) : 0;
  }

  icount(vcpu: number): number {
    return this.parts.vcpus[vcpu]!.icount;
  }

  time(vcpu: number): number {
    return this.parts.vcpus[vcpu]!.now();
  }

  /** A vCPU's dirty ring reached its soft limit. */
  ringFull(vcpu: number): void {
    if (!this.parts.again()) this.listener?.full(vcpu, this.time(vcpu));
  }

  portDevice(port: number): string | undefined {
    return this.parts.ports.regions().find(({ start, length }) => port >= start && port < start + length)?.device.name;
  }

  private left(sink: TraceSink, vcpu: Vcpu, exit: number): void {
    const reason = REASONS[exit];
    if (reason && !this.parts.again()) sink.leave(vcpu.index, reason, vcpu.now(), this.retriedGfn);
  }

  private reporting(sink: TraceSink): Partial<CoreWiring> {
    const { plain } = this;
    const { executor, mmio: bus, again } = this.parts;
    const running = (): number => executor.current.index;
    const quiet = (): boolean => again() || !executor.executing;
    const ports: CoreWiring['ports'] = {
      read: (port, bytes) => {
        const value = plain.ports.read(port, bytes);
        if (!quiet()) sink.port(running(), false, port, bytes, value);
        return value;
      },
      write: (port, bytes, value) => {
        if (!quiet()) sink.port(running(), true, port, bytes, value);
        plain.ports.write(port, bytes, value);
      },
    };
    const mmio: CoreWiring['mmio'] = {
      read: (gpa, bytes) => {
        const { holes } = bus;
        const value = plain.mmio.read(gpa, bytes);
        if (quiet()) return value;
        if (bus.holes !== holes) sink.hole(running(), false, gpa, bytes);
        else sink.mmio(running(), false, gpa, bytes, value);
        return value;
      },
      write: (gpa, bytes, value) => {
        const { holes } = bus;
        plain.mmio.write(gpa, bytes, value);
        if (quiet()) return;
        if (bus.holes !== holes) sink.hole(running(), true, gpa, bytes);
        else sink.mmio(running(), true, gpa, bytes, value);
      },
      answers: (gpa) => plain.mmio.answers(gpa),
    };
    return {
      ports,
      mmio,
      lookup: (vcpu, gfn, asId) => {
        const word = plain.lookup(vcpu, gfn, asId);
        if (quiet()) return word;
        if (word === PAGE_INVALID) this.retriedGfn = gfn;
        else if (word >= PAGE) sink.fill(vcpu, gfn, asId);
        return word;
      },
      markDirty: (vcpu, gfn, asId) => {
        plain.markDirty(vcpu, gfn, asId);
        if (!quiet()) sink.dirty(vcpu, gfn, asId);
      },
      acknowledge: (vcpu) => {
        const vector = plain.acknowledge(vcpu);
        if (vector >= 0 && !again()) sink.interrupt(vcpu, vector);
        return vector;
      },
      exception: (vcpu, vector, error) => {
        if (!again()) sink.exception(vcpu, vector, error);
      },
    };
  }
}
