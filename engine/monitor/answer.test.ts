import { beforeAll, describe, expect, it } from 'vitest';
import type { Monitor } from './monitor';
import { testMonitor } from './testing';

let monitor: Monitor;

beforeAll(async () => {
  ({ monitor } = await testMonitor());
});

describe('an answer', () => {
  it('is printed if nothing failed', async () => {
    expect(await monitor.answer('info status')).toEqual({ text: 'VM status: paused (prelaunch)\n', failed: false });
    expect(await monitor.answer('   ')).toEqual({ text: '', failed: false });
    expect(await monitor.answer('p 6 * 7')).toEqual({ text: '0x2a\n', failed: false });
  });

  it('has the reason of a refusal without "Error: "', async () => {
    expect(await monitor.answer('object_del nobody')).toEqual({
      text: "Error: object 'nobody' not found\n",
      failed: true,
      reason: "object 'nobody' not found",
    });
  });

  it('has each reason of a commit that is refused for several', async () => {
    const answer = await monitor.answer('memslot_add 0 0x100 4096');
    expect(answer).toMatchObject({ failed: true, reason: expect.stringMatching(/^EEXIST: .*\nEINVAL: .*0x100/) });
    expect(answer.text.match(/^Error: E/gm)).toHaveLength(answer.failed ? answer.reason.split('\n').length : 0);
  });

  it('fails for a line that is mistyped, in the words of the parser', async () => {
    expect(await monitor.answer('nonsense 1')).toEqual({
      text: "unknown command: 'nonsense'\n",
      failed: true,
      reason: "unknown command: 'nonsense'",
    });
    expect(await monitor.answer('memslot_move 3')).toEqual({
      text: 'unexpected end of expression\nTry "help memslot_move" for more information\n',
      failed: true,
      reason: 'unexpected end of expression',
    });
  });

  it('fails for a change set that is refused, with the entries at fault', async () => {
    for (const line of ['changeset_begin', 'memslot_add 40 0x1000 4k']) expect((await monitor.answer(line)).failed).toBe(false);
    const check = await monitor.answer('changeset_check');
    expect(check).toMatchObject({ text: expect.stringMatching(/^entry 1: EEXIST: /), failed: false });
    const commit = await monitor.answer('changeset_commit');
    expect(commit).toEqual({ text: check.text, failed: true, reason: check.text.trimEnd() });
    await monitor.answer('changeset_commit -s');
    expect(await monitor.answer('changeset_step -a')).toEqual({
      text: `validate: refused, the change set stays open\n${check.text}`,
      failed: true,
      reason: check.text.trimEnd(),
    });
  });
});
