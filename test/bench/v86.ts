/** v86 (npm package `v86`) with our image in it: 32-bit, no BIOS. `wasm`: path or URL of its core. */
import { V86 } from 'v86';
import { type Contender, Marks, type Measured } from './contender';

export async function startV86(image: Uint8Array, wasm: string): Promise<Contender> {
  const emulator = new V86({
    wasm_path: wasm,
    memory_size: 256 << 20,
    vga_memory_size: 2 << 20,
    multiboot: { buffer: new Uint8Array(image).buffer },
    disable_speaker: true,
    autostart: false,
  });
  await new Promise<void>((ready) => emulator.add_listener('emulator-ready', () => ready()));
  // v86's counter is 32 bits wide, so differences are taken modulo 2^32.
  const marks = new Marks(() => emulator.get_instruction_counter());
  emulator.add_listener('serial0-output-byte', (byte: number) => marks.byte(byte));
  return {
    name: 'v86 JIT, 32-bit',
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
