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
  /** It reaches over several backings, since a person asked for that. Absent: it lies inside one. */
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
  /** gpa that it is being moved to */
  moveTo: number | null;
}

export interface SavedDimms {
  /** DIMMs without id so far */
  anonymous: number;
  plugged: SavedDimm[];
  /** A DIMM on its way: ejected, and not yet plugged in at its new place. */
  ejected: SavedDimm | null;
}

/** What a machine with devices on its virtio-mmio bus was made with; others have none of it. */
export interface SavedDevices {
  objects: { id: string; size: number }[];
  virtio: VirtioConfig[];
}

/** What is not device, vCPU or memory content: JSON values only. */
export interface SavedMachine {
  config: { ram: number; slots: number; maxmem: number; smp: number; cpu?: string; devices?: SavedDevices };
  /** Name of the guest image, for people; a reset boots the image that the machine has. */
  guest: string;
  run: RunState;
  /** Hotplug block of the guest, bytes; null: none */
  memoryBlock: number | null;
  /** It has printed a panic. Absent in older snapshots, and where it has not. */
  panicked?: boolean;
  /**
   * `asleep`: vCPUs that halted in this round with interrupts disabled; `retrying`: those that met an INVALID memslot in it. Older snapshots
   * have neither.
   */
  round: { turn: number; end: number | null; asleep?: number[]; retrying?: number[] };
  /** Host memory in use, by hva. */
  ranges: { start: number; size: number; label: string }[];
  backends: { id: string; size: number; hva: number; kind: Backend['kind'] }[];
  dimms: SavedDimms;
  slots: SavedSlot[];
  /** Absent: those of a machine that was just made. Snapshots from before they were kept do not have them. */
  modes?: SavedModes | null;
  /** virtio-mem devices whose memory backend is another than they began with. */
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

/** A machine state from a file: shaped like one, but what it says is not checked. */
export interface UncheckedState extends Pick<MachineState, 'vcpus' | 'dirty' | 'ram'> {
  machine: unknown;
  devices: unknown;
}

export interface MachineSnapshot {
  /** The whole machine at this instant, as a value that shares nothing with it. Call it between slices (not from a device). */
  capture(): MachineState;
  /**
   * The `machine` part of a state, checked as `restore` does it: MachineError (one line) where this machine could not take it. Before the rest of a
   * file is unpacked, which may be a thousand times its size.
   */
  check(machine: unknown): SavedMachine;
  /**
   * Puts a captured state in place of everything: RAM, vCPUs, devices, backends, DIMMs, memslots. Host memory, backends and DIMMs that the
   * state does not have are dropped; undo history ends. All or nothing: the state is distrusted and checked whole first, and a MachineError
   * (one line) means that the machine is unchanged. A running machine keeps running, a stopped one stays stopped.
   */
  restore(state: UncheckedState): void;
}

/** What a list of machine snapshots shows of one. */
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
