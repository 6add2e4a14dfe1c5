/**
 * Listens in on what the core asks of the machine (api/trace.ts). While somebody listens, the members of the core's wiring are ones that report;
 * else they are the machine's own, so tracing that is off costs nothing.
 */
import type { CoreExports } from '../abi/core';
import { EXIT_DEBUG, EXIT_HLT, EXIT_INTERNAL_ERROR, EXIT_RETRY, EXIT_SHUTDOWN, PAGE_INVALID } from '../abi/exits';
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

export interface TracedParts {
  core: CoreExports;
  vcpus: readonly Vcpu[];
  executor: Executor;
  ports: PortBus;
  mmio: MmioBus;
  /** What happens now happened before: a machine that goes back over its past. */
  again(): boolean;
}

export class Tracing implements MachineTrace {
  private listener: TraceSink | undefined;
  private readonly plain: CoreWiring;
  /** Of the last lookup that met an INVALID slot */
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
    const { core, executor } = this.parts;
    core.traceExceptions(sink ? 1 : 0);
    executor.tracer = sink && {
      entered: (vcpu, at) => {
        if (!this.parts.again()) sink.enter(vcpu.index, at);
      },
      left: (vcpu, reason) => this.left(sink, vcpu, reason),
    };
    Object.assign(this.wiring, sink ? this.reporting(sink) : this.plain);
  }

  icount(vcpu: number): number {
    return this.parts.vcpus[vcpu]!.icount;
  }

  time(vcpu: number): number {
    return this.parts.vcpus[vcpu]!.now();
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
        else if (word >= PAGE) sink.fill(vcpu, gfn);
        return word;
      },
      markDirty: (vcpu, gfn, asId) => {
        plain.markDirty(vcpu, gfn, asId);
        if (!quiet()) sink.dirty(vcpu, gfn);
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
