/** -replay with -gdb: a machine at the end of its replay, for a gdb that goes back from there. New inputs are appended to the recording. */
import type { Reverse } from '../debug/index';
import type { Machine, Runner } from '../machine/index';
import type { CommitLog } from '../monitor/index';
import type { Recorder } from '../replay/recorder';
import { layoutFormat } from '../snapshot/index';
import type { LabProcess, Opened } from './connection';
import { GdbServer } from './gdb-server';
import { noLayouts } from './layout-store';
import { turn } from './node-runner';
import { RecordedMonitor } from './recording';

export interface ReplayDebugging {
  machine: Machine;
  runner: Runner;
  recorder: Recorder;
  commits: CommitLog;
  reverse: Reverse;
  opened: Opened;
  host: LabProcess;
  wallClock(): number;
}

/** Serves gdb until it kills the machine or a signal ends `lab`. */
export async function debugReplay({
  machine,
  runner,
  recorder,
  commits,
  reverse,
  opened,
  host,
  wallClock,
}: ReplayDebugging): Promise<void> {
  const env = { layouts: noLayouts, format: layoutFormat, linkBase: '', quit: () => {}, wallClock, commits };
  const monitor = new RecordedMonitor(machine, env, recorder);
  const stop = (): void => recorder.take({ kind: 'run', action: 'stop' }, () => machine.run.stop());
  stop();
  await new Promise<void>((finish) => {
    const server = new GdbServer(
      {
        machine,
        hold: () => runner.hold(),
        stop,
        cont: () => recorder.take({ kind: 'run', action: 'cont' }, () => machine.run.cont()),
        // Whatever follows the end of a replay, or deviates from it, is a new history.
        changed: () => reverse.begin(),
        monitor: (line) => monitor.execute(line),
        turn,
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
