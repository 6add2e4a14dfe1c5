/**
 * The composition root: `createMachine` builds host memory, the core and the machine on them, and loads the guest. parts.ts has the parts; this file
 * what the machine does as a whole: power-on, reset, and ends of a run.
 */
import { EXIT_BREAK, EXIT_INTERNAL_ERROR, EXIT_SHUTDOWN } from '../abi/exits';
import * as abi from '../abi/vcpu';
import type { Jit } from '../jit/index';
import type { MemslotEngine } from '../memory/index';
import {
  type GuestImage,
  type HostRanges,
  type Machine,
  type MachineBackends,
  type MachineCheckpoints,
  type MachineConfig,
  type MachineDebug,
  type MachineDimms,
  MachineError,
  type MachineEvent,
  type MachineInspect,
  type MachineOptions,
  type MachinePhysical,
  type MachinePorts,
  type MachineRings,
  type MachineRun,
  type MachineSnapshot,
  type MachineTrace,
  type MachineVirtio,
  type SerialConsole,
  type StagedChangeSet,
} from './api';
import { GED_EVENT_POWER_BUTTON } from './board';
import { type BootSlot, layoutBootRam } from './boot-ram';
import { checkConfig } from './config';
import { type CoreWiring, loadCore } from './core';
import { putCpuModel } from './cpu-model';
import { digestOf } from './digest';
import { HostMemory } from './host-memory';
import { modesForDigest } from './modes';
import { MachineParts } from './parts';
import { hvaInDigest } from './saved-hvas';
import { captureState, checkSavedMachine, restoreState } from './state';
import { powerOnVcpu, resetVcpu } from './vcpu-reset';

const DEFAULT_SEED = 0x6d656d736c6f74n;

export async function createMachine(options: MachineOptions): Promise<Machine> {
  checkConfig(options);
  const host = new HostMemory();
  const wiring = {} as CoreWiring;
  const jit = options.accel === 'jit' ? await makeJit(options, host, wiring) : undefined;
  const core = await loadCore(options.core, host, wiring, jit);
  const machine: LabMachine = new LabMachine(
    new MachineParts(options, host, core, wiring, jit, {
      exited: (reason) => machine.exited(reason),
      resetRequested: () => machine.resetRequested(),
      poweredOff: () => machine.poweredOff(),
      quit: (status) => machine.quit(status),
    }),
  );
  machine.powerOn(options);
  return machine;
}

/** Its code is a seventh of the engine's, and an interpreted machine never loads it. */
async function makeJit(options: MachineOptions, host: HostMemory, wiring: CoreWiring): Promise<Jit> {
  const { Jit } = await import('../jit/index');
  return new Jit(
    host.memory,
    () => options.wallClock(),
    (text) => wiring.log(text),
    options.smp,
  );
}

class LabMachine implements Machine {
  readonly config: MachineConfig;
  readonly guest: GuestImage | undefined;
  readonly memory: MemslotEngine;
  readonly changeSet: StagedChangeSet;
  readonly run: MachineRun;
  readonly host: HostRanges;
  readonly backends: MachineBackends;
  readonly dimms: MachineDimms;
  readonly virtio: MachineVirtio;
  readonly rings: MachineRings;
  readonly serial: SerialConsole;
  readonly debugcon: Machine['debugcon'];
  readonly inspect: MachineInspect;
  readonly debug: MachineDebug;
  readonly trace: MachineTrace;
  readonly checkpoints: MachineCheckpoints;
  readonly physical: MachinePhysical;
  readonly ports: MachinePorts;
  readonly snapshot: MachineSnapshot;
  private resetAsked = false;

  constructor(private readonly parts: MachineParts) {
    const { host, backends, ports, debugListeners } = parts;
    this.config = parts.config;
    this.guest = parts.guest;
    this.memory = parts.memory;
    this.changeSet = parts.changeSet;
    this.run = parts.run;
    this.backends = backends;
    this.dimms = parts.dimms;
    this.virtio = parts.virtio;
    this.rings = parts.rings;
    this.serial = parts.serial;
    this.inspect = parts.inspect;
    this.debug = parts.debug;
    this.trace = parts.trace;
    this.checkpoints = parts.checkpoints;
    this.physical = parts.physical;
    this.host = {
      allocate: (size, label) => host.allocate(size, label),
      backingOf: (hva) => backends.backingOf(hva),
      backingsOf: (hva, size) => backends.backingsOf(hva, size),
      collect: () => parts.layout.collect(),
    };
    this.debugcon = {
      onOutput: (listener) => {
        debugListeners.add(listener);
        return () => debugListeners.delete(listener);
      },
    };
    this.ports = {
      read: (port, size) => ports.read(port, size),
      write: (port, size, value) => {
        ports.write(port, size, value);
        parts.wake();
      },
    };
    this.snapshot = {
      capture: () => this.capture(),
      check: (machine) => checkSavedMachine(parts, machine),
      restore: (state) => this.restore(state),
    };
  }

  /** Boot RAM and guest; once. */
  powerOn({ seed = 0 }: MachineOptions): void {
    const { host, memory, backends, firmware, virtio, vcpus, core, config } = this.parts;
    const slots: BootSlot[] = layoutBootRam(host, config.ram);
    backends.addBoard(slots);
    firmware.bootSlots = slots;
    const commit = memory.changeUserMemoryRegions(slots.map((slot) => slot.region));
    if (!commit.ok) throw new MachineError(`boot RAM was refused: ${commit.refusals[0]?.reason}`);
    for (const { id, size } of config.objects ?? []) backends.add(id, size);
    virtio.claimBackends();
    for (const vcpu of vcpus) {
      putCpuModel(vcpu, this.parts.cpuModel);
      powerOnVcpu(core, vcpu);
      vcpu.setU64(abi.VCPU_RDRAND, BigInt(seed) + DEFAULT_SEED + BigInt(vcpu.index));
    }
    firmware.start(vcpus[0]!, this.guest);
  }

  subscribe(listener: (event: MachineEvent) => void): () => void {
    const { listeners } = this.parts;
    listeners.add(listener);
    return () => listeners.delete(listener);
  }

  // The front panel

  reset(): void {
    this.parts.refuseBetweenPhases();
    this.resetBoard('host');
  }

  powerdown(): void {
    const { parts } = this;
    parts.emit({ type: 'qmp', event: 'POWERDOWN', data: {} });
    parts.board.ged.raise(GED_EVENT_POWER_BUTTON);
    parts.wake();
  }

  nmi(index = 0): void {
    const vcpu = this.parts.vcpus[index];
    if (!vcpu) throw new MachineError('invalid CPU index');
    vcpu.setU32(abi.VCPU_NMI_PENDING, 1);
    this.parts.wake();
  }

  // The state as a whole

  async digest(): Promise<string> {
    const { parts } = this;
    const { run, memory, board, executor, dimms, host, vcpus } = parts;
    run.hold();
    try {
      const layout = memory.layout(0).map((region) => ({ ...region, userspaceAddr: hvaInDigest(region.userspaceAddr) }));
      const state = { devices: board.save(), round: executor.saveRound(), layout, dimms: dimms.list(), ...modesForDigest(memory) };
      return await digestOf(
        host,
        vcpus.map((vcpu) => vcpu.recordBytes()),
        state,
      );
    } finally {
      run.release();
      // For the machine's runner. It does not call `wake()`: a digest must not change what the guest does.
      parts.emit({ type: 'wake' });
    }
  }

  private capture(): ReturnType<MachineSnapshot['capture']> {
    const { parts } = this;
    parts.refuseBetweenPhases();
    parts.console.flush();
    return captureState(parts, parts.run.state, parts.guest?.name ?? '');
  }

  private restore(state: Parameters<MachineSnapshot['restore']>[0]): void {
    const { parts } = this;
    parts.refuseBetweenPhases();
    if (parts.changeSet.open) throw new MachineError('a change set is open: commit or abort it first');
    if (parts.run.held) throw new MachineError('the machine is being read: try again');
    parts.console.flush();
    const run = restoreState(parts, state);
    this.resetAsked = false;
    parts.run.restored(run, () => parts.emit({ type: 'restored' }));
    // It does not call `wake()`: vCPUs that were asleep when captured stay asleep.
    parts.emit({ type: 'wake' });
  }

  private resetBoard(by: 'host' | 'guest'): void {
    const { parts } = this;
    const { clock, executor, board, dimms, panics, layout, vcpus, core, firmware, run } = parts;
    parts.settle();
    const now = clock.now();
    clock.cancelAll();
    executor.reset();
    board.reset();
    dimms.noticeReset();
    panics.restart();
    layout.collect();
    for (const vcpu of vcpus) resetVcpu(core, vcpu, now);
    const reason = by === 'guest' ? 'guest-reset' : 'host-qmp-system-reset';
    parts.emit({ type: 'reset', by });
    parts.emit({ type: 'qmp', event: 'RESET', data: { guest: by === 'guest', reason } });
    try {
      firmware.start(vcpus[0]!, this.guest);
    } catch (error) {
      // The layout no longer has room for the guest.
      run.setState('internal-error');
      parts.emit({ type: 'log', text: (error as Error).message });
      if (by === 'host') throw error;
      return;
    }
    if (run.state === 'shutdown' || run.state === 'internal-error') run.setState('running');
    parts.wake();
  }

  // Ends of a run

  exited(reason: number): void {
    const { run } = this.parts;
    if (reason === EXIT_SHUTDOWN) run.setState('shutdown');
    else if (reason === EXIT_INTERNAL_ERROR) run.setState('internal-error');
    else if (reason === EXIT_BREAK) run.setState('paused');
    else if (this.resetAsked) {
      this.resetAsked = false;
      this.resetBoard('guest');
    }
  }

  resetRequested(): void {
    this.resetAsked = true;
    this.parts.executor.current.requestExit();
  }

  poweredOff(): void {
    const { parts } = this;
    parts.emit({ type: 'qmp', event: 'SHUTDOWN', data: { guest: true, reason: 'guest-shutdown' } });
    parts.run.setState('shutdown');
    this.quit(0);
  }

  quit(status: number): void {
    const { parts } = this;
    const { run, executor, console } = parts;
    executor.current.requestExit();
    if (run.state === 'running') run.setState('paused');
    console.flush();
    parts.emit({ type: 'quit', status });
  }
}
