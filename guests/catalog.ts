/** The guests that the project knows. Third-party images come from Debian packages and are never committed. */

/** A file out of a Debian package, at a fixed version. */
export interface PackagedFile {
  package: string;
  version: string;
  architecture: 'amd64' | 'all';
  /** SHA-256 of the .deb, hex */
  packageSha256: string;
  /** Path inside the package */
  path: string;
  /** SHA-256 of the file, hex */
  sha256: string;
}

/** Prepared by linux/prepare.ts from the packages that apt offers now. */
export interface MadeOfPackages {
  made: 'linux';
  /** What its initramfs is for. */
  variant: 'memory' | 'kvm';
  /** The package that depends on the kernel package. */
  package: 'linux-image-cloud-amd64' | 'linux-image-6.12-cloud-amd64';
  /** File name of the initrd in public/guests/. */
  initrd: string;
  /** File name of the bzImage in the cache. */
  bzImage: string;
}

export interface Guest {
  /** As in `-guest NAME`. */
  name: string;
  title: string;
  /** File name in public/guests/. */
  kernel: string;
  /** Where the kernel comes from: a path in the project, a package, or several. */
  from: string | PackagedFile | MadeOfPackages;
  /** Default kernel command line. */
  append?: string;
  /** Default of -m. */
  memory: string;
  /** Default of -cpu, where it is not lab64. */
  cpu?: string;
  licence: string;
}

const KERNEL = 'linux-image-cloud-amd64';
const KVM_APPEND = 'console=ttyS0 cryptomgr.notests';

export const guests: readonly Guest[] = [
  {
    name: 'memlab',
    title: 'memlab: a shell that watches its own memory',
    kernel: 'memlab.elf',
    from: 'guests/memlab/memlab.elf',
    memory: '192M,slots=8,maxmem=4T',
    licence: 'MIT',
  },
  {
    name: 'memtest86+',
    title: 'Memtest86+ 6.10: tests every slot',
    kernel: 'memtest86plus.bin',
    from: {
      package: 'memtest86+',
      version: '6.10-4',
      architecture: 'amd64',
      packageSha256: '76a2939452a8b7dba642c97a63e42b985b76eba51ea1330038957239d4a47154',
      path: 'boot/memtest86+x64.bin',
      sha256: '8be4248923a3d57e5cd88c147136f4c643ce246cb7ae4e6884be007e2ecac933',
    },
    append: 'console=ttyS0,115200',
    memory: '24M',
    licence: 'GPL-2.0-only',
  },
  {
    name: 'linux',
    title: 'Linux: a stock Debian kernel that takes and gives back memory',
    kernel: 'linux.vmlinux.gz',
    from: { made: 'linux', variant: 'memory', package: KERNEL, initrd: 'linux.cpio.gz', bzImage: 'vmlinuz' },
    // The self-tests of the crypto layer are 60 % of a boot; memory that is plugged comes online by itself, and can be unplugged.
    append: 'console=ttyS0 cryptomgr.notests memhp_default_state=online_movable',
    memory: '256M,slots=8,maxmem=4G',
    licence: 'GPL-2.0-only',
  },
  {
    name: 'linux-kvm',
    title: 'Linux with KVM: its own memslots, and a nested guest that reads them',
    kernel: 'linux.vmlinux.gz',
    from: { made: 'linux', variant: 'kvm', package: KERNEL, initrd: 'linux-kvm.cpio.gz', bzImage: 'vmlinuz' },
    append: KVM_APPEND,
    memory: '256M,slots=8,maxmem=4G',
    cpu: 'lab64-svm',
    licence: 'GPL-2.0-only',
  },
  {
    name: 'linux-kvm-6.12',
    title: 'Linux 6.12 with KVM: the newer kernel that Debian 12 offers beside its own',
    kernel: 'linux-6.12.vmlinux.gz',
    from: {
      made: 'linux',
      variant: 'kvm',
      package: 'linux-image-6.12-cloud-amd64',
      initrd: 'linux-kvm-6.12.cpio.gz',
      bzImage: 'vmlinuz-6.12',
    },
    append: KVM_APPEND,
    memory: '256M,slots=8,maxmem=4G',
    cpu: 'lab64-svm',
    licence: 'GPL-2.0-only',
  },
];
