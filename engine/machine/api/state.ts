/** A machine as a value: what a snapshot saves and restores. */
import type { SavedModes } from '../modes';
import type { VirtioConfig } from './config';
import type { Backend, Dimm } from './memory-devices';
import type { RunState } from './run';

/** A memslot in a machine state; address space 0. */
export interface SavedSlot {
  slot: number;
  /** MemFlag bits */
  flags: number;
  /** bytes */
  gpa: number;
  size: number;
  hva: number;
  /** It spans several backings, as a person requested. Absent: it lies inside one. */
  span?: boolean;
}

/** Pages of host memory that are not zero. */
export interface RamPiece {
  /** hva / 4096, ascending */
  pages: Uint32Array;
  /** 4096 bytes per page */
  bytes: Uint8Array;
}

export interface SavedDimm extends Dimm {
  /** QOM path */
  path: string;
  hva: number;
  /** gpa that it will move to */
  moveTo: number | null;
}

export interface SavedDimms {
  /** Number of DIMMs plugged in without an id */
  anonymous: number;
  plugged: SavedDimm[];
  /** A DIMM that moves: ejected, and not yet plugged in at its new address. */
  ejected: SavedDimm | null;
}

/** The configuration of the devices on the virtio-mmio bus; absent without such devices. */
export interface SavedDevices {
  objects: { id: string; size: number }[];
  virtio: VirtioConfig[];
}

/** State outside devices, vCPUs and memory contents: JSON values only. */
export interface SavedMachine {
  config: { ram: number; slots: number; maxmem: number; smp: number; cpu?: string; devices?: SavedDevices };
  /** Name of the guest image, for people; a reset boots the machine's own image. */
  guest: string;
  run: RunState;
  /** Hotplug block of the guest, bytes; null: none */
  memoryBlock: number | null;
  /** The guest has printed a panic. Absent in older snapshots, and if it has not. */
  panicked?: boolean;
  /** `asleep`: vCPUs that halted in this round with interrupts disabled; `retrying`: those that met an INVALID memslot in it. Absent in older snapshots. */
  round: { turn: number; end: number | null; asleep?: number[]; retrying?: number[] };
  /** Host memory in use, by hva. */
  ranges: { start: number; size: number; label: string }[];
  backends: { id: string; size: number; hva: number; kind: Backend['kind'] }[];
  dimms: SavedDimms;
  slots: SavedSlot[];
  /** Absent: the modes of a new machine. Older snapshots do not have them. */
  modes?: SavedModes | null;
  /** virtio-mem devices whose memory backend was replaced. */
  memdevs?: { device: string; memdev: string }[];
}

export interface MachineState {
  machine: SavedMachine;
  /** By device name. */
  devices: Record<string, { [field: string]: unknown }>;
  /** Records of VCPU_RECORD_SIZE bytes. */
  vcpus: Uint8Array[];
  /** Dirty bitmaps of the slots that have one. */
  dirty: { slot: number; bits: Uint8Array }[];
  ram: RamPiece[];
}

/** A machine state from a file: it has the shape of one, but its contents are unchecked. */
export interface UncheckedState extends Pick<MachineState, 'vcpus' | 'dirty' | 'ram'> {
  machine: unknown;
  devices: unknown;
}

export interface MachineSnapshot {
  /** The whole machine at this instant, as a value that shares nothing with it. Call it between slices (not from a device). */
  capture(): MachineState;
  /**
   * Checks the `machine` part of a state like `restore`: MachineError (one line) if this machine could not take it. Call it before the rest of a file
   * is unpacked, which may be a thousand times its size.
   */
  check(machine: unknown): SavedMachine;
  /**
   * Replaces everything by a captured state: RAM, vCPUs, devices, backends, DIMMs, memslots. Host memory, backends and DIMMs that the state does not
   * have are dropped; undo history ends. All or nothing: the state is not trusted and is checked as a whole first; after a MachineError (one line)
   * the machine is unchanged. A running machine keeps running, a stopped one stays stopped.
   */
  restore(state: UncheckedState): void;
}

/** What a list of machine snapshots shows for each. */
export interface SnapshotMeta {
  /** bytes of the file */
  size: number;
  /** ms since 1970 */
  date: number;
  /** guest time, ns */
  vmClockNs: number;
  /** retired instructions */
  icount: number;
}

export interface NamedSnapshot extends SnapshotMeta {
  name: string;
}
