import { describe, expect, it } from 'vitest';
import type { MachineParts } from '../machine/parts';
import { Monitor } from './monitor';
import { testEnv, testMachine } from './testing';

async function lab() {
  const machine = await testMachine();
  const monitor = new Monitor(machine, testEnv());
  const { commits } = monitor.commandContext;
  const say = async (...lines: string[]) => {
    for (const line of lines) expect(await monitor.execute(line), line).not.toMatch(/^Error/);
  };
  return { machine, commits, say };
}

describe('the history', () => {
  it('shows what differs between any two entries, also in host memory and over several commits', async () => {
    const { commits, say } = await lab();
    await say('memslot_add 20 1T 2M', 'memslot_rehost 20', 'memslot_move 20 2T', 'memslot_flags 20 -l', 'memslot_del 20');
    expect(commits.difference(1, 2)).toMatchObject([{ slot: 20, before: { gpa: 2 ** 40 }, after: { gpa: 2 ** 40 } }]);
    const [rehosted] = commits.difference(1, 2);
    expect(rehosted!.after!.hva).not.toBe(rehosted!.before!.hva);
    expect(commits.difference(1, 4)).toMatchObject([{ before: { gpa: 2 ** 40, flags: 0 }, after: { gpa: 2 ** 41, flags: 1 } }]);
    expect(commits.difference(4, 1)).toMatchObject([{ before: { gpa: 2 ** 41, flags: 1 }, after: { gpa: 2 ** 40, flags: 0 } }]);
    expect(commits.difference(0, 5)).toEqual([]);
    expect(commits.difference(3, 3)).toEqual([]);
    expect(
      commits
        .entries()
        .map(({ title }) => title)
        .slice(-2),
    ).toEqual(['20 +L', '- 20 bare.20']);
  });

  it('counts holes at the entry that was live when they were hit, also after undo', async () => {
    const { machine, commits, say } = await lab();
    const holes = () => commits.entries().map((entry) => entry.holes);
    const meet = (): void => void (machine as never as { parts: MachineParts }).parts.mmio.read(2 ** 43, 8);
    meet();
    expect(holes()).toEqual([1]);
    await say('memslot_add 20 1T 2M');
    meet();
    meet();
    await say('memslot_move 20 2T');
    meet();
    expect(holes()).toEqual([1, 2, 1]);
    await say('undo');
    meet();
    expect(holes()).toEqual([1, 3, 1]);
    expect(machine.inspect.holes.total).toBe(5);
  });
});
