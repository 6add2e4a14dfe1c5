/** Builds a machine from the values that `lab` takes as flags. The core and memlab are beside the program. */
import { readFile } from 'node:fs/promises';
import { parseMemory } from '../cli/memory-flag';
import { createMachine, type GuestImage, type MachineConfig } from '../machine/index';
import { Lab } from './lab';

export interface LabOptions extends Partial<Pick<MachineConfig, 'accel' | 'cpu' | 'index' | 'objects' | 'smp' | 'virtio'>> {
  /** -m in QEMU's syntax, "64M,slots=4,maxmem=4G". Default 128M, without hotplug. */
  memory?: string;
  /** A bzImage, a Multiboot or PVH ELF, a flat image. Default: memlab. */
  guest?: GuestImage;
  /** Seeds RDRAND. The same options, seed and inputs lead to the same digest. */
  seed?: number;
  /** The clock of the board at power-on, ms since 1970. Default: a fixed date. */
  rtcStart?: number;
}

/** The file of this name beside the program, where `npm pack` puts it. */
const asset = async (name: string): Promise<Uint8Array<ArrayBuffer>> => new Uint8Array(await readFile(new URL(name, import.meta.url)));

/** A machine before its first instruction. Rejects with a message that names the option at fault. */
export async function bootLab(options: LabOptions = {}): Promise<Lab> {
  const { memory = '128M', guest = { name: 'memlab', kernel: await asset('memlab.elf') }, smp = 1, accel = 'jit', ...rest } = options;
  const core = await asset('core.wasm');
  // Guest time follows its instructions, so the host's clock only dates what is saved.
  const wallClock = (): number => Date.now();
  return new Lab(await createMachine({ ...rest, ...parseMemory(memory), guest, smp, accel, core, wallClock }));
}
