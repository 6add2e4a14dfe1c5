/** The parts of a machine and their wiring: memslot engine, vCPUs, clock, buses, devices, DIMMs, change set. */
import type { CoreExports } from '../abi/core';
import { PAGE_INVALID } from '../abi/exits';
import { VCPU_BASE, VCPU_BLOCK_SIZE, VCPU_PROBING } from '../abi/layout';
import type { Jit } from '../jit/index';
import type { MemslotEngine } from '../memory/index';
import {
  type GuestCondition,
  type GuestImage,
  type MachineConfig,
  MachineError,
  type MachineEvent,
  type MachineOptions,
  type SerialConsole,
} from './api';
import { Backends } from './backends';
import { GED_EVENT_MEMORY } from './board';
import { MmioBus, PortBus } from './bus';
import { Checkpoints } from './checkpoints';
import { Clock } from './clock';
import { haltedForGood, PanicWatch, standsOn } from './condition';
import type { Counted } from './consent';
import type { CoreWiring } from './core';
import { type CpuModel, DEFAULT_CPU, parseCpu } from './cpu-model';
import { Debugging } from './debug';
import { Board, type BoardOptions } from './devices';
import { Dimms } from './dimms';
import { DeviceMemory } from './dma';
import { makeEngine } from './engine';
import { Executor } from './executor';
import { Firmware } from './firmware';
import type { HostMemory } from './host-memory';
import { Inspection } from './inspect';
import { LayoutChanges } from './layout-changes';
import { PhysicalMemory } from './physical';
import { VcpuMemory } from './rings';
import { RunControl } from './run-control';
import { BETWEEN_PHASES, StagedEdits } from './staged-edits';
import { ByteStream } from './streams';
import { Tracing } from './tracing';
import { Vcpu } from './vcpu';
import { resetVcpu, startVcpu, sumStats } from './vcpu-reset';
import { VirtioDevices } from './virtio';
import { placeVirtio } from './virtio-config';

/** RTC at power-on by default: 2024-01-01T00:00:00Z, so that runs are reproducible. */
const DEFAULT_RTC_START = 1_704_067_200_000;
const PAGE = 4096;

/** What only the machine as a whole can do. */
export interface MachineActions {
  /** The core returned for a reason other than the end of its slice. */
  exited(reason: number): void;
  /** The guest requests a reset, in the middle of an instruction. */
  resetRequested(): void;
  poweredOff(): void;
  quit(status: number): void;
}

/** Events that are not emitted again while the machine replays its past. */
const AGAIN: ReadonlySet<MachineEvent['type']> = new Set(['qmp', 'log', 'quit', 'break']);

export class MachineParts {
  readonly config: MachineConfig;
  readonly guest: GuestImage | undefined;
  readonly memory: MemslotEngine;
  readonly changeSet: StagedEdits;
  readonly serial: SerialConsole;
  readonly cpuModel: CpuModel;
  readonly vcpus: Vcpu[];
  readonly rings: VcpuMemory;
  readonly clock: Clock;
  readonly executor: Executor;
  readonly ports = new PortBus();
  readonly mmio: MmioBus;
  readonly board: Board;
  readonly physical: PhysicalMemory;
  readonly backends: Backends;
  readonly dimms: Dimms;
  readonly virtio: VirtioDevices;
  readonly firmware: Firmware;
  readonly layout: LayoutChanges;
  readonly run: RunControl;
  readonly inspect: Inspection;
  readonly debug: Debugging;
  readonly trace: Tracing;
  readonly checkpoints: Checkpoints;
  readonly console = new ByteStream();
  readonly panics = new PanicWatch();
  readonly debugListeners = new Set<(byte: number) => void>();
  readonly listeners = new Set<(event: MachineEvent) => void>();
  private readonly roomListeners = new Set<() => void>();

  constructor(
    private readonly options: MachineOptions,
    readonly host: HostMemory,
    readonly core: CoreExports,
    wiring: CoreWiring,
    readonly jit: Jit | undefined,
    private readonly actions: MachineActions,
  ) {
    const { ram, slots, maxmem, smp, accel, index, objects, virtio } = options;
    this.cpuModel = parseCpu(options.cpu);
    const cpu = this.cpuModel.name === DEFAULT_CPU ? undefined : this.cpuModel.name;
    this.config = {
      ram,
      slots,
      maxmem,
      smp,
      accel,
      ...(cpu && { cpu }),
      ...(index && { index }),
      ...(objects && { objects }),
      ...(virtio && { virtio }),
    };
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
    this.rings = new VcpuMemory(this.memory, this.vcpus, {
      full: (vcpu) => {
        this.trace.ringFull(vcpu);
        this.emit({ type: 'dirty-ring-full', vcpu });
      },
      madeRoom: (held) => {
        if (held) this.run.resumed();
        this.wake();
      },
    });
    this.executor.isHeld = (vcpu) => this.rings.isHeld(vcpu);
    if (options.dirtyRing) this.rings.enable(options.dirtyRing);
    this.clock = new Clock(this.executor);
    this.executor.clock = this.clock;
    this.executor.onExit = (reason) => actions.exited(reason);
    this.mmio = new MmioBus((gpa) => this.memory.gpaToHva(gpa) >= 0);
    this.run = new RunControl(this.executor, this.clock, {
      wallClock: () => options.wallClock(),
      vcpus: this.vcpus,
      condition: () => this.condition,
      watchStop: () => this.debug.lastStop!,
      checkpoint: (instructions) => {
        this.checkpoints.passed(instructions);
      },
      anyHeld: () => this.rings.anyHeld,
      flush: () => this.console.flush(),
      emit: (event) => this.emit(event),
      betweenCalls: options.betweenCalls,
    });
    this.backends = new Backends(host, this.memory, {
      changed: () => this.emit({ type: 'backends' }),
      editable: () => this.refuseBetweenPhases(),
    });
    this.dimms = new Dimms(this.config, this.memory, this.backends, () => this.board.memhp, {
      changed: () => this.emit({ type: 'dimms' }),
      editable: () => this.refuseBetweenPhases(),
      wake: () => this.wake(),
      qmp: (event, data) => this.emit({ type: 'qmp', event, data }),
      rescan: () => this.board.ged.raise(GED_EVENT_MEMORY),
      guestBlock: () => this.firmware.memoryBlock,
      settle: () => this.settle(),
      through: (device, commit) => this.layout.through(device, commit),
    });
    this.virtio = this.makeVirtio();
    this.board = this.makeBoard();
    this.connect(wiring);
    const isPlugged = (hva: number) => this.dimms.ownerOf(hva) !== undefined || this.virtio.owns(hva);
    const acpi = { smp, slots, virtio: this.virtio.placed.length };
    this.firmware = new Firmware(host, this.memory, this.physical, core, isPlugged, acpi);
    this.changeSet = new StagedEdits({
      engine: this.memory,
      host,
      backends: this.backends,
      changed: () => this.emit({ type: 'stage' }),
      runBetween: (instructions) => this.run.runBetween(instructions),
      carry: (moves) => this.layout.carry(moves),
      retries: () => sumStats(this.vcpus).retries!,
      collect: () => this.layout.collect(),
      counted: () => this.counted(),
      moveRefusal: (id, addr) => this.dimms.moveRefusal(id, addr),
      kept: () => this.dimms.placement.kept,
    });
    this.layout = new LayoutChanges({
      ...{ memory: this.memory, host, core, backends: this.backends, dimms: this.dimms, virtio: this.virtio },
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
    this.inspect = new Inspection(this);
    this.debug = new Debugging(this);
    this.trace = new Tracing(
      {
        core,
        vcpus: this.vcpus,
        executor: this.executor,
        ports: this.ports,
        mmio: this.mmio,
        memory: this.memory,
        again: () => this.checkpoints.muted,
      },
      wiring,
    );
    this.checkpoints = new Checkpoints({
      parts: () => this,
      guest: this.guest?.name ?? '',
      host,
      core,
      trackWrites: (on) => (jit ? jit.countApart(() => core.trackWrites(on)) : core.trackWrites(on)),
      position: () => this.run.position,
      run: () => this.run.state,
      rewound: (run) => this.run.rewound(run),
    });
    this.memory.subscribe((event) => this.layout.committed(event));
  }

  /** The state of a guest whose vCPUs still run. */
  private get condition(): GuestCondition | undefined {
    if (!this.guest || this.run.state === 'shutdown' || this.run.state === 'internal-error') return undefined;
    if (this.panics.seen && this.firmware.memoryBlock !== undefined) return 'panicked';
    return haltedForGood(this.vcpus) ? 'halted' : undefined;
  }

  /** A change of the layout from outside the guest must wait for the end of a stepped commit. */
  refuseBetweenPhases(): void {
    if (this.changeSet.stepping) throw new MachineError(BETWEEN_PHASES);
  }

  /** The guest changes the layout, or resets, or a device needs memory that is INVALID: these cannot wait. */
  settle(): void {
    const { stepping } = this.changeSet;
    if (stepping && !stepping.canAbort) this.changeSet.finish();
  }

  /** Memory that the guest uses: all that a Linux has onlined, and for any guest what its vCPUs run from. */
  private counted(): Counted[] {
    if (!this.guest || this.run.state === 'shutdown' || this.run.state === 'internal-error') return [];
    if (this.firmware.memoryBlock === undefined) {
      const pages = this.vcpus.flatMap((vcpu) => standsOn(vcpu, (gva) => this.inspect.translate(gva, vcpu.index)));
      return pages.flatMap(({ gpa, name }) => {
        const start = Math.floor(gpa / PAGE) * PAGE;
        const hva = this.memory.gpaToHva(start);
        return hva < 0 ? [] : [{ gpa: start, size: PAGE, hva, name }];
      });
    }
    const taken = this.dimms
      .taken()
      .map(({ id, addr: gpa, size, hva }) => ({ gpa, size, hva, name: id || 'a DIMM', ...(id && { dimm: id }) }));
    const mapped = this.memory.memslots(0).flatMap((slot) => {
      const boot = this.firmware.bootKind(slot.userspaceAddr) === 'ram';
      if (!boot && !this.virtio.owns(slot.userspaceAddr)) return [];
      const { baseGfn, npages, userspaceAddr: hva } = slot;
      return [{ gpa: baseGfn * PAGE, size: npages * PAGE, hva, name: this.backends.backingOf(hva)?.id ?? 'RAM' }];
    });
    return [...taken, ...mapped];
  }

  private boardOptions(): BoardOptions {
    const { ram, slots } = this.config;
    const { debugExitPort, debugExitSize = 2, rtcStart = DEFAULT_RTC_START } = this.options;
    const virtio = this.virtio.placed;
    return { ram, slots, rtcStart, virtio, ...(debugExitPort === undefined ? {} : { debugExitPort, debugExitSize }) };
  }

  wake(): void {
    this.executor.wake();
    this.emit({ type: 'wake' });
  }

  emit(event: MachineEvent): void {
    // Not while the machine replays its past: it was emitted before.
    if (this.checkpoints?.muted && AGAIN.has(event.type)) return;
    for (const listener of this.listeners) listener(event);
  }

  private makeVirtio(): VirtioDevices {
    const { host, dimms } = this;
    const placed = placeVirtio(this.config, (id, size, addr) => dimms.placement.reserve(id, size, addr));
    return new VirtioDevices(placed, {
      engine: this.memory,
      host,
      backends: this.backends,
      board: () => this.board,
      ram: () => dimms.list().reduce((sum, dimm) => sum + dimm.size, this.config.ram),
      invalidateCode: (hva, size) => this.core.invalidateCode(hva, size),
      endSlice: () => this.executor.current.requestExit(),
      changed: () => this.emit({ type: 'dimms' }),
      wake: () => this.wake(),
      qmp: (event, data) => this.emit({ type: 'qmp', event, data }),
      through: (device, commit) => this.layout.through(device, commit),
    });
  }

  private makeBoard(): Board {
    const { virtio, actions } = this;
    const memory = new DeviceMemory(this.memory, this.physical, () => this.settle());
    return new Board(this.boardOptions(), {
      clock: this.clock,
      ports: this.ports,
      mmio: this.mmio,
      vcpus: this.vcpus,
      dimms: this.dimms,
      current: () => this.executor.current,
      resetVcpu: (index) => resetVcpu(this.core, this.vcpus[index]!, this.clock.now()),
      startVcpu: (index, vector) => startVcpu(this.core, this.vcpus[index]!, vector),
      serialOutput: (byte) => {
        if (!this.checkpoints.muted) this.console.push(byte);
        this.panics.hear(byte);
      },
      serialRoom: () => {
        for (const listener of this.roomListeners) listener();
      },
      debugOutput: (byte) => {
        if (!this.checkpoints.muted) for (const listener of this.debugListeners) listener(byte);
      },
      powerOff: () => actions.poweredOff(),
      resetRequested: () => actions.resetRequested(),
      debugExit: (status) => actions.quit(status),
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

  /** Compiled code of the vCPU looks up a page that the interpreter will look up again. */
  private probes(vcpu: number): boolean {
    return this.host.words[(VCPU_BASE + vcpu * VCPU_BLOCK_SIZE + VCPU_PROBING) >>> 2] !== 0;
  }

  private connect(wiring: CoreWiring): void {
    const { executor, rings, vcpus } = this;
    Object.assign(wiring, {
      lookup: (vcpu: number, gfn: number, asId: number) => {
        const word = rings.lookup(vcpus[vcpu]!, gfn, asId);
        if (word === PAGE_INVALID && executor.executing && !this.probes(vcpu)) this.changeSet.retried(gfn);
        return word;
      },
      markDirty: (vcpu: number, gfn: number, asId: number) => rings.markDirty(vcpus[vcpu]!, gfn, asId),
      ports: this.ports,
      mmio: this.mmio,
      lapics: this.board.lapics,
      vcpus,
      acknowledge: (vcpu: number) => this.board.acknowledge(vcpu),
      ferr: () => this.board.coprocessor.raise(),
      log: (text: string) => this.emit({ type: 'log', text }),
      exception: () => {},
    } satisfies CoreWiring);
  }
}
