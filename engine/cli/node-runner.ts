/** The loop of a machine in Node: other work of the process runs between stretches, by setImmediate. */
import { type Machine, Runner } from '../machine/index';

/** Resolves after the events that are pending now. */
export const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** `wallClock`: ms, monotonic. `onError`: the loop ended with an internal error; the machine is stopped. */
export function nodeRunner(machine: Machine, wallClock: () => number, onError?: (error: unknown) => void): Runner {
  return new Runner({
    machine,
    wallClock,
    yieldTurn: turn,
    setTimer: (wake, ms) => setTimeout(wake, ms),
    clearTimer: (timer) => clearTimeout(timer as NodeJS.Timeout),
    ...(onError ? { onError } : {}),
  });
}
