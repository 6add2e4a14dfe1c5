/**
 * The board's two buses. Absent ports and unmapped memory read as all ones and ignore writes, as on a PC. An access to memory that no memslot and no
 * device answers is counted as a hole.
 */
import type { BusDevice } from '../devices/bus';

interface PortRange {
  device: BusDevice;
  start: number;
  length: number;
}

const PORTS = 0x10000;

/** 64 Ki I/O ports. */
export class PortBus {
  private readonly ranges: PortRange[] = [];
  /** Per port: 1 + index into ranges; 0: no device. */
  private readonly owner = new Uint8Array(PORTS);

  attach(device: BusDevice, start: number, length: number): void {
    if (start < 0 || start + length > PORTS) throw new RangeError(`${device.name}: no ports [0x${start.toString(16)}, +${length})`);
    for (let port = start; port < start + length; port++) {
      const index = this.owner[port]!;
      if (index !== 0)
        throw new RangeError(`${device.name}: port 0x${port.toString(16)} belongs to ${this.ranges[index - 1]!.device.name}`);
    }
    this.ranges.push({ device, start, length });
    this.owner.fill(this.ranges.length, start, start + length);
  }

  /** size 1, 2 or 4; returns an unsigned 32-bit number. An access beyond the device's last port reads byte by byte. */
  read(port: number, size: number): number {
    const range = this.rangeOf(port);
    if (range && port + size <= range.start + range.length) return range.device.read(port - range.start, size);
    if (size === 1) return 0xff;
    if (!range && !this.anyOwner(port, size)) return size === 2 ? 0xffff : 0xffffffff;
    let value = 0;
    for (let byte = size - 1; byte >= 0; byte--) value = value * 256 + this.read((port + byte) % PORTS, 1);
    return value;
  }

  write(port: number, size: number, value: number): void {
    const range = this.rangeOf(port);
    if (range && port + size <= range.start + range.length) range.device.write(port - range.start, size, value);
    else if (size > 1 && (range || this.anyOwner(port, size))) {
      for (let byte = 0; byte < size; byte++) this.write((port + byte) % PORTS, 1, (value >>> (8 * byte)) & 0xff);
    }
  }

  regions(): readonly PortRange[] {
    return this.ranges;
  }

  private rangeOf(port: number): PortRange | undefined {
    return this.ranges[this.owner[port]! - 1];
  }

  private anyOwner(port: number, size: number): boolean {
    for (let byte = 0; byte < size; byte++) if (this.owner[(port + byte) % PORTS] !== 0) return true;
    return false;
  }
}

export interface MmioRegion {
  name: string;
  /** gpa, bytes; half-open. A guest can move a local APIC's page: if ranges overlap, the device attached first answers. */
  readonly start: number;
  readonly end: number;
  /** Checked at each access: a local APIC belongs to the accessing vCPU, and may be switched off. */
  device(): BusDevice | undefined;
}

/** Memory-mapped devices. Memslots take precedence: only writes to READONLY slots reach this bus. */
export class MmioBus {
  private readonly list: MmioRegion[] = [];
  /** Accesses without a memslot or device. */
  holes = 0;
  /** Called for each hole: gpa and size in bytes. */
  onHole: (gpa: number, size: number, write: boolean) => void = () => {};

  constructor(
    /** Does a memslot map the gpa? Then the write was to a READONLY one and is dropped. */
    private readonly mapped: (gpa: number) => boolean,
  ) {}

  attach(region: MmioRegion): void {
    const other = this.list.find((r) => r.start < region.end && region.start < r.end);
    if (other) throw new RangeError(`${region.name} overlaps ${other.name}`);
    this.list.push(region);
  }

  regions(): readonly MmioRegion[] {
    return this.list;
  }

  /** size 1, 2 or 4. */
  read(gpa: number, size: number): number {
    const region = this.find(gpa);
    const device = region?.device();
    if (region && device) return device.read(gpa - region.start, size);
    if (!this.mapped(gpa)) this.hole(gpa, size, false);
    return size === 4 ? 0xffffffff : 2 ** (8 * size) - 1;
  }

  write(gpa: number, size: number, value: number): void {
    const region = this.find(gpa);
    const device = region?.device();
    if (region && device) device.write(gpa - region.start, size, value);
    else if (!this.mapped(gpa)) this.hole(gpa, size, true);
  }

  /** A 64-bit access without a device is one hole, not two. */
  answers(gpa: number): boolean {
    return this.find(gpa)?.device() !== undefined;
  }

  hole(gpa: number, size: number, write: boolean): void {
    this.holes += 1;
    this.onHole(gpa, size, write);
  }

  private find(gpa: number): MmioRegion | undefined {
    for (const region of this.list) if (gpa >= region.start && gpa < region.end) return region;
    return undefined;
  }
}
