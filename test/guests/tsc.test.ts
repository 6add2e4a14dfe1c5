/** The time stamps of two vCPUs that take turns are ordered. They are read under a lock, as in a kernel's check for TSC warps. */
import { expect, it } from 'vitest';
import { multibootImage } from '../support/assembler';
import { wakeSecond } from '../support/two-vcpus';
import { Guest } from './harness';

const LOCK = 0x9004;
const LAST = 0x9008;
/** How often a time stamp was not later than the previous one, and how many each vCPU read. */
const WRONG = 0x900c;
const READ = [0x9010, 0x9014] as const;

const word = (at: number): [number, number] => [at & 255, at >> 8];

const kernel = multibootImage((asm) => {
  wakeSecond(asm, 64);
  asm.label('loop');
  asm
    .b(0xb8)
    .d(1)
    .b(0x87, 0x05)
    .d(LOCK)
    .b(0x85, 0xc0, 0x75, -15 & 255); // mov eax, 1; xchg [LOCK], eax; test eax, eax; jnz loop
  asm.b(0x0f, 0x31, 0x3b, 0x05).d(LAST).b(0x77, 6, 0xff, 0x05).d(WRONG); // rdtsc; cmp eax, [LAST]; ja over; inc dword [WRONG]
  asm.b(0xa3).d(LAST).b(0xff, 0x05).d(READ[0]); // over: mov [LAST], eax; inc dword [READ]
  asm.b(0xc7, 0x05).d(LOCK, 0).jmp('loop'); // mov dword [LOCK], 0
  asm.label('ap');
  // The same in 16-bit code.
  asm.b(0x31, 0xc0, 0x8e, 0xd8);
  asm
    .b(0x66, 0xb8)
    .d(1)
    .b(0x66, 0x87, 0x06, ...word(LOCK), 0x66, 0x85, 0xc0, 0x75, -16 & 255);
  asm.b(0x0f, 0x31, 0x66, 0x3b, 0x06, ...word(LAST), 0x77, 5, 0x66, 0xff, 0x06, ...word(WRONG));
  asm.b(0x66, 0xa3, ...word(LAST), 0x66, 0xff, 0x06, ...word(READ[1]));
  asm
    .b(0x66, 0xc7, 0x06, ...word(LOCK))
    .d(0)
    .b(0xeb, -50 & 255);
});

it('no vCPU reads a time stamp that another has already read, or an earlier one', async () => {
  const { machine } = await Guest.boot({ smp: 2, guest: { name: 'tsc', kernel } });
  // Also stop in the middle of turns.
  for (let slice = 0; slice < 60; slice++) machine.run.advance(7_000 + 997 * slice);
  const dword = (at: number): number => new DataView(machine.physical.read(at, 4)!.buffer).getUint32(0, true);
  for (const count of READ.map(dword)) expect(count).toBeGreaterThan(10_000);
  expect(dword(WRONG)).toBe(0);
});
