/**
 * The `linux` guests: the kernel of Debian's linux-image-cloud-amd64, or of another package that the catalog names, as apt offers it now (a
 * fixed version would be gone with the next security update), its payload unpacked ahead of time, and an initramfs of Debian's static busybox.
 *
 * Both are stored as gzip files: 53 MB of kernel become 13 MB. The loader inflates files that start with gzip's magic number, since a web server may
 * have inflated them already.
 */
import { join } from 'node:path';
import { promisify } from 'node:util';
import { gzip } from 'node:zlib';
import type { MadeOfPackages } from '../catalog';
import { type Offer, offered, offeredFile, offeredFiles, type Say, sha256, Unavailable } from '../debian';
import { initramfs, MODULES } from './initramfs';
import { KVM_MODULES, kvmInitramfs } from './kvm/initramfs';
import { unpackModule } from './packed';
import { vmlinuxOf } from './vmlinux';

const BUSYBOX = 'busybox-static';

const compress = promisify(gzip);

/** By purpose of the initramfs: paths of its modules below the kernel's, and the function that packs it. */
const VARIANTS = {
  memory: { modules: MODULES.map((name) => `drivers/virtio/${name}.ko`), pack: initramfs },
  kvm: { modules: KVM_MODULES, pack: kvmInitramfs },
} as const;
export type Variant = keyof typeof VARIANTS;

export interface PreparedLinux {
  /** gzip */
  kernel: Uint8Array;
  /** gzip */
  initrd: Uint8Array;
  /** The untouched bzImage, for those who want it. */
  bzImage: Uint8Array;
}

/** What apt offers now, and a line that names it. Throws Unavailable. */
export async function offeredLinux(
  { variant, package: wanted }: MadeOfPackages,
  say: Say,
): Promise<{ kernel: Offer; busybox: Offer; source: string }> {
  const meta = await offered(wanted, say);
  const name = meta.depends.find((depend) => /^linux-image-.*-cloud-amd64$/.test(depend));
  if (name === undefined) throw new Unavailable(`${wanted} ${meta.version} names no kernel package`);
  const kernel = await offered(name, say);
  const busybox = await offered(BUSYBOX, say);
  // Our own files in the initramfs count too: an entry with a different checksum is rebuilt.
  const nothing = new Uint8Array();
  const { modules, pack } = VARIANTS[variant];
  const ours = sha256(
    pack(
      nothing,
      modules.map(() => nothing),
    ),
  ).slice(0, 8);
  const source = `Debian ${kernel.package} ${kernel.version}, ${busybox.package} ${busybox.version}, init ${ours}, GPL-2.0-only`;
  return { kernel, busybox, source };
}

/** Fetches, unpacks and packs. Throws Unavailable if something cannot be fetched or is not as expected. */
export async function makeLinux(variant: Variant, kernel: Offer, busybox: Offer, cache: string, say: Say): Promise<PreparedLinux> {
  const release = kernel.package.replace(/^linux-image-/, '');
  const { modules: paths, pack } = VARIANTS[variant];
  const drivers = paths.map((path) => {
    const plain = join('lib/modules', release, 'kernel', path);
    return [plain, `${plain}.xz`];
  });
  const [bzImage, ...files] = await offeredFiles(kernel, [join('boot', `vmlinuz-${release}`), ...drivers], cache, say);
  const binary = await offeredFile(busybox, 'bin/busybox', cache, say).catch((error) => {
    if (error instanceof Unavailable && error.message.includes('has no file')) return offeredFile(busybox, 'usr/bin/busybox', cache, say);
    throw error;
  });
  say('unpacking the kernel');
  let vmlinux: Uint8Array;
  let modules: Uint8Array[];
  try {
    vmlinux = vmlinuxOf(bzImage!);
    modules = files.map(unpackModule);
  } catch (error) {
    throw new Unavailable(`${kernel.package} ${kernel.version}: ${(error as Error).message}`);
  }
  say(`packing ${(vmlinux.length / 1e6).toFixed(0)} MB of kernel`);
  return { kernel: await compress(vmlinux), initrd: await compress(pack(binary, modules)), bzImage: bzImage! };
}
