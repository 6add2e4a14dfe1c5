/** The initramfs of the guest linux-kvm: Debian's static busybox, the kernel's own KVM modules, our programs and one init script. */
import { readFileSync } from 'node:fs';
import { CHARACTER_DEVICE, type CpioEntry, cpio, DIRECTORY, EXECUTABLE, FILE, SYMLINK } from '../cpio';
import { PROGRAMS } from './programs';

const directories = ['bin', 'dev', 'proc', 'sys', 'tmp', 'root', 'mnt', 'lib', 'lib/kvm'];

/** Paths below the kernel's modules, in the order in which init loads them. */
export const KVM_MODULES = ['virt/lib/irqbypass.ko', 'arch/x86/kvm/kvm.ko', 'arch/x86/kvm/kvm-amd.ko'];

const ownFile = (name: string): Uint8Array => readFileSync(new URL(name, import.meta.url));

/** `busybox`: the static binary. `modules`: those of KVM_MODULES, from the package that the kernel comes from. */
export function kvmInitramfs(busybox: Uint8Array, modules: readonly Uint8Array[]): Uint8Array {
  const entries: CpioEntry[] = [
    ...directories.map((path) => ({ path, mode: DIRECTORY })),
    { path: 'dev/console', mode: CHARACTER_DEVICE, device: { major: 5, minor: 1 } },
    { path: 'bin/busybox', mode: EXECUTABLE, data: busybox },
    { path: 'bin/sh', mode: SYMLINK, data: new TextEncoder().encode('busybox') },
    ...KVM_MODULES.map((path, index) => ({ path: `lib/kvm/${index}-${path.split('/').at(-1)}`, mode: FILE, data: modules[index]! })),
    ...PROGRAMS.map((name) => ({ path: `bin/${name}`, mode: EXECUTABLE, data: ownFile(name) })),
    { path: 'init', mode: EXECUTABLE, data: ownFile('init') },
  ];
  return cpio(entries);
}
