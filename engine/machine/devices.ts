/** Constructs the board's devices, connects their interrupt lines and attaches them to the buses. */
import * as abi from '../abi/vcpu';
import { ApicBus } from '../devices/apic-bus';
import type { BusDevice, DeviceState, IrqLine } from '../devices/bus';
import { CoprocessorError } from '../devices/coprocessor-error';
import { DebugExit } from '../devices/debug-exit';
import { DebugConsole } from '../devices/debugcon';
import { FloatingPorts } from '../devices/floating';
import { GenericEventDevice } from '../devices/ged';
import { IoApic } from '../devices/ioapic';
import { Lapic } from '../devices/lapic';
import { MemoryHotplug } from '../devices/memhp';
import { PicPair } from '../devices/pic';
import { Pit } from '../devices/pit';
import { ResetControl, SystemControlA } from '../devices/reset-control';
import { Rtc } from '../devices/rtc';
import { Serial } from '../devices/serial';
import { SystemControl } from '../devices/system-control';
import { VirtioBalloon } from '../devices/virtio/balloon';
import { type MemOutcome, type MemRange, VirtioMem } from '../devices/virtio/mem';
import { VIRTIO_MMIO_LENGTH, type VirtioFunction, VirtioMmio } from '../devices/virtio/mmio';
import type { GuestMemory } from '../devices/virtio/queue';
import { MachineError, type PicState } from './api';
import * as board from './board';
import type { MmioBus, PortBus } from './bus';
import type { Clock } from './clock';
import type { Dimms } from './dimms';
import { Halted, type Vcpu } from './vcpu';
import type { PlacedMem, PlacedVirtio } from './virtio-config';

export interface BoardOptions {
  ram: number;
  slots: number;
  /** ms since 1970 */
  rtcStart: number;
  debugExitPort?: number;
  debugExitSize?: number;
  /** Devices on the virtio-mmio bus; default: none. */
  virtio?: readonly PlacedVirtio[];
}

/** What virtio devices can do with the machine. */
export interface VirtioHooks {
  memory: GuestMemory;
  plug(id: string, range: MemRange): MemOutcome;
  unplug(id: string, ranges: readonly MemRange[]): MemOutcome;
  sizeChanged(id: string, size: number): void;
  /** Zeroes the page at gpa, if it is writable memory. */
  discard(gpa: number): void;
  balloonChanged(size: number): void;
  log(text: string): void;
}

export interface BoardContext {
  clock: Clock;
  ports: PortBus;
  mmio: MmioBus;
  vcpus: readonly Vcpu[];
  dimms: Dimms;
  /** The vCPU that makes the access. */
  current(): Vcpu;
  resetVcpu(index: number): void;
  startVcpu(index: number, vector: number): void;
  serialOutput(byte: number): void;
  /** The serial line accepts input again. */
  serialRoom?(): void;
  debugOutput(byte: number): void;
  powerOff(): void;
  resetRequested(): void;
  debugExit(status: number): void;
  virtio: VirtioHooks;
}

/** Snapshots from before these devices existed lack their states: they are as after power-on then. */
const NEWCOMERS: ReadonlySet<string> = new Set(['port92', 'reset-control', 'coprocessor-error']);

/** ISA interrupts reach the 8259s and the I/O APIC; the timer uses pin 2 there, as on every PC. */
const TIMER_PIN = 2;

export class Board {
  readonly serial: Serial;
  readonly pic: PicPair;
  readonly pit: Pit;
  readonly rtc: Rtc;
  readonly ioapic: IoApic;
  readonly lapics: Lapic[];
  readonly ged: GenericEventDevice;
  readonly coprocessor: CoprocessorError;
  readonly memhp: MemoryHotplug;
  balloon: VirtioBalloon | undefined;
  private readonly mems = new Map<string, VirtioMem>();
  private readonly transports = new Map<string, { configChanged(): void }>();
  private readonly interrupts = new Map<string, number>();
  /** Everything with state or a reset, under its name in snapshots, in a fixed order. */
  private readonly all = new Map<string, Pick<BusDevice, 'reset' | 'save' | 'check' | 'restore'>>();

  constructor(
    private readonly options: BoardOptions,
    private readonly context: BoardContext,
  ) {
    const { clock } = context;
    const apicBus = new ApicBus();
    this.pic = new PicPair({ interrupt: (pending) => this.lapics?.[0]?.setPicLine(pending) });
    this.lapics = context.vcpus.map((vcpu) => this.makeLapic(vcpu, apicBus));
    this.ioapic = new IoApic({ bus: apicBus });
    this.serial = new Serial({
      irq: this.isa('serial', board.SERIAL_IRQ),
      output: context.serialOutput,
      room: () => context.serialRoom?.(),
    });
    this.pit = new Pit({ clock, irq: this.isa('pit', board.PIT_IRQ, TIMER_PIN) });
    this.rtc = new Rtc({ clock, irq: this.isa('rtc', board.RTC_IRQ), start: options.rtcStart });
    this.ged = new GenericEventDevice({
      irq: this.isa('acpi-ged', board.GED_IRQ),
      powerOff: context.powerOff,
      reset: context.resetRequested,
    });
    this.memhp = new MemoryHotplug({
      slots: options.slots,
      dimm: (slot) => context.dimms.mapped(slot),
      event: () => this.ged.raise(board.GED_EVENT_MEMORY),
      eject: (slot) => context.dimms.eject(slot),
      ost: (slot, event, status) => context.dimms.ost(slot, event, status),
    });
    this.setRtcMemory();
    const systemControl = new SystemControl({ clock, pit: this.pit });
    this.coprocessor = new CoprocessorError({
      irq: this.isa('coprocessor', board.COPROCESSOR_IRQ),
      ignore: () => context.current().setU32(abi.VCPU_IGNNE, 1),
    });
    const debugcon = new DebugConsole({ output: context.debugOutput });

    this.onPorts(this.pic.master, board.PIC_MASTER_PORT, 2);
    this.onPorts(this.pic.slave, board.PIC_SLAVE_PORT, 2);
    this.onPorts(this.pic.elcr, 0x4d0, 2);
    this.onPorts(this.pit, board.PIT_PORT, 4);
    this.onPorts(systemControl, board.SYSTEM_CONTROL_PORT, 1);
    const keyboard = new FloatingPorts('no-keyboard', 0, (value) => {
      if (value === board.KEYBOARD_RESET_COMMAND) context.resetRequested();
    });
    this.onPorts(keyboard, board.KEYBOARD_STATUS_PORT, 1);
    this.onPorts(new SystemControlA(context.resetRequested), board.PORT92, 1);
    this.onPorts(new ResetControl(context.resetRequested), board.RESET_CONTROL_PORT, 4);
    this.onPorts(this.coprocessor, board.COPROCESSOR_PORT, 1);
    this.onPorts(this.rtc, board.RTC_PORT, 2);
    this.onPorts(debugcon, board.DEBUGCON_PORT, 1);
    this.onPorts(this.serial, board.SERIAL_PORT, 8);
    this.onPorts(this.memhp, board.MEMHP_PORT, board.MEMHP_LENGTH);
    if (options.debugExitPort !== undefined) {
      try {
        this.onPorts(new DebugExit({ exit: context.debugExit }), options.debugExitPort, options.debugExitSize ?? 2);
      } catch (error) {
        throw new MachineError(`isa-debug-exit: ${(error as Error).message}`);
      }
    }
    this.lapics.forEach((lapic) => {
      this.all.set(lapic.name, lapic);
    });
    const page = (): number => this.lapics[context.current().index]!.page;
    context.mmio.attach({
      name: 'lapic',
      get start() {
        return page();
      },
      get end() {
        return page() + 0x1000;
      },
      device: () => {
        const lapic = this.lapics[context.current().index]!;
        return lapic.mmioVisible ? lapic : undefined;
      },
    });
    this.onMemory(this.ioapic, board.IOAPIC_BASE, 0x1000);
    this.onMemory(this.ged, board.GED_BASE, board.GED_LENGTH);
    (options.virtio ?? []).forEach((placed, place) => {
      this.addVirtio(placed, place);
    });
  }

  reset(): void {
    for (const device of this.all.values()) device.reset();
    this.setRtcMemory();
  }

  save(): Record<string, DeviceState> {
    return Object.fromEntries([...this.all].map(([name, device]) => [name, device.save()]));
  }

  /** Throws an Error that names device and field if `restore` could not take these states. Changes nothing. */
  check(states: unknown): Record<string, DeviceState> {
    if (typeof states !== 'object' || states === null) throw new Error('devices: must be an object');
    for (const name of Object.keys(states)) if (!this.all.has(name)) throw new Error(`no device '${name}' on this board`);
    const named = states as Record<string, DeviceState>;
    for (const [name, device] of this.all) {
      const state = named[name];
      if (state) device.check(state);
      else if (!NEWCOMERS.has(name)) throw new Error(`device '${name}' is missing`);
    }
    return named;
  }

  /** States that `check` accepts. */
  restore(states: Record<string, DeviceState>): void {
    for (const [name, device] of this.all) {
      const state = states[name];
      if (state) device.restore(state);
      else device.reset();
    }
  }

  /** A vector for the vCPU: INTA. -1: spurious. */
  acknowledge(vcpu: number): number {
    const vector = this.lapics[vcpu]!.acknowledge();
    if (vector >= 0) this.count(`vector 0x${vector.toString(16).padStart(2, '0')}`);
    return vector;
  }

  irqCounts(): { name: string; count: number }[] {
    return [...this.interrupts].map(([name, count]) => ({ name, count }));
  }

  picState(): PicState[] {
    return [this.pic.master, this.pic.slave].map((chip) => {
      const { irr, imr, isr, lowest, base, readIsr, elcr, icw4 } = chip.save() as unknown as Omit<PicState, 'highest' | 'fullyNested'> & {
        lowest: number;
        icw4: number;
      };
      return { ...{ irr, imr, isr, base, readIsr, elcr }, highest: (lowest + 1) % 8, fullyNested: (icw4 & 0x10) !== 0 };
    });
  }

  virtioMem(id: string): VirtioMem {
    return this.mems.get(id)!;
  }

  /** Notifies the driver that the configuration changed. */
  virtioConfigChanged(id: string): void {
    this.transports.get(id)!.configChanged();
  }

  private addVirtio(placed: PlacedVirtio, place: number): void {
    const { clock, virtio } = this.context;
    const { id } = placed;
    const name = `virtio-mmio.${place}`;
    const add = <S>(behind: VirtioFunction<S>): void => {
      const irq = this.pin(placed.driver, board.VIRTIO_FIRST_GSI + place);
      const transport = new VirtioMmio({ name, irq, memory: virtio.memory, log: virtio.log }, behind);
      this.transports.set(id, transport);
      this.onMemory(transport, board.virtioBase(place), VIRTIO_MMIO_LENGTH);
    };
    if (placed.driver === 'virtio-mem') add(this.makeMem(placed, name));
    else {
      this.balloon = new VirtioBalloon({
        name,
        clock,
        discard: (gpa) => virtio.discard(gpa),
        changed: (size) => virtio.balloonChanged(size),
      });
      add(this.balloon);
    }
  }

  private makeMem({ id, addr, size, node, requested }: PlacedMem, name: string): VirtioMem {
    const { clock, virtio } = this.context;
    const mem = new VirtioMem({
      ...{ name, clock, addr, size, node, requested },
      plug: (range) => virtio.plug(id, range),
      unplug: (ranges) => virtio.unplug(id, ranges),
      sizeChanged: (bytes) => virtio.sizeChanged(id, bytes),
    });
    this.mems.set(id, mem);
    return mem;
  }

  private makeLapic(vcpu: Vcpu, bus: ApicBus): Lapic {
    const { context } = this;
    return new Lapic({
      id: vcpu.index,
      bsp: vcpu.index === 0,
      bus,
      clock: context.clock,
      interrupt: (pending) => vcpu.setU32(abi.VCPU_IRQ_PENDING, pending ? 1 : 0),
      acknowledgePic: () => this.pic.acknowledge(),
      nmi: () => vcpu.setU32(abi.VCPU_NMI_PENDING, 1),
      init: () => context.resetVcpu(vcpu.index),
      sipi: (vector) => {
        if (vcpu.halted === Halted.waitForSipi) context.startVcpu(vcpu.index, vector);
      },
      priority: {
        get: () => vcpu.u32(abi.VCPU_CR8) & 15,
        set: (value) => vcpu.setCount(abi.VCPU_CR8, value),
      },
      tscOffset: () => Number(BigInt.asIntN(64, vcpu.u64(abi.VCPU_TSC_OFFSET))),
    });
  }

  private isa(name: string, irq: number, pin = irq): IrqLine {
    const pic = this.pic.line(irq);
    const ioapic = this.ioapic.line(pin);
    let level = 0;
    return (next) => {
      if (next === 1 && level === 0) this.count(`irq ${irq} ${name}`);
      level = next;
      pic(next);
      ioapic(next);
    };
  }

  /** A pin of the I/O APIC that has no 8259 input. */
  private pin(name: string, pin: number): IrqLine {
    const line = this.ioapic.line(pin);
    let level = 0;
    return (next) => {
      if (next === 1 && level === 0) this.count(`irq ${pin} ${name}`);
      level = next;
      line(next);
    };
  }

  private count(name: string): void {
    this.interrupts.set(name, (this.interrupts.get(name) ?? 0) + 1);
  }

  private onPorts(device: BusDevice, start: number, length: number): void {
    this.context.ports.attach(device, start, length);
    this.all.set(device.name, device);
  }

  private onMemory(device: BusDevice, start: number, length: number): void {
    this.context.mmio.attach({ name: device.name, start, end: start + length, device: () => device });
    this.all.set(device.name, device);
  }

  private setRtcMemory(): void {
    const { ram } = this.options;
    this.rtc.setMemorySize(Math.min(ram, board.PCI_HOLE_START), Math.max(0, ram - board.PCI_HOLE_START));
  }
}
