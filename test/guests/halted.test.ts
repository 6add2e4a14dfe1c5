import { describe, expect, it } from 'vitest';
import { multibootImage } from '../support/assembler';
import { Guest } from './harness';

const outb = (port: number, value: number): number[] => [0xb0, value, 0xe6, port]; // mov al, value; out port, al

/** The PIT runs at about 10 kHz, but its interrupt is never delivered. */
function halted(mask: number): Uint8Array {
  return multibootImage((asm) => {
    asm.b(0xfa, ...outb(0x21, mask), ...outb(0xa1, 0xff));
    asm.b(...outb(0x43, 0x34), ...outb(0x40, 119), ...outb(0x40, 0));
    asm.label('halt');
    asm.b(0xf4).jmp('halt');
  });
}

const guests: [string, number][] = [
  ['masked at the controller', 0xff],
  ['pending with interrupts disabled', 0xfe],
];

describe.each(guests)('a halted guest whose timer fires without effect: %s', (_what, mask) => {
  const boot = (wallClock = () => 0) => Guest.boot({ guest: { name: 'halted', kernel: halted(mask) }, wallClock });

  it('does not keep runInstructions running forever, and ends at the same guest time in every run', async () => {
    const times: number[] = [];
    for (let run = 0; run < 2; run++) {
      const { machine } = await boot();
      machine.run.advance(1_000_000);
      expect(machine.run.state).toBe('running');
      expect(machine.run.instructions).toBeLessThan(1000);
      times.push(machine.run.guestTimeNs);
    }
    expect(times[0]).toBe(times[1]);
  });

  it('is polled less and less often by the loop that follows the wall clock, and its time continues', async () => {
    let now = 0;
    const { machine } = await boot(() => now);
    let calls = 0;
    for (; now < 2000 && calls < 20_000; calls++) {
      const { idle, wakeIn } = machine.run.until(now + 8);
      now += idle && wakeIn !== undefined ? wakeIn / 1e6 : 0;
    }
    expect(calls).toBeLessThan(2000);
    expect(machine.run.guestTimeNs).toBeGreaterThan(1.9e9);
  });

  it('still wakes for an NMI', async () => {
    const { machine } = await boot();
    machine.run.advance(1_000_000);
    machine.nmi?.();
    machine.run.advance(1000);
    // No IDT: the NMI ends in a shutdown.
    expect(machine.run.state).toBe('shutdown');
  });
});
