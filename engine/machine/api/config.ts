/** What a machine is made of: QEMU's -m, -smp, -object and -device as values. */

export interface GuestImage {
  /** For people and for links: "memlab", or a file's name. */
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
  /** -m maxmem=, bytes; equal to ram: no hotplug */
  maxmem: number;
  smp: number;
  accel: 'interp' | 'jit';
  /** -cpu, as parseCpu names it; absent: lab64. */
  cpu?: string;
  index?: 'array' | 'rbtree' | 'btree';
  /** -object memory-backend-ram: there from power-on. */
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
      /** memaddr=, gpa; default: placed as DIMMs are */
      addr?: number;
      node?: number;
    }
  | { driver: 'virtio-balloon-device'; id?: string };

export interface DirtyRingOptions {
  /** Entries of each vCPU's ring: a power of two, 256 to 65536. 64 of them are the reserve. */
  entries: number;
  /** Beside the rings, bitmaps for writes that no vCPU makes (KVM_CAP_DIRTY_LOG_RING_WITH_BITMAP). Only from the start: before any memslot. */
  bitmap?: boolean;
}

export interface MachineOptions extends MachineConfig {
  /** core.wasm */
  core: Uint8Array<ArrayBuffer> | WebAssembly.Module;
  guest?: GuestImage;
  /** Wall clock in ms, only for throttling and for dates in texts; never reaches the guest but as RTC start. */
  wallClock: () => number;
  /** Seeds RDRAND; part of the machine's inputs. */
  seed?: number;
  /** RTC at power-on, ms since 1970. Default: a fixed date, so that runs are equal. */
  rtcStart?: number;
  /** -device isa-debug-exit,iobase=: port, when present */
  debugExitPort?: number;
  /** its iosize=: number of ports, default 2 */
  debugExitSize?: number;
  /**
   * A turn for others between two ioctls of a legacy commit, which may be thousands; until it is resolved nothing else may reach the machine.
   * false: gives the commit up, and what is done stays done.
   */
  betweenCalls?: () => Promise<boolean>;
  /** Dirty rings from the start, as `enableDirtyRings` would switch them on. */
  dirtyRing?: DirtyRingOptions;
}
