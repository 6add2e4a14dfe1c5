/** Loads core.wasm over the machine's host memory and connects its imports to the board. */
import type { CoreExports, CoreImports } from '../abi/core';
import { LOG_ABSENT, LOG_EXCEPTION, LOG_MSR, LOG_TRIPLE, LOG_UNIMPLEMENTED } from '../abi/exits';
import { MAX_VCPUS, VCPU_BASE, VCPU_BLOCK_SIZE, VCPU_MAILBOX } from '../abi/layout';
import { VCPU_LOG_BYTES, VCPU_LOG_LENGTH, VCPU_RIP } from '../abi/vcpu';
import type { Lapic } from '../devices/lapic';
import type { Jit } from '../jit/index';
import { absentFeature, absentInstruction } from './absent';
import { MachineError } from './api';
import type { MmioBus, PortBus } from './bus';
import type { HostMemory } from './host-memory';
import type { Vcpu } from './vcpu';

/** The machine behind the core's imports. The composition root fills it before the first instruction runs. */
export interface CoreWiring {
  lookup(vcpu: number, gfn: number, asId: number): number;
  markDirty(vcpu: number, gfn: number, asId: number): void;
  ports: Pick<PortBus, 'read' | 'write'>;
  mmio: Pick<MmioBus, 'read' | 'write' | 'answers'>;
  lapics: readonly Lapic[];
  /** The vCPU that runs. */
  vcpus: readonly Vcpu[];
  acknowledge(vcpu: number): number;
  /** An x87 error that is reported outside the processor. */
  ferr(): void;
  log(text: string): void;
  /** Called for each exception that is delivered, while `traceExceptions` is on. */
  exception(vcpu: number, vector: number, error: number): void;
}

/** Index in host.words of the low half of the vCPU's mailbox; the high half follows. */
const mailbox = (vcpu: number): number => (VCPU_BASE + vcpu * VCPU_BLOCK_SIZE + VCPU_MAILBOX) >>> 2;
/** Repeated reports of one kind stop here, so that a guest that probes in a loop does not flood the log. */
const LOG_LIMIT = 200;

export async function loadCore(
  core: Uint8Array<ArrayBuffer> | WebAssembly.Module,
  host: HostMemory,
  wiring: CoreWiring,
  jit?: Jit,
): Promise<CoreExports> {
  const imports = coreImports(host, wiring, jit);
  const environment = { env: { ...imports, memory: host.memory, abort: () => {} } };
  try {
    const instance = await instantiate(core, environment as unknown as WebAssembly.Imports);
    const exports = instance.exports as unknown as CoreExports;
    exports.init();
    jit?.attach(exports);
    return exports;
  } catch (error) {
    throw new MachineError(`core.wasm cannot be loaded: ${(error as Error).message}`);
  }
}

/**
 * Compiles synchronously where that is allowed: it takes some milliseconds. Node with nothing else on its event loop resumes after an asynchronous
 * compilation only when all work of its other threads is done, which includes optimising the interpreter (engine/cpu/warm-up.ts).
 */
async function instantiate(
  core: Uint8Array<ArrayBuffer> | WebAssembly.Module,
  imports: WebAssembly.Imports,
): Promise<WebAssembly.Instance> {
  try {
    return new WebAssembly.Instance(core instanceof WebAssembly.Module ? core : new WebAssembly.Module(core), imports);
  } catch (error) {
    // A browser's main thread may compile only small modules synchronously.
    if (!(error instanceof RangeError)) throw error;
    const module = core instanceof WebAssembly.Module ? core : await WebAssembly.compile(core);
    return WebAssembly.instantiate(module, imports);
  }
}

export function checkVcpuCount(smp: number): void {
  if (!Number.isInteger(smp) || smp < 1 || smp > MAX_VCPUS) {
    throw new MachineError(`Invalid SMP CPUs ${smp}. The min CPUs supported by machine 'labpc' is 1 and the max is ${MAX_VCPUS}`);
  }
}

function coreImports(host: HostMemory, wiring: CoreWiring, jit: Jit | undefined): CoreImports {
  return {
    lookup: (vcpu, gfn, asId) => wiring.lookup(vcpu, gfn, asId),
    markDirty: (vcpu, gfn, asId) => wiring.markDirty(vcpu, gfn, asId),
    mmioRead(vcpu, gpa, size) {
      const { mmio } = wiring;
      if (size < 8) {
        const value = mmio.read(gpa, size);
        host.words[mailbox(vcpu)] = value;
        host.words[mailbox(vcpu) + 1] = 0;
        return;
      }
      const low = mmio.read(gpa, 4);
      // The second half of an access does not count as a second hole.
      const high = mmio.answers(gpa + 4) ? mmio.read(gpa + 4, 4) : 0xffffffff;
      host.words[mailbox(vcpu)] = low;
      host.words[mailbox(vcpu) + 1] = high;
    },
    mmioWrite(vcpu, gpa, size) {
      const { mmio } = wiring;
      const low = host.words[mailbox(vcpu)]!;
      const high = host.words[mailbox(vcpu) + 1]!;
      mmio.write(gpa, Math.min(size, 4), size === 1 ? low & 0xff : size === 2 ? low & 0xffff : low);
      if (size === 8 && mmio.answers(gpa + 4)) mmio.write(gpa + 4, 4, high);
    },
    ioRead: (_vcpu, port, size) => wiring.ports.read(port, size),
    ioWrite: (_vcpu, port, size, value) => wiring.ports.write(port, size, value >>> 0),
    ackInterrupt: (vcpu) => wiring.acknowledge(vcpu),
    ferr: () => wiring.ferr(),
    cr8Written: (vcpu) => wiring.lapics[vcpu]!.priorityChanged(),
    apicMsr(vcpu, index, write) {
      const lapic = wiring.lapics[vcpu]!;
      if (write) return lapic.writeMsr(index >>> 0, host.words[mailbox(vcpu)]!, host.words[mailbox(vcpu) + 1]!) ? 0 : 1;
      if (!lapic.readMsr(index >>> 0)) return 1;
      host.words[mailbox(vcpu)] = lapic.msrLow;
      host.words[mailbox(vcpu) + 1] = lapic.msrHigh;
      return 0;
    },
    log: coreLog(wiring),
    jitHot: (_vcpu, block, pageLow, pageHigh) => jit?.hot(block, pageLow, pageHigh),
    jitDropped: (hostPage) => jit?.dropped(hostPage),
    jitMisses: (window) => jit?.misses(window),
  };
}

function coreLog(wiring: CoreWiring): CoreImports['log'] {
  const counts = new Map<string, number>();
  const report = (key: string, text: string) => {
    const count = (counts.get(key) ?? 0) + 1;
    counts.set(key, count);
    if (count <= 3) wiring.log(text);
    if (counts.size > LOG_LIMIT) counts.clear();
  };
  return (vcpu, code, a, b) => {
    if (code === LOG_EXCEPTION) {
      wiring.exception(vcpu, a, b >>> 0);
    } else if (code === LOG_UNIMPLEMENTED) {
      const bytes = unimplementedBytes(wiring.vcpus[vcpu]!);
      const text = bytes.map((byte) => hex(byte).padStart(2, '0')).join(' ');
      const family = absentInstruction(bytes);
      const address = hex(b >>> 0) === '0' ? hex(a >>> 0) : `${hex(b >>> 0)}${hex(a >>> 0).padStart(8, '0')}`;
      const what = family ? `${family.name} is not there` : 'instruction not implemented';
      report(`op ${text}`, `#UD: ${what} at 0x${address}: ${text}${family ? `; ${family.instead}` : ''}`);
    } else if (code === LOG_ABSENT) {
      report(`absent ${a} ${b}`, absentFeature(a >>> 0, b >>> 0, `0x${wiring.vcpus[vcpu]!.u64(VCPU_RIP).toString(16)}`));
    } else if (code === LOG_MSR) {
      report(`msr ${a} ${b}`, `#GP: ${b ? 'wrmsr to' : 'rdmsr of'} unknown MSR 0x${hex(a >>> 0)}`);
    } else if (code === LOG_TRIPLE) {
      wiring.log(`triple fault: exception ${b} while delivering exception ${a}`);
    }
  };
}

function unimplementedBytes(vcpu: Vcpu): number[] {
  const length = Math.min(vcpu.u32(VCPU_LOG_LENGTH), 16);
  return [...vcpu.recordBytes().subarray(VCPU_LOG_BYTES, VCPU_LOG_BYTES + length)];
}

function hex(value: number): string {
  return value.toString(16);
}
