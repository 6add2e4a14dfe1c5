/** Host memory, memory backends and the devices that map them: QEMU's object_add and device_add. Sizes and addresses are bytes. */

export interface Backend {
  id: string;
  /** bytes */
  size: number;
  /** bytes, its first byte in host memory */
  hva: number;
  /** `ram` backends belong to the board and cannot be deleted. */
  kind: 'board' | 'memory-backend-ram';
  /** id of the device that uses it */
  busy?: string;
}

/** A part of one backing. */
export interface BackingPart {
  /** Name of the backing */
  id: string;
  /** of the part, inside the backing, bytes */
  offset: number;
  hva: number;
  size: number;
}

export interface Dimm {
  id: string;
  memdev: string;
  /** hotplug register slot, 0..slots-1 */
  slot: number;
  node: number;
  /** bytes: where the DIMM was plugged in. */
  addr: number;
  size: number;
  hotplugged: boolean;
  /** device_del was requested, and the guest has not responded. */
  pendingUnplug: boolean;
}

/** A virtio-mem device as the monitor reports it. */
export interface VirtioMemInfo {
  id: string;
  memdev: string;
  node: number;
  /** gpa, bytes */
  addr: number;
  /** bytes: size of the device, plugged by the guest, and requested */
  maxSize: number;
  size: number;
  requestedSize: number;
}

/** For a commit that plugs or unplugs a memory device or a part of one. */
export interface DeviceCommit {
  kind: 'pc-dimm' | 'virtio-mem';
  /** Its id; for a DIMM without one, its QOM path. */
  device: string;
  memdev: string;
  /** Who caused it: the guest, or a person with device_add. */
  who: 'person' | 'guest';
}

/** Host memory by hva. */
export interface HostRanges {
  /** A free, zeroed range of `size` bytes; MachineError if there is none. It is freed once no memslot, staged edit or undo can use it. */
  allocate(size: number, label: string): number;
  /** Frees allocated memory that nothing can use any more. Every commit does so. */
  collect(): void;
  /** Name of what backs an hva: "ram.a", "mem1", or undefined, and the offset inside it. */
  backingOf(hva: number): { id: string; offset: number } | undefined;
  /** Parts of `size` bytes from hva on, by backing: one part, unless a slot spans several backings. */
  backingsOf(hva: number, size: number): BackingPart[];
}

/** Memory backends: object_add and object_del. */
export interface MachineBackends {
  list(): Backend[];
  add(id: string, size: number): Backend;
  /** MachineError while it is in use. */
  delete(id: string): void;
}

/** pc-dimm devices: device_add, device_del and our device_move. */
export interface MachineDimms {
  list(): Dimm[];
  plug(options: { id?: string; memdev: string; addr?: number; slot?: number; node?: number }): Dimm;
  /** Asks the guest to give back the DIMM; the guest may take its time or refuse. */
  unplug(id: string): void;
  /**
   * Unplugs a DIMM and plugs it in at `addr` once the guest has given it back: QMP event DEVICE_MOVED {device, path, addr}. If the guest refuses, the
   * DIMM stays where it is: MEM_UNPLUG_ERROR. MachineError for an address that cannot be used.
   */
  move(id: string, addr: number): void;
  /** Where memory devices may be placed: half-open ranges of gpa. Empty without maxmem. */
  window(): { start: number; end: number }[];
  /** Size and address of a DIMM must be multiples of this, bytes: QEMU's 2 MiB, or the guest's own blocks if they are larger. */
  block(): number;
}

/** virtio-mem and virtio-balloon. */
export interface MachineVirtio {
  mems(): VirtioMemInfo[];
  /** Requests a size in bytes of a virtio-mem device; the guest plugs and unplugs towards it (QMP event MEMORY_DEVICE_SIZE_CHANGE). */
  setRequestedSize(id: string, size: number): void;
  /** The balloon: bytes of RAM left to the guest. undefined: there is no balloon. */
  balloon(): { id: string; actual: number } | undefined;
  /** Asks the guest to keep at most this many bytes (QMP event BALLOON_CHANGE as it responds). */
  setBalloon(target: number): void;
}
