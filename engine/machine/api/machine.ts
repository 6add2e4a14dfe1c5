/** A machine, by subject. `createMachine(options): Promise<Machine>` in ../machine.ts builds one. */
import type { MemslotEngine } from '../../memory/index';
import type { MachineCheckpoints } from './checkpoints';
import type { GuestImage, MachineConfig } from './config';
import type { MachineDebug } from './debug';
import type { MachineEvent } from './events';
import type { MachineInspect } from './inspect';
import type { HostRanges, MachineBackends, MachineDimms, MachineVirtio } from './memory-devices';
import type { MachineRings } from './rings';
import type { MachineRun } from './run';
import type { StagedChangeSet } from './staged-change-set';
import type { MachineSnapshot } from './state';
import type { MachineTrace } from './trace';

/** The guest's serial console. */
export interface SerialConsole {
  /** Bytes for the guest, queued until its FIFO takes them. Returns how many were accepted: the queue holds at most 1 MiB. */
  input(bytes: Uint8Array): number;
  /** Called after input was not accepted in full, once half of the queue is free. It is called while the guest runs, so respond later. */
  onRoom(listener: () => void): () => void;
  onOutput(listener: (bytes: Uint8Array) => void): () => void;
}

/** Guest-physical memory as the host accesses it, through the memslots. */
export interface MachinePhysical {
  /** Bytes at a gpa, or undefined if a slot does not back all of them. */
  read(gpa: number, length: number): Uint8Array | undefined;
  /** Stops at the first byte that no slot backs. Returns the number of bytes written. */
  write(gpa: number, bytes: Uint8Array): number;
}

/** The port bus, with the side effects of a guest's access, for the monitor's `i` and `o`. Size is 1, 2 or 4. */
export interface MachinePorts {
  read(port: number, size: number): number;
  write(port: number, size: number, value: number): void;
}

export interface Machine {
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
  /** The debug console, port 0xe9. */
  readonly debugcon: { onOutput(listener: (byte: number) => void): () => void };
  readonly inspect: MachineInspect;
  readonly debug: MachineDebug;
  readonly trace: MachineTrace;
  readonly checkpoints: MachineCheckpoints;
  readonly physical: MachinePhysical;
  readonly ports: MachinePorts;
  readonly snapshot: MachineSnapshot;

  reset(): void;
  /** Raises the power button event. */
  powerdown(): void;
  /** Raises an NMI on a vCPU. Optional: without it the monitor's `nmi` is refused as in QEMU. */
  nmi?(vcpu?: number): void;
  /** SHA-256 (hex) over vCPUs, devices, layout and RAM. */
  digest(): Promise<string>;
  subscribe(listener: (event: MachineEvent) => void): () => void;
}
