import { describe, expect, it } from 'vitest';
import type { Machine, MachineEvent, RunState } from './api';
import { Runner } from './runner';

/** A machine whose run.until follows a script and is then idle, and a loop with a clock and timers of the test. */
function rig(script: { idle: boolean; wakeIn?: number }[]) {
  let listener: (event: MachineEvent) => void = () => {};
  const calls: string[] = [];
  const timers: { wake: () => void; ms: number }[] = [];
  const machine = {
    subscribe(l: typeof listener) {
      listener = l;
      return () => {
        listener = () => {};
      };
    },
    run: {
      state: 'running' as RunState,
      until(deadline: number) {
        calls.push(`run ${deadline}`);
        return script.shift() ?? { idle: true };
      },
    },
  };
  const settled = () => new Promise<void>((resolve) => setImmediate(resolve));
  const runner = new Runner({
    machine: machine as unknown as Machine,
    wallClock: () => 100,
    yieldTurn: async () => {
      calls.push('yield');
    },
    setTimer: (wake, ms) => timers.push({ wake, ms }),
    clearTimer: () => calls.push('cleared'),
    onError: (error) => calls.push(String(error)),
  });
  return { runner, machine, calls, timers, settled, emit: (event: MachineEvent) => listener(event) };
}

describe('runner', () => {
  it('yields after each stretch while the guest is busy', async () => {
    const { runner, calls, settled } = rig([{ idle: false }, { idle: false }]);
    runner.start();
    await settled();
    expect(calls).toEqual(['run 108', 'yield', 'run 108', 'yield', 'run 108']);
    await runner.end();
  });

  it('sleeps until the next timer when idle, and wakes at once on input', async () => {
    const { runner, calls, timers, settled, emit } = rig([{ idle: true, wakeIn: 20e6 }]);
    runner.start();
    await settled();
    expect(timers.map((timer) => timer.ms)).toEqual([20]);
    emit({ type: 'wake' });
    await settled();
    expect(calls).toEqual(['run 108', 'cleared', 'run 108']);
    expect(timers.at(-1)!.ms).toBe(500);
    await runner.end();
  });

  it('does nothing while the machine is stopped, and continues when it runs again', async () => {
    const { runner, machine, calls, timers, settled, emit } = rig([]);
    machine.run.state = 'paused';
    runner.start();
    await settled();
    expect([calls, timers]).toEqual([[], []]);
    machine.run.state = 'running';
    emit({ type: 'state', state: 'running' });
    await settled();
    expect(calls).toEqual(['run 108']);
    await runner.end();
  });

  it('reports an internal error once and ends', async () => {
    const { runner, machine, calls, settled } = rig([]);
    machine.run.until = () => {
      throw new Error('broken');
    };
    runner.start();
    await settled();
    expect(calls).toEqual(['Error: broken']);
  });
});
