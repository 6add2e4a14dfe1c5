/** Loads machine snapshots into the running machine, and takes a load back: keeps the previous machine, if it is not too large. */
import type { Machine, MachineState } from '../machine/index';
import type { Recorder } from '../replay/recorder';
import { loadMachine, packMachine } from '../snapshot/index';

/** Most RAM, bytes, to keep for taking a load back. */
const MOST = 256 * 1024 * 1024;

export interface LoadsOptions {
  machine: Machine;
  recorder: Recorder;
  /** The monitor's current vCPU. */
  state: { vcpu: number };
  progress(done: number, total: number): void;
  /** ms since 1970 */
  wallClock(): number;
}

export class Loads {
  private kept: { state: MachineState; vmClockNs: number; icount: number } | undefined;

  constructor(private readonly options: LoadsOptions) {}

  /** Returns the reason, one line, if the file is refused; then the machine is unchanged. */
  async load(bytes: Uint8Array): Promise<string | undefined> {
    const { machine, recorder, state, progress } = this.options;
    if (recorder.playing) return 'a replay is running: cancel it, or wait for its end';
    let before: Loads['kept'];
    const reason = await loadMachine(machine, bytes, progress, () => {
      before = { state: machine.snapshot.capture(), vmClockNs: machine.run.guestTimeNs, icount: machine.run.instructions };
    });
    if (reason !== undefined) return reason;
    this.kept = before && sizeOf(before.state) <= MOST ? before : undefined;
    recorder.startFrom(bytes, state);
    return undefined;
  }

  /** A file of the machine before the last load. Throws if there is none. */
  async before(): Promise<Uint8Array> {
    const { kept, options } = this;
    if (!kept) throw new Error('no snapshot was loaded: there is nothing to go back to');
    const { state, ...counts } = kept;
    return packMachine(state, { date: options.wallClock(), ...counts });
  }
}

const sizeOf = ({ ram }: MachineState): number => ram.reduce((sum, { bytes }) => sum + bytes.length, 0);
