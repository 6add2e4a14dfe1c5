/** What a machine reports without being asked, and how it refuses. */
import type { CommitEvent } from '../../memory/types';
import type { WatchStop } from './debug';
import type { DeviceCommit } from './memory-devices';
import type { RunState } from './run';

/** A refused operation, worded as QEMU words it (without "Error: "). */
export class MachineError extends Error {}

/** What a machine reports by QMP names. DEVICE_MOVED is ours. A monitor adds STOP and RESUME. */
export const QMP_EVENTS = [
  'RESET',
  'SHUTDOWN',
  'POWERDOWN',
  'ACPI_DEVICE_OST',
  'DEVICE_DELETED',
  'DEVICE_MOVED',
  'MEM_UNPLUG_ERROR',
  'MEMORY_DEVICE_SIZE_CHANGE',
  'BALLOON_CHANGE',
] as const;
export type QmpEvent = (typeof QMP_EVENTS)[number];

export type MachineEvent =
  | { type: 'state'; state: RunState }
  | { type: 'reset'; by: 'host' | 'guest' }
  /** `restore` put another state in place: vCPUs, devices, RAM, topology and layout are all others now, and there is no history. */
  | { type: 'restored' }
  /** `through`: it was made by plugging or unplugging a memory device. */
  | { type: 'commit'; event: CommitEvent; through?: DeviceCommit }
  /** The commit that is just over cannot be undone, nor what came before it: "it ${reason}". */
  | { type: 'history-ended'; reason: string }
  | { type: 'backends' }
  | { type: 'dimms' }
  | { type: 'stage' }
  /** `breakAt`'s count is reached. The state is paused by now. */
  | { type: 'break'; count: number }
  /** A watch of `debug` stopped it: the state is paused by now. */
  | { type: 'watch-stop'; stop: WatchStop; text: string }
  /** QMP events by their QMP names. */
  | { type: 'qmp'; event: QmpEvent; data: Record<string, unknown> }
  /** A vCPU's dirty ring reached its soft limit: the vCPU is held until `resetDirtyRings` makes room. The others go on. */
  | { type: 'dirty-ring-full'; vcpu: number }
  | { type: 'log'; text: string }
  /** Input arrived that may end a halt: a runner that sleeps should run the machine again. */
  | { type: 'wake' }
  /** isa-debug-exit was written, or the guest powered off: status as QEMU exits with. */
  | { type: 'quit'; status: number };
