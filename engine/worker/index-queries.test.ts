/** The page's queries about the index, on a real machine. */
import { describe, expect, it } from 'vitest';
import { testMachine } from '../monitor/testing';
import { answerQuery } from './queries';

const clock = { monotonic: () => performance.now(), yieldTurn: () => new Promise<void>((done) => setImmediate(done)) };

describe('index', () => {
  it('returns the machine’s slots in three forms, and where a gpa is found', async () => {
    const machine = await testMachine();
    const digest = await machine.digest();
    const slots = machine.memory.memslots();
    const { baseGfn, slot } = slots.at(-1)!;
    const view = await answerQuery({ ask: 'index', gpa: baseGfn * 4096 + 5 }, { machine, clock });
    expect(view.inUse).toBe('btree');
    expect(view.lookup).toEqual({ gpa: baseGfn * 4096 + 5, gfn: baseGfn });
    expect(view.active).toMatchObject({ generation: machine.memory.generation(), slots: slots.length, found: { slot, invalid: false } });
    expect(view.inactive).toMatchObject({ standing: 'same', slots: slots.length });
    expect(view.active.structures.map(({ index }) => index)).toEqual(['array', 'rbtree', 'btree']);
    expect(structuredClone(view)).toEqual(view);
    expect(await machine.digest()).toBe(digest);
  });

  it('lets others have their turn while it indexes many slots, and answers with what is there at its end', async () => {
    const machine = await testMachine();
    const { userspaceAddr } = machine.memory.memslots()[0]!;
    const many = Array.from({ length: 6000 }, (_, n) => ({
      slot: 100 + n,
      guestPhysAddr: 2 ** 40 + n * 8192,
      memorySize: 4096,
      userspaceAddr,
    }));
    expect(machine.memory.changeUserMemoryRegions(many).ok).toBe(true);
    let turns = 0;
    const others = {
      ...clock,
      yieldTurn: async () => {
        turns += 1;
        expect(machine.memory.changeUserMemoryRegions([{ ...many[turns]!, memorySize: 0 }]).ok).toBe(true);
      },
    };
    const view = await answerQuery({ ask: 'index', gpa: 2 ** 40 }, { machine, clock: others });
    expect(turns).toBe(2);
    const slots = machine.memory.memslots().length;
    expect(view.active).toMatchObject({ slots, differs: 0, found: { slot: 100 }, generation: machine.memory.generation() });
    expect(view.active.structures.map(({ nodes }) => nodes)[1]).toBe(slots);
    await answerQuery({ ask: 'index', gpa: 2 ** 40 }, { machine, clock: others });
    expect(turns).toBe(2);
  });

  it.each([-1, 0.5, Number.NaN, '0x1000' as unknown as number])('refuses gpa %s', async (gpa) => {
    const machine = await testMachine();
    expect(() => answerQuery({ ask: 'index', gpa }, { machine, clock })).toThrow(
      `gpa is ${String(gpa)}: use a whole number of bytes from 0`,
    );
  });

  it('measures as the page asks for it', async () => {
    const machine = await testMachine();
    const { slots, rows } = await answerQuery({ ask: 'index-bench', slots: 6 }, { machine, clock });
    expect([slots, rows.length]).toEqual([6, 3]);
  });
});
