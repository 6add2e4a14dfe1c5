/** Applies everything that reaches the machine from outside, in the same way for a person and for a journal. */
import type { Machine, TypedInput } from '../machine/index';
import type { CommitLog, Monitor } from '../monitor/index';
import { refusalText } from '../replay/refusals';
import { type JournalInput, loadLayout } from '../snapshot/index';
import { stage } from './staging';
import type { StageAction } from './types';

export interface Reached {
  machine: Machine;
  monitor: Monitor;
  commits: CommitLog;
  typed: TypedInput;
}

/** Returns the answer, or a promise of it: an Answer for a monitor line. Throws the refusal of any other input as text. */
export function applyInput(input: JournalInput, { machine, monitor, commits, typed }: Reached): unknown {
  switch (input.kind) {
    case 'console':
      return typed.give(new TextEncoder().encode(input.text));
    case 'line':
      return monitor.answer(input.line);
    case 'run':
      return runAction(machine, input.action);
    case 'call':
      return travelled(input.method === 'undo' ? commits.undo() : commits.redo());
    case 'go-to':
      return travelled(commits.goTo(input.index));
    case 'stage':
      return stage(input.action as StageAction, machine, commits);
    case 'layout':
      return commits.group(`layout ${input.name}`, () => loadLayout(machine, input.text));
  }
}

function runAction(machine: Machine, action: 'stop' | 'cont' | 'reset' | 'step'): void {
  if (action === 'stop') machine.run.stop();
  else if (action === 'cont') machine.run.cont();
  else if (action === 'reset') machine.reset();
  else step(machine);
}

/** One instruction, even where a breakpoint stops the machine before it: a replay, which has none, runs it too. */
function step(machine: Machine): void {
  machine.run.stop();
  const { instructions } = machine.run;
  let stopped = false;
  const undo = machine.subscribe((event) => {
    stopped ||= event.type === 'watch-stop';
  });
  machine.run.advance(1);
  undo();
  if (stopped && machine.run.instructions === instructions) machine.run.advance(1);
}

function travelled(result: ReturnType<CommitLog['undo']>): string {
  if (typeof result === 'string') throw new Error(result);
  if (!result.commit.ok) throw new Error(refusalText(result.commit.refusals));
  return '';
}
