/** The lab's initramfs: Debian's static busybox and one init script. */
import { readFileSync } from 'node:fs';
import { CHARACTER_DEVICE, type CpioEntry, cpio, DIRECTORY, EXECUTABLE, SYMLINK } from './cpio';

const directories = ['bin', 'dev', 'proc', 'sys', 'tmp', 'root', 'mnt'];

/** `busybox`: the static binary. Applet links are made by init, at boot: they cost no archive space that way. */
export function initramfs(busybox: Uint8Array): Uint8Array {
  const entries: CpioEntry[] = [
    ...directories.map((path) => ({ path, mode: DIRECTORY })),
    { path: 'dev/console', mode: CHARACTER_DEVICE, device: { major: 5, minor: 1 } },
    { path: 'bin/busybox', mode: EXECUTABLE, data: busybox },
    { path: 'bin/sh', mode: SYMLINK, data: new TextEncoder().encode('busybox') },
    { path: 'init', mode: EXECUTABLE, data: readFileSync(new URL('init', import.meta.url)) },
  ];
  return cpio(entries);
}
