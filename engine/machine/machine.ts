/**
 * The composition root: `createMachine` builds host memory and core, the machine on them, and loads the guest. What the machine is made of
 * is in machine-parts.ts; here is what it does with it.
 */
import { EXIT_BREAK, EXIT_INTERNAL_ERROR, EXIT_SHUTDOWN } from '../abi/exits';
import * as abi from '../abi/vcpu';
import { Jit } from '../jit/index';
import type { RingEntry } from '../memory/index';
import {
  type Backend,
  type BackingPart,
  type Dimm,
  type DirtyRingOptions,
  type DirtyRingStatus,
  type GuestCondition,
  type Machine,
  MachineError,
  type MachineEvent,
  type MachineOptions,
  type MachineState,
  type Position,
  type RunState,
  type SavedMachine,
  type Seek,
  type SeekGoal,
  type UncheckedState,
  type VirtioMemInfo,
} from './api';
import { GED_EVENT_POWER_BUTTON } from './board';
import { type BootSlot, layoutBootRam } from './boot-ram';
import { BETWEEN_PHASES } from './change-set';
import { haltedForGood } from './condition';
import { checkConfig } from './config';
import { type CoreWiring, loadCore } from './core';
import { digestOf } from './digest';
import { HostMemory } from './host-memory';
import { MachineParts } from './machine-parts';
import { modesForDigest } from './modes';
import { captureState, checkSavedMachine, restoreState, type StateParts } from './state';
import { resetVcpu } from './vcpu-reset';

const DEFAULT_SEED = 0x6d656d736c6f74n;

export async function createMachine(options: MachineOptions): Promise<Machine> {
  checkConfig(options);
  const host = new HostMemory();
  const wiring = {} as CoreWiring;
  const jit =
    options.accel === 'jit'
      ? new Jit(
          host.memory,
          () => options.wallClock(),
          (text) => wiring.log(text),
        )
      : undefined;
  const core = await loadCore(options.core, host, wiring, jit);
  const machine = new LabMachine(options, host, core, wiring, jit);
  machine.powerOn();
  return machine;
}

class LabMachine extends MachineParts implements Machine {
  private resetAsked = false;

  /** Boot RAM and guest; once. */
  powerOn(): void {
    const slots: BootSlot[] = layoutBootRam(this.host, this.config.ram);
    this.backendTable.addBoard(slots);
    this.firmware.bootSlots = slots;
    const commit = this.memory.changeUserMemoryRegions(slots.map((slot) => slot.region));
    if (!commit.ok) throw new MachineError(`boot RAM was refused: ${commit.refusals[0]?.reason}`);
    for (const { id, size } of this.config.objects ?? []) this.backendTable.add(id, size);
    this.virtio.claimBackends();
    for (const vcpu of this.vcpus) {
      resetVcpu(this.core, vcpu, 0);
      vcpu.setU64(abi.VCPU_RDRAND, BigInt(this.options.seed ?? 0) + DEFAULT_SEED + BigInt(vcpu.index));
    }
    this.firmware.start(this.vcpus[0]!, this.guest);
  }

  // Running

  get state(): RunState {
    return this.run.state;
  }

  get condition(): GuestCondition | undefined {
    if (!this.guest || this.run.state === 'shutdown' || this.run.state === 'internal-error') return undefined;
    if (this.panics.seen && this.firmware.memoryBlock !== undefined) return 'panicked';
    return haltedForGood(this.vcpus) ? 'halted' : undefined;
  }

  runUntil(deadline: number): ReturnType<Machine['runUntil']> {
    return this.run.runUntil(deadline);
  }

  runInstructions(n: number): void {
    this.run.runInstructions(n);
  }

  get position(): Position {
    return this.run.position;
  }

  catchUp(): void {
    this.run.catchUp();
  }

  runTo(position: Position, deadline: number): 'there' | 'going' | 'never' {
    return this.run.runTo(position, deadline);
  }

  seek({ vcpu, ...place }: SeekGoal): Seek {
    return this.run.seek(this.vcpu(vcpu), place);
  }

  get breakCount(): number | undefined {
    return this.run.breakCount;
  }

  breakAt(count: number | undefined): void {
    this.run.breakAt(count);
  }

  stop(): void {
    this.run.stop();
  }

  cont(): void {
    this.run.cont();
  }

  reset(): void {
    this.refuseBetweenPhases();
    this.resetBoard('host');
  }

  powerdown(): void {
    this.emit({ type: 'qmp', event: 'POWERDOWN', data: {} });
    this.board.ged.raise(GED_EVENT_POWER_BUTTON);
    this.wake();
  }

  nmi(vcpu = 0): void {
    this.vcpu(vcpu).setU32(abi.VCPU_NMI_PENDING, 1);
    this.wake();
  }

  ioWrite(port: number, size: number, value: number): void {
    this.ports.write(port, size, value);
    this.wake();
  }

  subscribe(listener: (event: MachineEvent) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  onDebugcon(listener: (byte: number) => void): () => void {
    this.debugListeners.add(listener);
    return () => this.debugListeners.delete(listener);
  }

  // Backends and DIMMs

  backends(): Backend[] {
    return this.backendTable.list();
  }

  addBackend(id: string, size: number): Backend {
    return this.backendTable.add(id, size);
  }

  deleteBackend(id: string): void {
    this.refuseBetweenPhases();
    this.backendTable.delete(id);
  }

  dimms(): Dimm[] {
    return this.dimmTable.list();
  }

  plugDimm(options: Parameters<Machine['plugDimm']>[0]): Dimm {
    this.refuseBetweenPhases();
    const dimm = this.dimmTable.plug(options);
    this.wake();
    return dimm;
  }

  unplugDimm(id: string): void {
    this.refuseBetweenPhases();
    this.dimmTable.unplug(id);
    this.wake();
  }

  moveDimm(id: string, addr: number): void {
    this.refuseBetweenPhases();
    this.dimmTable.move(id, addr);
    this.wake();
  }

  virtioMems(): VirtioMemInfo[] {
    return this.virtio.mems();
  }

  setRequestedSize(id: string, size: number): void {
    this.virtio.setRequestedSize(id, size);
    this.wake();
  }

  balloon(): { id: string; actual: number } | undefined {
    return this.virtio.balloon();
  }

  setBalloon(target: number): void {
    this.virtio.setBalloon(target);
    this.wake();
  }

  deviceMemory(): { start: number; end: number }[] {
    return this.dimmTable.window();
  }

  setZap(mode: string): void {
    if (mode !== 'slot' && mode !== 'all') throw new MachineError(`zap mode '${mode}' does not exist: use slot or all`);
    this.refuseBetweenPhases();
    this.memory.zap = mode;
    this.emit({ type: 'stage' });
  }

  allocateHost(size: number, label: string): number {
    return this.host.allocate(size, label);
  }

  releaseHost(hva: number): boolean {
    return this.layout.release(hva);
  }

  backingOf(hva: number): { id: string; offset: number } | undefined {
    return this.backendTable.backingOf(hva);
  }

  backingsOf(hva: number, size: number): BackingPart[] {
    return this.backendTable.backingsOf(hva, size);
  }

  // Dirty rings

  enableDirtyRings(options: DirtyRingOptions): void {
    this.vcpuMemory.enable(options);
  }

  harvestDirtyRings(limit?: number): RingEntry[] {
    return this.vcpuMemory.harvest(limit);
  }

  resetDirtyRings(): number {
    const held = this.vcpuMemory.anyHeld;
    const count = this.vcpuMemory.reset();
    if (held) this.run.resumed();
    this.wake();
    return count;
  }

  dirtyRings(): DirtyRingStatus[] {
    return this.vcpuMemory.status();
  }

  // Its state as a whole

  async digest(): Promise<string> {
    this.run.hold();
    try {
      const layout = this.memory.layout(0);
      const modes = modesForDigest(this.memory);
      const state = { devices: this.board.save(), round: this.executor.saveRound(), layout, dimms: this.dimms(), ...modes };
      return await digestOf(
        this.host,
        this.vcpus.map((vcpu) => vcpu.recordBytes()),
        state,
      );
    } finally {
      this.run.release();
      // For who runs the machine; the guest must not notice that it was looked at.
      this.emit({ type: 'wake' });
    }
  }

  capture(): MachineState {
    this.refuseBetweenPhases();
    this.console.flush();
    return captureState(this.stateParts, this.run.state, this.guest?.name ?? '');
  }

  checkSaved(machine: unknown): SavedMachine {
    return checkSavedMachine(this.stateParts, machine);
  }

  restore(state: UncheckedState): void {
    this.refuseBetweenPhases();
    if (this.changeSet.open) throw new MachineError('a change set is open: commit or abort it first');
    if (this.run.held) throw new MachineError('the machine is being read: try again');
    this.console.flush();
    const run = restoreState(this.stateParts, state);
    this.resetAsked = false;
    this.panics.restart();
    this.run.restored(run, () => this.emit({ type: 'restored' }));
    // Not `wake()`: who sleeps in the captured round sleeps on.
    this.emit({ type: 'wake' });
  }

  // Inside

  private get stateParts(): StateParts {
    const { config, host, memory, board, clock, executor, vcpus, core, firmware, virtio, backendTable: backends, dimmTable: dimms } = this;
    const { vcpuMemory } = this;
    const boardOptions = this.boardOptions();
    return { config, host, memory, board, clock, executor, vcpus, core, firmware, backends, dimms, virtio, boardOptions, vcpuMemory };
  }

  private refuseBetweenPhases(): void {
    if (this.changeSet.stepping) throw new MachineError(BETWEEN_PHASES);
  }

  protected settle(): void {
    const { stepping } = this.changeSet;
    if (stepping && !stepping.canAbort) this.changeSet.finish();
  }

  private resetBoard(by: 'host' | 'guest'): void {
    this.settle();
    const now = this.clock.now();
    this.clock.cancelAll();
    this.executor.reset();
    this.board.reset();
    this.dimmTable.noticeReset();
    this.panics.restart();
    this.layout.collect();
    for (const vcpu of this.vcpus) resetVcpu(this.core, vcpu, now);
    const reason = by === 'guest' ? 'guest-reset' : 'host-qmp-system-reset';
    this.emit({ type: 'reset', by });
    this.emit({ type: 'qmp', event: 'RESET', data: { guest: by === 'guest', reason } });
    try {
      this.firmware.start(this.vcpus[0]!, this.guest);
    } catch (error) {
      // The layout has no room for the guest any more.
      this.run.setState('internal-error');
      this.emit({ type: 'log', text: (error as Error).message });
      if (by === 'host') throw error;
      return;
    }
    if (this.run.state === 'shutdown' || this.run.state === 'internal-error') this.run.setState('running');
    this.wake();
  }

  protected exited(reason: number): void {
    if (reason === EXIT_SHUTDOWN) this.run.setState('shutdown');
    else if (reason === EXIT_INTERNAL_ERROR) this.run.setState('internal-error');
    else if (reason === EXIT_BREAK) this.run.setState('paused');
    else if (this.resetAsked) {
      this.resetAsked = false;
      this.resetBoard('guest');
    }
  }

  protected resetRequested(): void {
    this.resetAsked = true;
    this.executor.current.requestExit();
  }

  protected poweredOff(): void {
    this.emit({ type: 'qmp', event: 'SHUTDOWN', data: { guest: true, reason: 'guest-shutdown' } });
    this.run.setState('shutdown');
    this.quit(0);
  }

  protected quit(status: number): void {
    this.executor.current.requestExit();
    if (this.run.state === 'running') this.run.setState('paused');
    this.console.flush();
    this.emit({ type: 'quit', status });
  }
}
