/** The composition root: `createMachine` builds host memory, core, memslot engine, vCPUs, devices and buses, and loads the guest. */
import type { CoreExports } from '../abi/core';
import { EXIT_BREAK, EXIT_INTERNAL_ERROR, EXIT_SHUTDOWN, PAGE_INVALID } from '../abi/exits';
import * as abi from '../abi/vcpu';
import type { MemslotEngine, RingEntry } from '../memory/index';
import {
  type Backend,
  type Dimm,
  type DirtyRingOptions,
  type DirtyRingStatus,
  type GuestImage,
  type Machine,
  type MachineConfig,
  MachineError,
  type MachineEvent,
  type MachineOptions,
  type MachineState,
  type Position,
  type RunState,
  type UncheckedState,
  type VirtioMemInfo,
} from './api';
import { Backends } from './backends';
import { GED_EVENT_MEMORY, GED_EVENT_POWER_BUTTON } from './board';
import { type BootSlot, layoutBootRam } from './boot-ram';
import { MmioBus, PortBus } from './bus';
import { BETWEEN_PHASES, StagedChangeSet } from './change-set';
import { Clock } from './clock';
import { checkConfig } from './config';
import { type CoreWiring, loadCore } from './core';
import { Board, type BoardOptions } from './devices';
import { digestOf } from './digest';
import { Dimms } from './dimms';
import { DeviceMemory } from './dma';
import { makeEngine } from './engine';
import { Executor } from './executor';
import { Firmware } from './firmware';
import { HostMemory } from './host-memory';
import { LayoutChanges } from './layout-changes';
import { MachineViews } from './machine-views';
import { PhysicalMemory } from './physical';
import { VcpuMemory } from './rings';
import { RunControl } from './run-control';
import { captureState, restoreState, type StateParts } from './state';
import { ByteStream } from './streams';

import { Vcpu } from './vcpu';
import { resetVcpu, startVcpu, sumStats } from './vcpu-reset';
import { VirtioDevices } from './virtio';
import { placeVirtio } from './virtio-config';

/** RTC at power-on unless told otherwise: 2024-01-01T00:00:00Z, so that runs are equal. */
const DEFAULT_RTC_START = 1_704_067_200_000;
const DEFAULT_SEED = 0x6d656d736c6f74n;

export async function createMachine(options: MachineOptions): Promise<Machine> {
  checkConfig(options);
  const host = new HostMemory();
  const wiring = {} as CoreWiring;
  const core = await loadCore(options.core, host, wiring);
  const machine = new LabMachine(options, host, core, wiring);
  machine.powerOn();
  return machine;
}

class LabMachine extends MachineViews implements Machine {
  readonly config: MachineConfig;
  readonly memory: MemslotEngine;
  readonly changeSet: StagedChangeSet;
  readonly guest: GuestImage | undefined;
  readonly serial: Machine['serial'];

  protected readonly vcpus: Vcpu[];
  private readonly vcpuMemory: VcpuMemory;
  protected readonly clock: Clock;
  private readonly executor: Executor;
  protected readonly ports = new PortBus();
  protected readonly mmio: MmioBus;
  protected readonly board: Board;
  protected readonly physical: PhysicalMemory;
  private readonly backendTable: Backends;
  private readonly dimmTable: Dimms;
  private readonly virtio: VirtioDevices;
  private readonly firmware: Firmware;
  private readonly layout: LayoutChanges;
  private readonly run: RunControl;
  private readonly console = new ByteStream();
  private readonly roomListeners = new Set<() => void>();
  private readonly debugListeners = new Set<(byte: number) => void>();
  private readonly listeners = new Set<(event: MachineEvent) => void>();
  private resetAsked = false;

  constructor(
    private readonly options: MachineOptions,
    protected readonly host: HostMemory,
    protected readonly core: CoreExports,
    wiring: CoreWiring,
  ) {
    super();
    const { ram, slots, maxmem, smp, accel, index, objects, virtio } = options;
    this.config = { ram, slots, maxmem, smp, accel, ...(index && { index }), ...(objects && { objects }), ...(virtio && { virtio }) };
    this.guest = options.guest;
    this.memory = makeEngine(
      host,
      index,
      () => options.wallClock() * 1000,
      (text) => this.emit({ type: 'log', text }),
    );
    this.physical = new PhysicalMemory(this.memory, host, (hva, length) => core.invalidateCode(hva, length));
    host.onRecycle = (hva, size) => core.invalidateCode(hva, size);
    this.vcpus = Array.from({ length: smp }, (_unused, i) => new Vcpu(i, host, core));
    this.executor = new Executor(core, this.vcpus);
    this.vcpuMemory = new VcpuMemory(this.memory, this.vcpus, (vcpu) => this.emit({ type: 'dirty-ring-full', vcpu }));
    this.executor.isHeld = (vcpu) => this.vcpuMemory.isHeld(vcpu);
    if (options.dirtyRing) this.vcpuMemory.enable(options.dirtyRing);
    this.clock = new Clock(this.executor);
    this.executor.clock = this.clock;
    this.executor.onExit = (reason) => this.exited(reason);
    this.mmio = new MmioBus((gpa) => this.memory.gpaToHva(gpa) >= 0);
    this.run = new RunControl(this.executor, this.clock, {
      wallClock: () => options.wallClock(),
      instructions: () => this.instructions,
      anyHeld: () => this.vcpuMemory.anyHeld,
      flush: () => this.console.flush(),
      emit: (event) => this.emit(event),
    });
    this.backendTable = new Backends(host, this.memory, () => this.emit({ type: 'backends' }));
    this.dimmTable = new Dimms(this.config, this.memory, this.backendTable, () => this.board.memhp, {
      changed: () => this.emit({ type: 'dimms' }),
      qmp: (event, data) => this.emit({ type: 'qmp', event, data }),
      rescan: () => this.board.ged.raise(GED_EVENT_MEMORY),
      guestBlock: () => this.firmware.memoryBlock,
      settle: () => this.settle(),
      through: (device, commit) => this.layout.through(device, commit),
    });
    this.virtio = this.makeVirtio();
    this.board = this.makeBoard();
    this.connect(wiring);
    const isPlugged = (hva: number) => this.dimmTable.ownerOf(hva) !== undefined || this.virtio.owns(hva);
    const acpi = { smp, slots, virtio: this.virtio.placed.length };
    this.firmware = new Firmware(host, this.memory, this.physical, core, isPlugged, acpi);
    this.changeSet = new StagedChangeSet({
      engine: this.memory,
      host,
      backends: this.backendTable,
      isVirtioMem: (hva) => this.virtio.owns(hva),
      changed: () => this.emit({ type: 'stage' }),
      runBetween: (instructions) => this.run.runBetween(instructions),
      carry: (moves) => this.layout.carry(moves),
      retries: () => sumStats(this.vcpus).retries!,
      collect: () => this.layout.collect(),
    });
    this.layout = new LayoutChanges({
      ...{ memory: this.memory, host, core, backends: this.backendTable, dimms: this.dimmTable },
      changeSet: () => this.changeSet,
      emit: (event) => this.emit(event),
      wake: () => this.wake(),
    });
    this.serial = {
      input: (bytes) => {
        const taken = this.board.serial.input(bytes);
        this.wake();
        return taken;
      },
      onRoom: (listener) => {
        this.roomListeners.add(listener);
        return () => this.roomListeners.delete(listener);
      },
      onOutput: (listener) => this.console.listen(listener),
    };
    this.memory.subscribe((event) => this.layout.committed(event));
  }

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
      const state = { devices: this.board.save(), round: this.executor.saveRound(), layout, dimms: this.dimms() };
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

  restore(state: UncheckedState): void {
    this.refuseBetweenPhases();
    if (this.changeSet.open) throw new MachineError('a change set is open: commit or abort it first');
    if (this.run.held) throw new MachineError('the machine is being read: try again');
    this.console.flush();
    const run = restoreState(this.stateParts, state);
    this.resetAsked = false;
    this.run.restored(run, () => this.emit({ type: 'restored' }));
    // Not `wake()`: who sleeps in the captured round sleeps on.
    this.emit({ type: 'wake' });
  }

  // Inside

  protected get zappedPages(): number {
    return this.layout.zappedPages;
  }

  private get stateParts(): StateParts {
    const { config, host, memory, board, clock, executor, vcpus, core, firmware, virtio, backendTable: backends, dimmTable: dimms } = this;
    const boardOptions = this.boardOptions();
    return { config, host, memory, board, clock, executor, vcpus, core, firmware, backends, dimms, virtio, boardOptions };
  }

  private boardOptions(): BoardOptions {
    const { ram, slots } = this.config;
    const { debugExitPort, debugExitSize = 2, rtcStart = DEFAULT_RTC_START } = this.options;
    const virtio = this.virtio.placed;
    return { ram, slots, rtcStart, virtio, ...(debugExitPort === undefined ? {} : { debugExitPort, debugExitSize }) };
  }

  private refuseBetweenPhases(): void {
    if (this.changeSet.stepping) throw new MachineError(BETWEEN_PHASES);
  }

  /** The guest itself is about to change the layout, or resets, or a device needs memory that is INVALID: they cannot be told to wait. */
  private settle(): void {
    const { stepping } = this.changeSet;
    if (stepping && !stepping.canAbort) this.changeSet.finish();
  }

  private makeVirtio(): VirtioDevices {
    const { host, dimmTable: dimms } = this;
    const placed = placeVirtio(this.config, (id, size, addr) => dimms.reserve(id, size, addr));
    return new VirtioDevices(placed, {
      engine: this.memory,
      host,
      backends: this.backendTable,
      board: () => this.board,
      ram: () => dimms.list().reduce((sum, dimm) => sum + dimm.size, this.config.ram),
      invalidateCode: (hva, size) => this.core.invalidateCode(hva, size),
      endSlice: () => this.executor.current.requestExit(),
      changed: () => this.emit({ type: 'dimms' }),
      qmp: (event, data) => this.emit({ type: 'qmp', event, data }),
      through: (device, commit) => this.layout.through(device, commit),
    });
  }

  private makeBoard(): Board {
    const { virtio } = this;
    const memory = new DeviceMemory(this.memory, this.physical, () => this.settle());
    return new Board(this.boardOptions(), {
      clock: this.clock,
      ports: this.ports,
      mmio: this.mmio,
      vcpus: this.vcpus,
      dimms: this.dimmTable,
      current: () => this.executor.current,
      resetVcpu: (index) => resetVcpu(this.core, this.vcpus[index]!, this.clock.now()),
      startVcpu: (index, vector) => startVcpu(this.core, this.vcpus[index]!, vector),
      serialOutput: (byte) => this.console.push(byte),
      serialRoom: () => {
        for (const listener of this.roomListeners) listener();
      },
      debugOutput: (byte) => {
        for (const listener of this.debugListeners) listener(byte);
      },
      powerOff: () => this.poweredOff(),
      resetRequested: () => {
        this.resetAsked = true;
        this.executor.current.requestExit();
      },
      debugExit: (status) => this.quit(status),
      virtio: {
        memory,
        plug: (id, range) => virtio.plug(id, range),
        unplug: (id, ranges) => virtio.unplug(id, ranges),
        sizeChanged: (id, size) => virtio.sizeChanged(id, size),
        discard: (gpa) => {
          memory.discard(gpa);
          this.executor.current.requestExit();
        },
        balloonChanged: (size) => virtio.balloonChanged(size),
        log: (text) => this.emit({ type: 'log', text }),
      },
    });
  }

  private connect(wiring: CoreWiring): void {
    const { executor, vcpuMemory } = this;
    Object.assign(wiring, {
      lookup: (gfn: number, asId: number) => {
        const word = vcpuMemory.lookup(executor.current, gfn, asId);
        if (word === PAGE_INVALID && executor.executing) this.changeSet.retried(gfn);
        return word;
      },
      markDirty: (gfn: number, asId: number) => vcpuMemory.markDirty(executor.current, gfn, asId),
      ports: this.ports,
      mmio: this.mmio,
      lapics: this.board.lapics,
      vcpus: this.vcpus,
      acknowledge: (vcpu: number) => this.board.acknowledge(vcpu),
      log: (text: string) => this.emit({ type: 'log', text }),
    } satisfies CoreWiring);
  }

  private resetBoard(by: 'host' | 'guest'): void {
    this.settle();
    const now = this.clock.now();
    this.clock.cancelAll();
    this.executor.reset();
    this.board.reset();
    this.dimmTable.noticeReset();
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

  private exited(reason: number): void {
    if (reason === EXIT_SHUTDOWN) this.run.setState('shutdown');
    else if (reason === EXIT_INTERNAL_ERROR) this.run.setState('internal-error');
    else if (reason === EXIT_BREAK) this.run.setState('paused');
    else if (this.resetAsked) {
      this.resetAsked = false;
      this.resetBoard('guest');
    }
  }

  private poweredOff(): void {
    this.emit({ type: 'qmp', event: 'SHUTDOWN', data: { guest: true, reason: 'guest-shutdown' } });
    this.run.setState('shutdown');
    this.quit(0);
  }

  private quit(status: number): void {
    this.executor.current.requestExit();
    if (this.run.state === 'running') this.run.setState('paused');
    this.console.flush();
    this.emit({ type: 'quit', status });
  }

  private wake(): void {
    this.executor.wake();
    this.emit({ type: 'wake' });
  }

  private emit(event: MachineEvent): void {
    for (const listener of this.listeners) listener(event);
  }
}
