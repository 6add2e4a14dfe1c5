/** v86 (npm package `v86`) with our image in it: 32-bit, no BIOS. Its interpreter (`disable_jit`), or all of it. */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { V86 } from 'v86';
import { type Contender, Marks, type Measured } from './contender';

const packageFile = createRequire(import.meta.url).resolve('v86/package.json');

export const v86Version: string = JSON.parse(readFileSync(packageFile, 'utf8')).version;

export async function startV86(image: Uint8Array, jit: boolean): Promise<Contender> {
  const emulator = new V86({
    wasm_path: join(dirname(packageFile), 'build/v86.wasm'),
    memory_size: 256 << 20,
    vga_memory_size: 2 << 20,
    multiboot: { buffer: new Uint8Array(image).buffer },
    disable_jit: !jit,
    disable_speaker: true,
    autostart: false,
  });
  await new Promise<void>((ready) => emulator.add_listener('emulator-ready', () => ready()));
  // Its counter is 32 bits wide: differences are taken modulo 2^32.
  const marks = new Marks(() => emulator.get_instruction_counter());
  emulator.add_listener('serial0-output-byte', (byte: number) => marks.byte(byte));
  return {
    name: jit ? 'v86 JIT, 32-bit' : 'v86 interpreter, 32-bit',
    async run(letter) {
      const done = new Promise<Measured>((finish) => marks.expect(finish));
      await emulator.run();
      emulator.serial0_send(letter);
      const measured = await done;
      await emulator.stop();
      return { ...measured, instructions: measured.instructions >>> 0 };
    },
    close: () => emulator.destroy(),
  };
}
