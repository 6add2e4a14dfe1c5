/**
 * The parts of a guide: text, and steps as data. A step's condition is read from the live machine, so it does not matter how the step was done. Its
 * button runs a list of lines that a person could also type, and the pane shows them.
 */
import type { LabState } from '../../../engine/worker/protocol';
import type { Lab } from '../../lab/lab.svelte';

/** In the order of the list. */
export const GUIDE_IDS = ['move', 'exchange', 'swaps', 'flags', 'index', 'zap', 'compiled', 'kvm'] as const;
/** The first of them, for visitors who have not opened any. */
export const FIRST_GUIDE = { id: 'move', steps: 4 } as const;
export type GuideId = (typeof GUIDE_IDS)[number];

/** The guest's `watch` command, as seen on its console. */
export interface Watch {
  address: number;
  /** Generation of the layout when it began: commits after it were seen by the guest. */
  since: number;
}

/** What one run of a step measured here. Only numbers: the results table formats them. */
export type Measure = Readonly<Record<string, number>>;

/** What conditions look at. */
export interface Live {
  state: LabState;
  watch: Watch | undefined;
  /** Where the range starts that the guest's `sweep` reads. */
  sweep: number | undefined;
  /** The guest whose shell has reached its first prompt. */
  shell: string | undefined;
  /** The last line of kvm-memslots about an exchange: KVM's own figures. */
  exchanged: Measure | undefined;
  /** The guest's shell waits for a command. */
  atPrompt: boolean;
  measures: Readonly<Record<string, Measure>>;
}

/** What a line that is neither for the monitor nor for the console works with. */
export interface Tools {
  query: Lab['query'];
  command(line: string): Promise<string>;
  live(): Live;
  /** Rejects with the message if it does not come true in time. */
  until(condition: (live: Live) => boolean, words: string): Promise<void>;
  note(id: string, measure: Measure): void;
  pause(ms: number): Promise<void>;
}

/** `back`: restores a mode of the machine that the line changed and that `undo` does not restore. */
export type Line =
  | { at: 'monitor'; text: string; until?: Until; back?(live: Live): Line[] }
  | { at: 'console'; text: string; until?: Until }
  /** A button of the page; `text` says which. */
  | { at: 'page'; text: string; run(tools: Tools): Promise<void> };

/** What must come true before the next line. */
export interface Until {
  holds(live: Live): boolean;
  /** The message if it does not happen: "The guest did not ..." */
  else: string;
}

interface StepBase {
  id: string;
  title: string;
  /** Prose; `code` in backquotes. */
  text: string;
  /** How the machine differs from what the step requires, in one sentence; shown while the step is not done. */
  instead?(live: Live): string | undefined;
  /** Why this machine cannot do the step at all, in one sentence: a fresh one is offered. */
  blocked?(live: Live): string | undefined;
  lines(live: Live): Line[];
}

/** A condition that holds or not; required only while a later step still needs it. */
export interface StateStep extends StepBase {
  holds(live: Live): boolean;
  /** `did`: the lines that the step's button ran, where only what they made is to go. */
  undo?(live: Live, did?: readonly Line[]): Line[];
  /** Its result may exist in part, or next to a person's work: the button's own result can be undone while the step is not done. */
  makes?: true;
}

/** Done once its figure is known; `find` finds the figure in the machine's history, whoever caused it. */
export interface MeasureStep extends StepBase {
  measures: true;
  /** Undoing it undoes the steps after it too. */
  chained?: true;
  find?(live: Live): Measure | undefined;
  /** Takes the machine back to before the step, where that is possible now. */
  undo?(live: Live, did?: readonly Line[]): Line[] | undefined;
}

export type Step = StateStep | MeasureStep;

export interface Cell {
  text: string;
  tone?: 'ok' | 'bad' | 'warn';
}

export interface ResultTable {
  title: string;
  columns: string[];
  rows: { name: string; cells: Cell[] }[];
  /** Under the table: where the figures come from, or why one is missing. */
  note?: string;
}

export interface Guide {
  id: GuideId;
  title: string;
  /** One line for the list. */
  summary: string;
  /** The guest that it talks to; memlab when absent. */
  guest?: string;
  /** Its steps run while a commit is between its phases. */
  stepped?: true;
  /** The argument of 2021 that it tests, paraphrased. */
  argument: string;
  steps: Step[];
  results?(live: Live): ResultTable[];
  /** The conclusion, once all figures are known. */
  outcome(live: Live): string;
}
