/**
 * -record, and -gdb for going back: records everything that reaches the machine with its position. At the end this is a replay, the same file that
 * the page exports.
 */

import type { Reverse } from '../debug/index';
import type { Machine, Runner, SerialConsole } from '../machine/index';
import { type Answer, type CommitLog, isInputLine, Monitor, type MonitorEnv } from '../monitor/index';
import { Recorder } from '../replay/recorder';
import { historyOf } from '../shell/history';
import { Loads } from '../shell/loads';
import { fileOf, linkTo, type Shared } from '../shell/sharing';
import { layoutFormat, loadLayout, MAX_LINK_RAM, snapshotFormat } from '../snapshot/index';
import { FlagError } from './chardev-flag';
import { turn } from './node-runner';
import { writeWhole } from './whole-file';

export interface RecordingOptions {
  /** Where to write the replay at the end; undefined: nowhere. */
  path?: string;
  machine: Machine;
  runner: Pick<Runner, 'hold'>;
  commits: CommitLog;
  makeFresh(): Promise<Machine>;
  linkBase: string;
  wallClock(): number;
  /** One line that no command asked for */
  tell(text: string): void;
}

export class Recording {
  /** The only monitor with -record. */
  private monitor: Monitor | undefined;
  /** Of a machine that gdb may go back over. */
  history: Reverse | undefined;
  private readonly recorder: Recorder;
  private readonly loads: Loads;
  private readonly shared: Shared;

  constructor(private readonly options: RecordingOptions) {
    const { machine, runner, makeFresh, linkBase, wallClock, tell, path } = options;
    const { ram } = machine.config;
    if (path !== undefined && ram > MAX_LINK_RAM)
      throw new FlagError(`-record ${path}: the machine has ${ram} bytes of RAM, a replay is read with ${MAX_LINK_RAM}`);
    this.recorder = new Recorder(machine, runner, (reason) => {
      if (path !== undefined) tell(`no replay can be made: ${reason}`);
      if (this.recorder.ended !== undefined) this.history?.end();
    });
    this.shared = { machine, recorder: this.recorder, makeFresh, linkBase, own: false, wallClock };
    const vcpu = (): number => this.monitor?.commandContext.state.vcpu ?? 0;
    const state = {
      get vcpu() {
        return vcpu();
      },
    };
    this.loads = new Loads({ machine, recorder: this.recorder, state, progress: () => {}, wallClock });
  }

  /** -S, and gdb. */
  stop(): void {
    this.recorder.take({ kind: 'run', action: 'stop' }, () => this.options.machine.run.stop());
  }

  cont(): void {
    this.recorder.take({ kind: 'run', action: 'cont' }, () => this.options.machine.run.cont());
  }

  /** gdb wrote something, which is not an input of a replay: history begins after it. */
  cut(reason: string): void {
    if (this.options.path !== undefined) this.recorder.cut(reason);
    else this.history?.begin();
  }

  /** From now on one can go back over the machine's past. */
  keepHistory(): void {
    const { machine, commits, wallClock } = this.options;
    this.history = historyOf({ machine, recorder: this.recorder, commits, wallClock, turn, runner: this.options.runner });
  }

  /** Is going back still possible? */
  get backwards(): Reverse | undefined {
    return this.recorder.ended === undefined ? this.history : undefined;
  }

  /** The monitor's environment with this recording. */
  readonly env: Pick<MonitorEnv, 'format' | 'snapshotFormat' | 'share'> = {
    format: {
      ...layoutFormat,
      load: (machine, text, name) =>
        this.recorder.take({ kind: 'layout', name, text }, () =>
          this.options.commits.group(`layout ${name}`, () => loadLayout(machine, text)),
        ),
    },
    snapshotFormat: { ...snapshotFormat, load: (_machine, bytes) => this.loads.load(bytes) },
    share: (what) => linkTo(what, this.shared),
  };

  makeMonitor(env: MonitorEnv): Monitor {
    this.monitor = new RecordedMonitor(this.options.machine, env, this.recorder);
    return this.monitor;
  }

  /** The guest's serial line. */
  get serial(): Pick<SerialConsole, 'input' | 'onRoom'> {
    const { serial } = this.options.machine;
    return {
      onRoom: (listener) => serial.onRoom(listener),
      input: (bytes) => {
        if (this.recorder.playing || this.recorder.past) return 0;
        const text = textOf(bytes);
        if (text === undefined) this.recorder.cut('the serial line received bytes that are not UTF-8 text');
        return this.recorder.take({ kind: 'console', text: text ?? '' }, () => serial.input(bytes));
      },
    };
  }

  /** The replay up to the present. The machine must not run meanwhile. Throws the reason if there is none. */
  async write(): Promise<void> {
    const { path } = this.options;
    if (path === undefined) return;
    await this.history?.home();
    await writeWhole(path, await fileOf('replay', this.shared));
  }
}

/** Records a line that changes the machine. */
export class RecordedMonitor extends Monitor {
  constructor(
    machine: Machine,
    env: MonitorEnv,
    private readonly recorder: Recorder,
  ) {
    super(machine, env);
  }

  protected override async run(line: string): Promise<Answer> {
    return isInputLine(line) ? this.recorder.take({ kind: 'line', line }, () => super.run(line)) : super.run(line);
  }
}

function textOf(bytes: Uint8Array): string | undefined {
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    return undefined;
  }
}
