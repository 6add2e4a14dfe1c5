/** The configuration of a machine: QEMU's -m, -smp, -object and -device as values. */

export interface GuestImage {
  /** Shown to people and in links: "memlab", or a file's name. */
  name: string;
  kernel: Uint8Array;
  initrd?: Uint8Array;
  append?: string;
}

export interface MachineConfig {
  /** -m size, bytes; a multiple of 1 MiB, at least 2 MiB. */
  ram: number;
  /** -m slots=, 0..32 */
  slots: number;
  /** -m maxmem=, bytes; equal to ram: no hotplug. */
  maxmem: number;
  smp: number;
  accel: 'interp' | 'jit';
  /** -cpu, as parseCpu names it; absent: lab64. */
  cpu?: string;
  index?: 'array' | 'rbtree' | 'btree';
  /** -object memory-backend-ram: exists from power-on. */
  objects?: { id: string /** bytes */; size: number }[];
  /** -device: on the virtio-mmio bus from power-on, in this order. */
  virtio?: VirtioConfig[];
}

export type VirtioConfig =
  | {
      driver: 'virtio-mem';
      id: string;
      memdev: string;
      /** requested-size=, bytes; default 0 */
      requested?: number;
      /** memaddr=, gpa; default: placed like DIMMs. */
      addr?: number;
      node?: number;
    }
  | { driver: 'virtio-balloon-device'; id?: string };

export interface DirtyRingOptions {
  /** Entries of each vCPU's ring: a power of two, 256 to 65536. 64 of them are the reserve. */
  entries: number;
  /** Beside the rings, bitmaps for writes that no vCPU makes (KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP). Must be chosen before any memslot exists. */
  bitmap?: boolean;
}

export interface MachineOptions extends MachineConfig {
  /** core.wasm */
  core: Uint8Array<ArrayBuffer> | WebAssembly.Module;
  guest?: GuestImage;
  /** Wall clock in ms, only for throttling and for dates in texts. The guest sees it only as RTC start. */
  wallClock: () => number;
  /** Seeds RDRAND; part of the machine's inputs. */
  seed?: number;
  /** RTC at power-on, ms since 1970. Default: a fixed date, so that runs are reproducible. */
  rtcStart?: number;
  /** -device isa-debug-exit,iobase=: port, when present */
  debugExitPort?: number;
  /** its iosize=: number of ports, default 2 */
  debugExitSize?: number;
  /**
   * Yields between two ioctls of a legacy commit, which may be thousands. Until it resolves nothing else may reach the machine. false: gives up the
   * commit; calls already made stay made.
   */
  betweenCalls?: () => Promise<boolean>;
  /** Dirty rings from the start, as if `enableDirtyRings` had enabled them. */
  dirtyRing?: DirtyRingOptions;
}
