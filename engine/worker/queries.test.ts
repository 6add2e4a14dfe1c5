/** The page's queries on a real machine: their answers are bounded, and they change nothing. */
import { describe, expect, it } from 'vitest';
import type { Machine } from '../machine/index';
import { testMachine } from '../monitor/testing';
import { HEAT_ALL, MAX_NESTED_RANGES, type Query } from './protocol';
import { answerQuery, type QueryContext } from './queries';

const PAGE = 4096;
const context = (machine: Machine): QueryContext => ({ machine, clock: { monotonic: () => 0, yieldTurn: async () => {} } });
const GIB4 = 2 ** 32;

describe('nested-memory', () => {
  const PAGES = 3 * MAX_NESTED_RANGES;
  /** A machine with such guests on two of its vCPUs. */
  const nesting = (...memory: { start: number; end: number }[][]): Machine =>
    ({ inspect: { nestedGuests: () => memory.map((each, vcpu) => ({ vcpu, running: vcpu === 1, memory: each })) } }) as unknown as Machine;

  it('is the memory of all guests in one list, each byte once', async () => {
    const machine = nesting(
      [{ start: 0x5000, end: 0x7000 }],
      [
        { start: 0x1000, end: 0x2000 },
        { start: 0x6000, end: 0x9000 },
      ],
    );
    expect(await answerQuery({ ask: 'nested-memory' }, context(machine))).toEqual({
      ranges: [
        { start: 0x1000, end: 0x2000 },
        { start: 0x5000, end: 0x9000 },
      ],
      bytes: 0x5000,
      guests: 2,
      running: [1],
    });
    expect(await answerQuery({ ask: 'nested-memory' }, context(await testMachine()))).toMatchObject({ ranges: [], guests: 0 });
  });

  it('is bounded: many ranges are joined over their gaps, and their bytes stay what they are', async () => {
    const scattered = Array.from({ length: PAGES }, (_unused, i) => ({ start: 2 * i * PAGE, end: (2 * i + 1) * PAGE }));
    const { ranges, bytes } = await answerQuery({ ask: 'nested-memory' }, context(nesting(scattered)));
    expect(ranges.length).toBeLessThanOrEqual(MAX_NESTED_RANGES);
    expect([ranges[0]!.start, ranges.at(-1)!.end]).toEqual([0, (2 * PAGES - 1) * PAGE]);
    expect(bytes).toBe(PAGES * PAGE);
  });
});

describe('dirty-heat', () => {
  it('shows written pages of a slot that logs, and the page under the pointer', async () => {
    const machine = await testMachine();
    const hva = machine.host.allocate(16 * PAGE, 'bare.40');
    machine.memory.setUserMemoryRegion({ slot: 40, flags: 1, guestPhysAddr: GIB4, memorySize: 16 * PAGE, userspaceAddr: hva });
    machine.physical.write(GIB4 + 5 * PAGE, Uint8Array.of(1));
    const spans = [{ from: GIB4, to: GIB4 + 16 * PAGE, columns: 16 }];
    const answer = await answerQuery({ ask: 'dirty-heat', spans, at: GIB4 + 5 * PAGE + 7 }, context(machine));
    expect([...answer.columns]).toEqual([0, 0, 0, 0, 0, HEAT_ALL, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]);
    expect(answer.at).toEqual({ slot: 40, dirty: true, dirtyPages: 1, pages: 16 });
    expect(answer.rings).toEqual([]);
    expect((await answerQuery({ ask: 'dirty-heat', spans, at: 0 }, context(machine))).at).toBeUndefined();
    const log = machine.memory.getDirtyLog(40);
    expect(log.ok && log.bitmap[0]).toBe(0x20);
  });

  it.each([
    [[{ from: 0, to: PAGE, columns: 4097 }], '4097 columns are requested, at most 4096'],
    [[{ from: PAGE, to: PAGE, columns: 1 }], 'a span from 4096 to 4096 is not a range of addresses'],
    [[{ from: 0, to: Number.NaN, columns: 1 }], 'a span from 0 to NaN is not a range of addresses'],
    [[{ from: 0, to: PAGE, columns: 0.5 }], 'a span has whole columns, at least 1, not 0.5'],
    [Array.from({ length: 1025 }, () => ({ from: 0, to: PAGE, columns: 1 })), '1025 spans are requested, at most 1024'],
  ])('refuses what is out of bounds', async (spans, reason) => {
    const machine = await testMachine();
    expect(() => answerQuery({ ask: 'dirty-heat', spans }, context(machine))).toThrow(reason);
  });
});

describe('page-walk', () => {
  it('takes an expression, and names what is none', async () => {
    const machine = await testMachine();
    const ask = (address: string) => answerQuery({ ask: 'page-walk', address }, context(machine));
    expect(ask('0x2000+8')).toMatchObject({ mode: 'off', page: { gpa: 0x2008 } });
    expect((await ask('$rip')).gva).toBe(machine.inspect.registers().rip & 0xffffffffn);
    for (const text of ['', '0x', '12x', '$nothing', '4 5']) expect(() => ask(text)).toThrow(`'${text}' is not an address (`);
  });
});

it('an unknown question is refused', async () => {
  const machine = await testMachine();
  expect(() => answerQuery({ ask: 'everything' } as unknown as Query & { ask: 'stats' }, context(machine))).toThrow('everything');
});

it('memslots-of lists the other address space', async () => {
  const machine = await testMachine();
  expect(answerQuery({ ask: 'memslots-of', asId: 1 }, context(machine))).toEqual([]);
  const hva = machine.host.allocate(PAGE, 'smram');
  machine.memory.setUserMemoryRegion({ slot: 3, asId: 1, guestPhysAddr: 0xa0000, memorySize: PAGE, userspaceAddr: hva });
  expect(answerQuery({ ask: 'memslots-of', asId: 1 }, context(machine))).toMatchObject([{ slot: 3, asId: 1, guestPhysAddr: 0xa0000 }]);
});
