/** The prepared `linux` guest: a stock Debian kernel with a busybox shell on its serial line. */
import { gunzipSync } from 'node:zlib';
import type { Dimm, MachineEvent, MachineOptions } from '../../engine/machine/index';
import { GIB, Guest, hasFile, MIB, rootFile } from './harness';

const ESCAPES = new RegExp(`${String.fromCharCode(27)}\\[[0-9;]*[A-Za-z]`, 'g');
/** Linux takes memory in blocks of this size. */
export const BLOCK = 128 * MIB;
/** Instructions: twice what a boot takes. */
const BOOT_LIMIT = 1e9;

interface Entry {
  name: string;
  kernel: string;
  initrd?: string;
  append?: string;
}

export const BZIMAGE = '.cache/guests/vmlinuz';

/** The guests that boot a Debian kernel. */
export type LinuxVariant = 'linux' | 'linux-kvm' | 'linux-kvm-6.12';

/** The guest's kernel as Debian ships it. */
export const bzImageOf = (name: LinuxVariant): Uint8Array => rootFile(name === 'linux-kvm-6.12' ? `${BZIMAGE}-6.12` : BZIMAGE);

function entry(name = 'linux'): Entry | undefined {
  if (!hasFile('public/guests/index.json')) return undefined;
  const index = JSON.parse(new TextDecoder().decode(rootFile('public/guests/index.json'))) as Entry[];
  return index.find((listed) => listed.name === name);
}

/** Why tests with the guest cannot run here; undefined when they can. */
export const missingGuest = (name: LinuxVariant): string | undefined =>
  entry(name) ? undefined : `the ${name} guest is not prepared: npm run guests -- ${name}`;

export const missing = missingGuest('linux');
export const missingKvm = missingGuest('linux-kvm');

export const file = (name: string): Uint8Array => gunzipSync(rootFile(`public/guests/${name}`));

/** The guest as `lab` and the page start it, with a different command line if need be. */
export function linuxImage(append?: string, bzImage = false, name: LinuxVariant = 'linux'): NonNullable<MachineOptions['guest']> {
  const { kernel, initrd, append: usual } = entry(name)!;
  return { name, kernel: bzImage ? bzImageOf(name) : file(kernel), initrd: file(initrd!), append: append ?? usual ?? '' };
}

export type DimmEvent = { event: string; data: Record<string, unknown> };

export interface LinuxOptions extends Partial<MachineOptions> {
  append?: string;
  /** The kernel as Debian ships it, with its own decompressor. */
  bzImage?: boolean;
  /** instructions */
  bootLimit?: number;
  /** The KVM guests have a different prompt. */
  variant?: LinuxVariant;
}

export class Linux {
  /** Instructions executed up to the prompt. */
  bootInstructions = 0;

  private constructor(
    readonly guest: Guest,
    private readonly prompt: string,
  ) {}

  /** Boots to the shell, by default with the default command line. */
  static async boot(options: LinuxOptions = {}): Promise<Linux> {
    const { append, bzImage, bootLimit, variant = 'linux', ...rest } = options;
    const guest = await Guest.boot({
      ram: 256 * MIB,
      slots: 8,
      maxmem: 4 * GIB,
      guest: linuxImage(append, bzImage, variant),
      ...(variant === 'linux' ? {} : { cpu: 'lab64-svm' }),
      ...rest,
    });
    const linux = new Linux(guest, variant === 'linux' ? 'guest# ' : 'kvm# ');
    linux.boots(bootLimit);
    return linux;
  }

  get machine(): Guest['machine'] {
    return this.guest.machine;
  }

  /** Its whole output up to the prompt. */
  boots(limit = BOOT_LIMIT): string {
    const output = this.guest.until(`\n${this.prompt}`, limit);
    this.bootInstructions = this.machine.run.instructions;
    // Otherwise the line editor wraps typed lines at 80 columns.
    this.sh('stty cols 999');
    return output;
  }

  /** The output of a command, without the line editor's escape sequences. */
  sh(line: string, limit = 2e9): string {
    const answer = this.guest.command(line, this.prompt, limit).replace(ESCAPES, '').replaceAll('\r', '');
    return answer.slice(answer.indexOf('\n') + 1, answer.lastIndexOf('\n') + 1).trimEnd();
  }

  /** A field of /proc/meminfo, bytes. */
  meminfo(field: string): number {
    return 1024 * Number(new RegExp(`^${field}: +(\\d+) kB`, 'm').exec(this.sh('cat /proc/meminfo'))?.[1] ?? Number.NaN);
  }

  /** Numbers and states of the present memory blocks. */
  blocks(): Map<number, string> {
    const lines = this.sh('grep . /sys/devices/system/memory/memory*/state').matchAll(/memory(\d+)\/state:(\w+)/g);
    return new Map([...lines].map(([, number, state]) => [Number(number), state!]));
  }

  /** Messages that a healthy kernel does not print. */
  complaints(): string[] {
    const bad = /\bBUG\b|\bOops\b|WARNING|Call Trace|lockup|unstable|hung task|rcu.*stall|general protection|segfault|unhandled|corrupt/;
    return this.sh('dmesg')
      .split('\n')
      .filter((line) => bad.test(line));
  }

  plug(id: string, size: number, addr?: number): Dimm {
    this.machine.backends.add(`${id}-ram`, size);
    return this.machine.dimms.plug({ id, memdev: `${id}-ram`, ...(addr === undefined ? {} : { addr }) });
  }

  /** Requests the removal of the DIMM and waits for the guest's answer; true when it is gone. */
  unplug(id: string, limit = 4e9): boolean {
    this.machine.dimms.unplug(id);
    const end = this.machine.run.instructions + limit;
    while (this.machine.dimms.list().find((dimm) => dimm.id === id)?.pendingUnplug === true) {
      if (this.machine.run.instructions >= end)
        throw new Error(`no answer to the request to unplug ${id}; output: ${this.guest.text.slice(-1000)}`);
      this.machine.run.advance(1e6);
    }
    return !this.machine.dimms.list().some((dimm) => dimm.id === id);
  }

  /** QMP events so far. */
  get events(): DimmEvent[] {
    const isQmp = (event: MachineEvent): event is Extract<MachineEvent, { type: 'qmp' }> => event.type === 'qmp';
    return this.guest.events.filter(isQmp).map(({ event, data }) => ({ event, data }));
  }
}
