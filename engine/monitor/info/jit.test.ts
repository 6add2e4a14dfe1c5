import { describe, expect, it } from 'vitest';
import type { JitFigures } from '../../jit/index';
import type { Machine } from '../../machine/index';
import { infoJit } from './jit';

const machine = (figures: JitFigures | undefined): Machine => ({ inspect: { jitFigures: () => figures } }) as unknown as Machine;

describe('info jit', () => {
  it('says that there is nothing with the interpreter alone', () => {
    expect(infoJit(machine(undefined))).toBe('JIT information is only available with accel=jit\n');
  });

  it('shows sizes, drops and exits, and why nothing is compiled', () => {
    const text = infoJit(
      machine({
        regions: 2,
        bytes: 3000,
        guestBytes: 100,
        instructions: 30,
        compiled: 5,
        compileTime: 12.4,
        drops: { written: 2, flushed: 1, evicted: 0 },
        ran: 1234,
        linked: 3000,
        windows: { exist: 9, filled: 30, dropped: 20, given: 1 },
        exits: [
          { reason: 'jump', count: 7 },
          { reason: 'hlt', count: 3 },
        ],
        refused: 'unsafe-eval',
      }),
    );
    expect(text).toContain('off, the interpreter runs  unsafe-eval\n');
    expect(text).toMatch(/gen code size +3000\n/);
    expect(text).toContain('1500 bytes (expansion ratio: 30.0)');
    expect(text).toMatch(/dropped: code written +2\n/);
    expect(text).toContain('jump                       7 (jump out of the region)\n');
    expect(text).toMatch(/instruction hlt +3\n/);
    expect(text).toMatch(/instructions run +1234\n/);
    expect(text).toMatch(/jumps between regions +3000\n/);
    expect(text).toMatch(/windows +9, 30 times filled, 20 times dropped, 1 given up\n/);
  });
});
