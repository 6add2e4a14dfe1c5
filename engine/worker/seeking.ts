/**
 * Steps over calls and runs to lines, for the CPU pane. For the machine this is Run and Stop at exact positions, and the journal records just that.
 * In between it goes one instruction at a time, in short stretches, so that Stop and other messages are still handled.
 */
import type { Machine, Runner, SeekGoal } from '../machine/index';
import type { Recorder } from '../replay/recorder';
import { applyInput, type Reached } from '../shell/inputs';
import { codeBase, parseGva } from './cpu-view';
import type { SeekAnswer, ToWorker } from './protocol';

const STRETCH_MS = 8;
/** Instructions after which it stops and asks. */
export const MOST = 5_000_000;

export interface SeekingOptions extends Reached {
  runner: Pick<Runner, 'hold'>;
  recorder: Recorder;
  /** ms */
  monotonic(): number;
  yieldTurn(): Promise<void>;
}

/** Throws a one-line reason if it cannot start. The machine is stopped before and afterwards. */
export async function seek(message: Extract<ToWorker, { type: 'seek' }>, options: SeekingOptions): Promise<SeekAnswer> {
  const { machine, recorder, runner, monotonic, yieldTurn } = options;
  if (machine.run.state !== 'paused') throw new Error(`the guest is not stopped: it is ${machine.run.state}`);
  const go = machine.run.seek(goalOf(message, machine));
  const began = machine.run.instructions;
  const release = runner.hold();
  try {
    take(options, 'cont');
    for (;;) {
      // Another input may take several turns, and may stop the machine.
      const how = recorder.busy ? 'going' : go(MOST - (machine.run.instructions - began), monotonic() + STRETCH_MS);
      if (how !== 'going') {
        const instructions = machine.run.instructions - began;
        if (how === 'ended' || !runs(machine)) return { how: 'stopped', instructions };
        take(options, 'stop');
        return { how, instructions };
      }
      await yieldTurn();
    }
  } finally {
    release();
  }
}

const runs = (machine: Machine): boolean => machine.run.state === 'running';

const take = (options: SeekingOptions, action: 'cont' | 'stop'): void => {
  const input = { kind: 'run', action } as const;
  options.recorder.take(input, () => applyInput(input, options));
};

function goalOf({ vcpu, to, stack }: Extract<ToWorker, { type: 'seek' }>, machine: Machine): SeekGoal {
  if (to === undefined) return { vcpu };
  const rip = BigInt.asUintN(64, parseGva(to) - codeBase(machine.inspect.registers(vcpu)));
  return stack === undefined ? { vcpu, rip } : { vcpu, rip, rsp: parseGva(stack) };
}
