/** The interface of a monitor command, and what the monitor needs from its host. */
import type { Machine, NamedSnapshot, SnapshotMeta } from '../machine/index';
import type { MemoryRegion } from '../memory/types';
import type { CommitLog } from './commit-log';

/** The result of a line. */
export type Answer =
  /** `text`: HMP's output, '' or lines, each ended by "\n". */
  | { text: string; failed: false }
  /** The command was refused or mistyped, and changed nothing. `reason`: why, one line per reason, without HMP's "Error: ". */
  | { text: string; failed: true; reason: string };

/** A wrong or refused command. HMP prints "Error: " before each reason, QMP sends the first line of the first one as `desc`. */
export class CommandError extends Error {
  readonly reasons: readonly string[];

  constructor(
    reasons: string | readonly string[],
    /** QMP's error class. */
    readonly errorClass: 'GenericError' | 'CommandNotFound' | 'DeviceNotActive' | 'DeviceNotFound' = 'GenericError',
  ) {
    const all = typeof reasons === 'string' ? [reasons] : reasons;
    super(all.join('\n'));
    this.reasons = all;
  }
}

/** Wrong arguments: HMP prints the text unchanged, then `Try "help CMD" for more information`. */
export class UsageError extends Error {}

/** Saved layouts by name; the page keeps them in IndexedDB, `lab` in a folder. */
export interface LayoutStore {
  get(name: string): Promise<string | undefined>;
  set(name: string, text: string): Promise<void>;
  delete(name: string): Promise<void>;
  keys(): Promise<string[]>;
}

/** The layout format (engine/snapshot), passed in because the monitor must not import it. */
export interface LayoutFormat {
  /** The machine's current layout as JSON text, with these breakpoints. */
  capture(machine: Machine, breakpoints?: readonly string[]): string;
  /** Splits a layout into one without breakpoints, and these; undefined: it would be refused. */
  parts(text: string): { memory: string; breakpoints: readonly string[] } | undefined;
  /** Applies a layout, completely or not at all; returns the reason, one line, if it is refused. `name`: the name of the saved layout. */
  load(machine: Machine, text: string, name: string): Promise<string | undefined>;
  /** The resulting memslots, with hva -1 for memory to be allocated; undefined: it would be refused. */
  regions(machine: Machine, text: string): MemoryRegion[] | undefined;
  /** A link that opens this layout: base + "#l=...". */
  link(text: string, base: string): Promise<string>;
}

/** Machine snapshots by name; the page keeps them in IndexedDB, `lab` in a folder. An interrupted put leaves the previous snapshot. */
export interface SnapshotStore {
  put(name: string, bytes: Uint8Array, meta: NamedSnapshot): Promise<void>;
  get(name: string): Promise<Uint8Array | undefined>;
  /** Does nothing if there is none. */
  delete(name: string): Promise<void>;
  list(): Promise<NamedSnapshot[]>;
}

/** The machine snapshot format (engine/snapshot), passed in because the monitor must not import it. */
export interface SnapshotFormat {
  /** date: ms since 1970 */
  save(machine: Machine, date: number): Promise<{ bytes: Uint8Array; meta: SnapshotMeta }>;
  /** All or nothing; returns the reason, one line, if the file is refused. */
  load(machine: Machine, bytes: Uint8Array): Promise<string | undefined>;
}

export interface MonitorEnv {
  layouts: LayoutStore;
  format: LayoutFormat;
  /** Absent: savevm and loadvm report that there is no place for snapshots. */
  snapshots?: SnapshotStore;
  snapshotFormat?: SnapshotFormat;
  /** Base of links from `share`, before "#l=...". */
  linkBase: string;
  /** share -s and -r: a link to the machine's state or to a replay. Absent: there is no page to open one. Throws with a reason. */
  share?(what: 'state' | 'replay'): Promise<string>;
  quit(): void;
  /** Wall clock, ms since 1970: dates in `info generations`. */
  wallClock?: () => number;
  /** gdbserver [CHARDEV|none]: returns the line to print. Throws with a reason; absent if nothing can listen (the page). */
  gdbserver?(device: string | undefined): Promise<string>;
  /** memsave, pmemsave and logfile: writes a file. Throws with a reason; absent if there are no files (the page). */
  writeFile?(name: string, bytes: Uint8Array): Promise<void>;
  /** Shows lines between prompts (`log`). Absent: `log` reports that nothing would show them. */
  print?(text: string): void;
  /** Shared by all monitors of a machine. Absent: the monitor keeps its own. */
  commits?: CommitLog;
}

/** The result of parsing `/fmt`. `size` is in bytes, -1 if the format has none. */
export interface Format {
  count: number;
  format: 'x' | 'd' | 'u' | 'o' | 'c' | 'i';
  size: number;
}

export type ArgValue = string | number | bigint | boolean | Format | Map<string, string> | string[] | number[];
export type Args = Map<string, ArgValue>;

/** State that QEMU keeps between two commands. */
export interface MonitorState {
  /** The default of the next /fmt, as in QEMU. */
  format: Format['format'];
  size: number;
  /** Set by `cpu`. */
  vcpu: number;
  /** False until the machine first runs: QEMU calls that "prelaunch". */
  launched: boolean;
  history: string[];
  logItems: Set<string>;
  /** Saved layouts at the last listing, for completion, which cannot wait. */
  layoutNames: string[];
  /** Machine snapshots, likewise. */
  snapshotNames: string[];
}

export interface Context {
  machine: Machine;
  env: MonitorEnv;
  state: MonitorState;
  commits: CommitLog;
  /** For help and completion. */
  commands: readonly Command[];
}

export interface QmpBinding {
  /** "object-add" */
  name: string;
  /** Accepted members; `true`: required. 'int': number, or bigint beyond 2^53 (signed 64 bits). 'any' members are passed on unchanged. */
  members: Record<string, { type: 'str' | 'bool' | 'int' | 'any'; required?: boolean }>;
  /** Members beyond `members` are passed on, too, instead of being refused. */
  open?: boolean;
  run(context: Context, members: Record<string, unknown>): unknown;
}

export type Result = string | undefined | Answer;

export interface Command {
  /** "stop", or "stop|s": names in the order of help. */
  name: string;
  /**
   * QEMU's args_type: "name:type,...", types s (string), F (file name), S (rest of the line), O (QemuOpts), i (32 bit), l (64 bit), / (format),
   * -x (flag), M (MiB, handed over as bytes), ? after a type: optional, "i.": optional after a dot. Ours: z (a number with an optional k M G T P E suffix), n* (one number or more).
   */
  args: string;
  /** As shown by help. */
  params: string;
  help: string;
  /** Origin of the command. */
  origin: 'qemu' | 'lab';
  /** It changes the machine and nothing else: its line belongs in a replay's journal, and may come from one. */
  input?: true;
  sub?: readonly Command[];
  /** Returns its output, or an Answer if it is refused in its own words. Throws CommandError or MachineError if it is refused. */
  run?(context: Context, args: Args): Result | Promise<Result>;
  /** Candidates for the word being typed; `words` are the complete arguments before it. */
  complete?(context: Context, word: string, words: readonly string[]): string[];
  qmp?: QmpBinding;
}

export const getString = (args: Args, name: string): string | undefined => args.get(name) as string | undefined;
export const getNumber = (args: Args, name: string): number | undefined => args.get(name) as number | undefined;
export const getBig = (args: Args, name: string): bigint => args.get(name) as bigint;
export const getFlag = (args: Args, name: string): boolean => args.get(name) === true;
