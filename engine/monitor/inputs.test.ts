/** Every command is either an input of the machine, which a replay repeats, or listed below, so that each new command needs a decision. */
import { describe, expect, it } from 'vitest';
import { isInputLine } from './monitor';
import { commands } from './table';

/** They only read, or act outside the machine: on recordings, on files, on the monitor itself. loadvm and layout_load are recorded by what they load. */
const NO_INPUT = [
  'breakpoint_add',
  'breakpoint_del',
  'breakpoint_disable',
  'breakpoint_enable',
  'changeset_check',
  'delvm',
  'gdbserver',
  'generation_diff',
  'gpa2hva',
  'gva2gpa',
  'help|?',
  'info',
  'layout_del',
  'layout_list',
  'layout_load',
  'layout_save',
  'loadvm',
  'log',
  'memsave',
  'pmemsave',
  'print|p',
  'qom-get',
  'qom-list',
  'quit|q',
  'replay_seek',
  'savevm',
  'share',
  'sum',
  'symbol',
  'trace-event',
  'trace_clear',
  'trace_dump',
  'who_wrote',
  'x',
  'xp',
];

describe('inputs', () => {
  it('are all commands that change the machine, and no others', () => {
    expect(
      commands
        .filter((command) => !command.input)
        .map(({ name }) => name)
        .sort(),
    ).toEqual(NO_INPUT);
  });

  it('are recognized by their line, whatever it contains', () => {
    for (const line of ['stop', ' s', 'o /b 0x80 1', 'memslot_move 5 1T', 'cpu 0']) expect(isInputLine(line), line).toBe(true);
    for (const line of ['', ' ', 'info status', 'savevm stop', 'stop;quit', 'nope', `stop ${' '.repeat(70_000)}`])
      expect(isInputLine(line), line.slice(0, 20)).toBe(false);
  });
});
