/** Events that a machine emits, and the error of refused operations. */
import type { CommitEvent } from '../../memory/types';
import type { WatchStop } from './debug';
import type { DeviceCommit } from './memory-devices';
import type { RunState } from './run';

/** A refused operation, worded as in QEMU (without "Error: "). */
export class MachineError extends Error {}

/** Events with QMP names. DEVICE_MOVED is ours. A monitor adds STOP and RESUME. */
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
  /** `restore` replaced the state: vCPUs, devices, RAM, topology and layout are new, and there is no history. */
  | { type: 'restored' }
  /** `through`: the memory device whose plug or unplug made the change. */
  | { type: 'commit'; event: CommitEvent; through?: DeviceCommit }
  /** The last commit and all before it cannot be undone: "it ${reason}". */
  | { type: 'history-ended'; reason: string }
  | { type: 'backends' }
  | { type: 'dimms' }
  | { type: 'stage' }
  /** The count of `breakAt` is reached. The state is already paused. */
  | { type: 'break'; count: number }
  /** A watch of `debug` stopped the machine. The state is already paused. */
  | { type: 'watch-stop'; stop: WatchStop; text: string }
  /** QMP events by their QMP names. */
  | { type: 'qmp'; event: QmpEvent; data: Record<string, unknown> }
  /** A vCPU's dirty ring reached its soft limit: the vCPU is held until `resetDirtyRings` makes room. The others continue. */
  | { type: 'dirty-ring-full'; vcpu: number }
  | { type: 'log'; text: string }
  /** Input arrived that may end a halt: a sleeping runner should run the machine again. */
  | { type: 'wake' }
  /** The guest wrote to isa-debug-exit, or powered off: the exit status that QEMU would have. */
  | { type: 'quit'; status: number };
