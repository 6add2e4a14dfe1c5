/** Any input gets an answer, never an exception, and the commands named below do not change the layout when they are refused. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { commands, infoCommands } from './table';
import { testMonitor } from './testing';

const runs = Number(process.env.LAB_SOAK_RUNS ?? 300);

const names = commands.flatMap((command) => command.name.split('|')).filter((name) => name !== 'cont' && name !== 'c');
const word = fc.oneof(
  fc.constantFrom(...names, ...infoCommands.map((command) => command.name)),
  fc.constantFrom(
    '/4xg',
    '/',
    '$rip',
    '-f',
    '-l',
    '-r',
    '""',
    '"',
    '0x100000',
    '4G',
    '-1',
    '3',
    '(1',
    "'",
    ',',
    'id=m1,size=2M',
    'memory-backend-ram,',
    'pc-dimm,',
  ),
  fc.string({ maxLength: 12 }),
);
const line = fc.array(word, { maxLength: 6 }).map((words) => words.join(' '));

describe('any line', () => {
  it('gets an answer and leaves the machine whole', async () => {
    const { monitor, machine } = await testMonitor();
    await fc.assert(
      fc.asyncProperty(line, async (text) => {
        const before = machine.memory.memslots().length;
        const answer = await monitor.execute(text);
        expect(answer).not.toContain('internal error');
        expect(answer === '' || answer.endsWith('\n')).toBe(true);
        for (const candidate of monitor.complete(text)) expect(typeof candidate).toBe('string');
        expect(Math.abs(machine.memory.memslots().length - before)).toBeLessThan(4);
      }),
      { seed: 20210202, numRuns: runs },
    );
  }, 600_000);
});
