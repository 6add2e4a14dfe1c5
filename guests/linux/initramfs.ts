/** The lab's initramfs: Debian's static busybox, the kernel's own virtio modules and one init script. */
import { readFileSync } from 'node:fs';
import { CHARACTER_DEVICE, type CpioEntry, cpio, DIRECTORY, EXECUTABLE, FILE, SYMLINK } from './cpio';

const directories = ['bin', 'dev', 'proc', 'sys', 'tmp', 'root', 'mnt', 'lib', 'lib/virtio'];

/** Drivers for the devices on the board's virtio-mmio bus, in the order in which init loads them. */
export const MODULES = ['virtio_ring', 'virtio', 'virtio_mmio', 'virtio_mem', 'virtio_balloon'];

/**
 * `busybox`: the static binary. init makes the applet links at boot, so that they take no space in the archive. `modules`: those of MODULES,
 * from the package that the kernel comes from.
 */
export function initramfs(busybox: Uint8Array, modules: readonly Uint8Array[]): Uint8Array {
  const entries: CpioEntry[] = [
    ...directories.map((path) => ({ path, mode: DIRECTORY })),
    { path: 'dev/console', mode: CHARACTER_DEVICE, device: { major: 5, minor: 1 } },
    { path: 'bin/busybox', mode: EXECUTABLE, data: busybox },
    { path: 'bin/sh', mode: SYMLINK, data: new TextEncoder().encode('busybox') },
    ...MODULES.map((name, index) => ({ path: `lib/virtio/${index}-${name}.ko`, mode: FILE, data: modules[index]! })),
    { path: 'init', mode: EXECUTABLE, data: readFileSync(new URL('init', import.meta.url)) },
  ];
  return cpio(entries);
}
