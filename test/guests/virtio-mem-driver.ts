/** A custom guest that stresses the first virtio-mem device: it plugs all memory, writes to it and unplugs all, endlessly. */
import { virtioBase } from '../../engine/machine/board';
import { multibootImage } from '../support/assembler';
import { MIB } from './harness';

export const TABLE = 0x200000;
export const COUNTERS = 0x204000;
const [DRIVER, DEVICE, REQUEST, ANSWER] = [0x201000, 0x202000, 0x203000, 0x203100] as const;
export const SIZE = 256 * MIB;
export const ADDR = 128 * MIB;
const [PLUG, UNPLUG_ALL] = [0, 2];

/** COUNTERS: rounds; any non-zero bits found in freshly plugged memory; answers other than ACK. */
export const image = multibootImage((asm) => {
  const set = (at: number, value: number) => asm.b(0xc7, 0x05).d(at).d(value); // mov dword [at], value
  const register = (offset: number, value: number) => set(virtioBase(0) + offset, value);
  const request = (type: number) => {
    set(REQUEST, type);
    asm.b(0x66, 0xff, 0x05).d(DRIVER + 2); // inc word [available index]
    register(0x50, 0);
    asm
      .b(0xa1)
      .d(ANSWER)
      .b(0x09, 0x05)
      .d(COUNTERS + 8); // mov eax, [ANSWER]; or [COUNTERS + 8], eax
  };
  for (const [offset, value] of [
    [0x70, 3],
    [0x24, 0],
    [0x20, 2],
    [0x24, 1],
    [0x20, 1],
    [0x70, 11],
    [0x38, 8],
    [0x80, TABLE],
    [0x90, DRIVER],
    [0xa0, DEVICE],
    [0x44, 1],
    [0x70, 15],
  ] as const)
    register(offset, value);
  // REQUEST: 24 bytes, then ANSWER: 16 bytes for the device to write.
  for (const [at, value] of [
    [0, REQUEST],
    [8, 24],
    [12, 1 | (1 << 16)],
    [16, ANSWER],
    [24, 16],
    [28, 2],
  ] as const)
    set(TABLE + at, value);
  set(REQUEST + 8, ADDR);
  set(REQUEST + 16, SIZE / (2 * MIB));
  asm.label('again');
  request(PLUG);
  for (const at of [ADDR, ADDR + SIZE / 2, ADDR + SIZE - 4]) {
    asm
      .b(0xa1)
      .d(at)
      .b(0x09, 0x05)
      .d(COUNTERS + 4); // mov eax, [at]; or [COUNTERS + 4], eax
    set(at, 0xffffffff);
  }
  request(UNPLUG_ALL);
  asm.b(0xff, 0x05).d(COUNTERS); // inc dword [COUNTERS]
  asm.jmp('again');
});
