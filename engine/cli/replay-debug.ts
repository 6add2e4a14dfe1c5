/** -replay with -gdb: a machine that stands at the end of its replay, for a gdb that goes back from there. */
import type { Reverse } from '../debug/index';
import { type Machine, Runner } from '../machine/index';
import { type CommitLog, Monitor } from '../monitor/index';
import { layoutFormat } from '../snapshot/index';
import type { LabProcess, Opened } from './connection';
import { GdbServer } from './gdb-server';

export interface ReplayDebugging {
  machine: Machine;
  commits: CommitLog;
  reverse: Reverse;
  opened: Opened;
  host: LabProcess;
  wallClock(): number;
}

/** Serves gdb until it kills the machine or a signal ends `lab`. */
export async function debugReplay({ machine, commits, reverse, opened, host, wallClock }: ReplayDebugging): Promise<void> {
  const runner = new Runner({
    machine,
    wallClock,
    yieldTurn: () => new Promise((resolve) => setImmediate(resolve)),
    setTimer: (wake, ms) => setTimeout(wake, ms),
    clearTimer: (timer) => clearTimeout(timer as NodeJS.Timeout),
  });
  const none = async (): Promise<never> => {
    throw new Error('a replay has no saved layouts');
  };
  const layouts = { get: none, set: none, delete: none, keys: async () => [] };
  const monitor = new Monitor(machine, { layouts, format: layoutFormat, linkBase: '', quit: () => {}, wallClock, commits });
  machine.run.stop();
  await new Promise<void>((finish) => {
    const server = new GdbServer(
      {
        machine,
        hold: () => runner.hold(),
        stop: () => machine.run.stop(),
        cont: () => machine.run.cont(),
        // What is behind the end of a replay, or beside it, is a history of its own.
        changed: () => reverse.begin(),
        monitor: (line) => monitor.execute(line),
        turn: () => new Promise((resolve) => setImmediate(resolve)),
        wallClock,
        quit: () => finish(),
        backwards: reverse,
      },
      host,
    );
    server.serve(opened);
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) host.on(signal, finish);
    runner.start();
  });
  machine.run.stop();
  await runner.end();
}
