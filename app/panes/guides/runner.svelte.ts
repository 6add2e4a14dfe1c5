/**
 * The guides' state: which one is open, what was measured, and the line in progress. It follows the machine all the time, so that actions before a
 * guide was opened count.
 */

import { listGuests, MEMLAB } from '../../lab/guests';
import type { Lab } from '../../lab/lab.svelte';
import { guideLink, showGuideInAddress } from '../../lab/links';
import { DEFAULT_MEMORY } from '../../lab/machine-flags';
import { Late } from '../../shared/late.svelte';
import { GuestTalk } from './guest-talk';
import { BUILD, type Kept, type KeptMeasures, loadKept, saveKept } from './kept';
import {
  GUIDE_IDS,
  type Guide,
  type GuideId,
  type Line,
  type Live,
  type Measure,
  type MeasureStep,
  type Step,
  type Tools,
  type Until,
  type Watch,
} from './types';

/** ms: longer than a guest needs for any line of a guide, also on a busy machine. */
const PATIENCE = 15_000;

export type StepState = 'done' | 'now' | 'later' | 'passed';

/** Why no step can be done now, and the button that fixes it. */
export interface Obstacle {
  text: string;
  button: string;
  mend(): void;
}

export class Guides {
  readonly #lab: Lab;
  readonly all: Late<readonly Guide[], { GUIDES: readonly Guide[] }>;
  readonly #talk = new GuestTalk();
  /** The guide in the pane; 'list': all of them. */
  open = $state<GuideId | 'list'>('list');
  shown = $state(false);
  /** Step that a button is doing. */
  busy = $state.raw<{ guide: GuideId; step: string; lines: Line[] } | undefined>(undefined);
  /** Why the last button failed. */
  trouble = $state.raw<{ guide: GuideId; step: string; text: string } | undefined>(undefined);
  #watch = $state.raw<Watch | undefined>(undefined);
  #sweep = $state<number | undefined>(undefined);
  #atPrompt = $state(false);
  #shell = $state<string | undefined>(undefined);
  #exchanged = $state.raw<Measure | undefined>(undefined);
  #measures = $state.raw<Readonly<Partial<Record<GuideId, Readonly<Record<string, Measure>>>>>>({});
  /** Figures of this visit or an earlier one, for when their machine is gone. */
  #kept = $state.raw<Kept>(loadKept());
  /** Guides whose stored figures belong to the running machine. */
  #current = new Set<GuideId>();
  /** Commits up to this generation happened before a step was undone, and do not count for it again. */
  #forgotten = new Map<string, number>();
  #heardGeneration = -1;
  /** Steps that a button of the guide has done on this machine, with the lines that it ran: "exchange plug". */
  readonly #acted = new Map<string, readonly Line[]>();
  /** Functions that restore the modes changed by steps on this machine, last change first. */
  readonly #backs = new Map<string, ((live: Live) => Line[])[]>();

  /** `fetch` loads them, in the order of the list. */
  constructor(lab: Lab, fetch: () => Promise<{ GUIDES: readonly Guide[] }>) {
    this.#lab = lab;
    this.all = new Late(fetch, ({ GUIDES }) => GUIDES);
    lab.console.listeners.add((text) => this.#hear(text));
  }

  guide: Guide | undefined = $derived.by(() => this.all.value?.find((guide) => guide.id === this.open));

  /** For the page's effect: records figures, follows the address, forgets them with the machine. Returns a function that ends it. */
  follow(): () => void {
    const linked = () => {
      const id = guideLink(location.hash);
      const known = GUIDE_IDS.find((each) => each === id);
      if (known) this.show(known);
      else if (id !== undefined) {
        this.show('list');
        this.#lab.say({ text: `There is no guide “${id}”. There are ${GUIDE_IDS.join(', ')}.` });
      }
    };
    // Back closes the guide that its address had opened.
    const stepped = () => {
      if (!location.hash && this.shown) this.shown = false;
      else linked();
    };
    linked();
    addEventListener('popstate', stepped);
    const stop = $effect.root(() => {
      $effect(() => this.#notice());
    });
    return () => {
      removeEventListener('popstate', stepped);
      stop();
    };
  }

  show(id: GuideId | 'list' = this.open): void {
    void this.all.load();
    this.open = id;
    this.shown = true;
    showGuideInAddress(id === 'list' ? undefined : id);
  }

  hide(): void {
    this.shown = false;
    showGuideInAddress(undefined);
  }

  live(id: GuideId): Live | undefined {
    const state = this.#lab.state;
    const heard = { watch: this.#watch, sweep: this.#sweep, atPrompt: this.#atPrompt, shell: this.#shell, exchanged: this.#exchanged };
    return state && { state, ...heard, measures: this.#measures[id] ?? {} };
  }

  /** What was measured on a machine that is gone. */
  earlier(id: GuideId): KeptMeasures | undefined {
    const kept = this.#kept[id];
    return kept && kept.measures !== this.#measures[id] ? kept : undefined;
  }

  forgetEarlier(id: GuideId): void {
    this.#keep(id, undefined);
  }

  isDone(step: Step, live: Live): boolean {
    return 'measures' in step ? live.measures[step.id] !== undefined : step.holds(live);
  }

  /** Index of the next step; the number of steps if none is left. States that no later figure needs are skipped. */
  at(guide: Guide, live: Live): number {
    const wanted = guide.steps.findLastIndex((step) => 'measures' in step && !this.isDone(step, live));
    const next = guide.steps.findIndex((step, index) => index <= wanted && !this.isDone(step, live));
    return next < 0 ? guide.steps.length : next;
  }

  stateOf(guide: Guide, index: number, live: Live): StepState {
    const step = guide.steps[index];
    const at = this.at(guide, live);
    if (step && this.isDone(step, live)) return 'done';
    return index === at ? 'now' : index < at ? 'passed' : 'later';
  }

  obstacle(guide: Guide): Obstacle | undefined {
    const { state, phase, loading } = this.#lab;
    if (!state || loading) return undefined;
    if (phase === 'stopped') return { text: 'The machine has ended.', button: 'Restart', mend: () => this.#lab.starter.restart() };
    if (this.#lab.held) return { text: this.#lab.held, button: 'Cancel the replay', mend: () => this.#lab.cancelReplay() };
    const wanted = guide.guest ?? MEMLAB.name;
    const anew = () => this.startAnew(guide);
    if (state.guest !== wanted) {
      const name = state.guest ?? 'no guest';
      return {
        text: `This guide needs the guest ${wanted}, and ${name} runs. Starting ${wanted} ends it.`,
        button: `Start ${wanted}`,
        mend: anew,
      };
    }
    if (state.config.slots < 2) {
      return { text: 'This machine has too few DIMM slots (-m slots=).', button: `Start ${wanted} anew`, mend: anew };
    }
    if (state.run === 'paused') return { text: 'The guest is stopped.', button: 'Run', mend: () => this.#lab.run('cont') };
    if (state.run !== 'running') return { text: 'The guest has crashed.', button: 'Reset', mend: () => this.#lab.run('reset') };
    if (state.condition) return { text: 'The guest has halted.', button: 'Reset', mend: () => this.#lab.run('reset') };
    if (this.busy) return undefined;
    const live = this.live(guide.id);
    const blocked = live && guide.steps[this.at(guide, live)]?.blocked?.(live);
    if (blocked) return { text: blocked, button: `Start ${wanted} anew`, mend: anew };
    if (state.stepping) {
      const finish = () => void this.#lab.command('changeset_step -a').catch(() => {});
      return guide.stepped ? undefined : { text: 'A commit is between its phases.', button: 'Run it to its end', mend: finish };
    }
    if (!state.changeSet.open) return undefined;
    const entries = state.changeSet.entries.length;
    const text = `A change set is open with ${entries === 1 ? '1 entry' : `${entries} entries`}: commit or abort it, since the step makes its own.`;
    return { text, button: 'Abort it', mend: () => void this.#lab.command('changeset_abort').catch(() => {}) };
  }

  /** Continues when a step could not be done: restarts its guest. Figures stay, marked as of an earlier machine. */
  startAnew(guide?: Guide): void {
    this.trouble = undefined;
    void this.#start(guide?.guest ?? MEMLAB.name);
  }

  async #start(name: string): Promise<void> {
    const guest = name === MEMLAB.name ? MEMLAB : (await listGuests().catch(() => [])).find((each) => each.name === name);
    if (guest) await this.#lab.starter.boot({ guest, memory: guest.memory ?? DEFAULT_MEMORY });
    else this.#lab.say({ text: `${name} is not prepared here: npm run guests -- ${name}` });
  }

  /** The step's own lines, one after another; errors are shown at the step. */
  async act(guide: Guide, step: Step): Promise<void> {
    const live = this.live(guide.id);
    if (!live) return;
    const key = `${guide.id} ${step.id}`;
    const lines = step.lines(live);
    await this.#run(guide, step, lines);
    if (!this.trouble) this.#acted.set(key, [...(this.#acted.get(key) ?? []), ...lines]);
  }

  canUndo(guide: Guide, step: Step): boolean {
    const live = this.live(guide.id);
    return live !== undefined && this.isDone(step, live) && ('measures' in step || step.undo !== undefined);
  }

  /** Reverts the machine if possible, and forgets the figure. */
  async undo(guide: Guide, step: Step, did?: readonly Line[]): Promise<void> {
    const live = this.live(guide.id);
    if (!live) return;
    const key = `${guide.id} ${step.id}`;
    const backs = this.#backs.get(key) ?? [];
    this.#backs.delete(key);
    await this.#run(guide, step, [...(step.undo?.(live, did) ?? []), ...backs.flatMap((back) => back(live))]);
    if (!('measures' in step) || this.trouble) return;
    const from = guide.steps.indexOf(step);
    for (const [index, each] of guide.steps.entries()) {
      if ('measures' in each && (index === from || (step.chained && index > from))) this.#forget(guide, each);
    }
  }

  /** Forgets every figure and reverts the guide's own actions, last first; other actions stay. */
  async reset(guide: Guide): Promise<void> {
    this.forgetEarlier(guide.id);
    for (const step of guide.steps.toReversed()) {
      const live = this.live(guide.id);
      const key = `${guide.id} ${step.id}`;
      const did = this.#acted.get(key);
      this.#acted.delete(key);
      const changedModes = this.#backs.has(key);
      if (!live || !(this.isDone(step, live) || changedModes || (did && 'makes' in step))) continue;
      if (did || changedModes) await this.undo(guide, step, did);
      else if ('measures' in step) this.#forget(guide, step);
      if (this.trouble) return;
    }
  }

  async #run(guide: Guide, step: Step, lines: Line[]): Promise<void> {
    if (this.busy) return;
    const key = `${guide.id} ${step.id}`;
    this.busy = { guide: guide.id, step: step.id, lines };
    this.trouble = undefined;
    try {
      for (const line of lines) {
        await this.#do(guide, line);
        if (line.at === 'monitor' && line.back) this.#backs.set(key, [line.back, ...(this.#backs.get(key) ?? [])]);
      }
      this.#notice();
    } catch (error) {
      this.trouble = { guide: guide.id, step: step.id, text: (error as Error).message };
      // Do not leave half a change set behind.
      if (this.#lab.state?.changeSet.open && !this.#lab.state.stepping) await this.#lab.command('changeset_abort').catch(() => {});
    } finally {
      this.busy = undefined;
    }
  }

  async #do(guide: Guide, line: Line): Promise<void> {
    if (line.at === 'page') {
      await line.run(this.#tools(guide));
      return;
    }
    if (line.at === 'monitor') {
      await this.#lab.command(line.text).catch((error) => {
        throw new Error(`${line.text} was refused: ${(error as Error).message.split('\n')[0]}`);
      });
    } else {
      // The condition may already hold before the guest has read the line.
      this.#talk.typed();
      this.#atPrompt = false;
      this.#lab.typeConsole(line.text);
    }
    if (line.until) await this.#until(guide, line.until);
  }

  #tools(guide: Guide): Tools {
    return {
      query: this.#lab.query.bind(this.#lab),
      command: (line) => this.#lab.command(line),
      live: () => this.#need(guide),
      until: (holds, words) => this.#until(guide, { holds, else: words }),
      note: (id, measure) => this.#note(guide.id, id, measure),
      pause: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
    };
  }

  #need(guide: Guide): Live {
    const live = this.live(guide.id);
    if (!live) throw new Error('The machine has ended.');
    return live;
  }

  #until(guide: Guide, { holds, else: words }: Until): Promise<void> {
    return new Promise((resolve, reject) => {
      const stop = $effect.root(() => {
        $effect(() => {
          const live = this.live(guide.id);
          if (!live || !holds(live)) return;
          end();
          resolve();
        });
      });
      const timer = setTimeout(() => {
        end();
        reject(new Error(words));
      }, PATIENCE);
      function end(): void {
        clearTimeout(timer);
        // Not from inside its own effect.
        queueMicrotask(stop);
      }
    });
  }

  #hear(text: string | undefined): void {
    if (text === undefined) this.#talk.restart();
    else if (!this.#talk.hear(text)) return;
    this.#atPrompt = this.#talk.atPrompt;
    this.#sweep = this.#talk.sweeping;
    this.#shell = this.#talk.shell;
    this.#exchanged = this.#talk.exchanged;
    if (this.#talk.watching === this.#watch?.address) return;
    const address = this.#talk.watching;
    this.#watch = address === undefined ? undefined : { address, since: this.#lab.state?.generation ?? 0 };
  }

  /** Figures that the machine's history now has. */
  #notice(): void {
    const state = this.#lab.state;
    if (!state) {
      this.#measures = {};
      this.#current.clear();
      this.#acted.clear();
      this.#backs.clear();
      this.#forgotten.clear();
      this.#heardGeneration = -1;
      return;
    }
    if (state.generation < this.#heardGeneration) this.#forgotten.clear();
    this.#heardGeneration = state.generation;
    for (const guide of this.all.value ?? []) {
      for (const step of guide.steps) {
        if ('measures' in step && step.find) this.#look(guide, step);
      }
    }
  }

  #look(guide: Guide, step: MeasureStep): void {
    const live = this.live(guide.id);
    const found = live && step.find?.(live);
    if (!found) return;
    const known = live.measures[step.id];
    if (known && JSON.stringify(known) === JSON.stringify(found)) return;
    // Without a generation it is a current state, which cannot be left over from an undone step.
    const after = Math.max(this.#forgotten.get(`${guide.id} ${step.id}`) ?? -1, (known?.generation ?? 0) - 1);
    if (found.generation !== undefined && found.generation <= after) return;
    this.#note(guide.id, step.id, found);
  }

  #note(guide: GuideId, id: string, measure: Measure): void {
    const measures = { ...this.#measures[guide], [id]: measure };
    this.#measures = { ...this.#measures, [guide]: measures };
    const known = Object.keys(this.#kept[guide]?.measures ?? {}).length;
    // A started measurement does not replace a completed one.
    if (!this.#current.has(guide) && Object.keys(measures).length < known) return;
    this.#current.add(guide);
    this.#keep(guide, { at: Date.now(), build: BUILD, measures });
  }

  #keep(guide: GuideId, kept: KeptMeasures | undefined): void {
    const { [guide]: _, ...others } = this.#kept;
    this.#kept = kept ? { ...others, [guide]: kept } : others;
    saveKept(this.#kept);
  }

  #forget(guide: Guide, step: MeasureStep): void {
    const { [step.id]: _, ...rest } = this.#measures[guide.id] ?? {};
    this.#measures = { ...this.#measures, [guide.id]: rest };
    const kept = this.#kept[guide.id];
    if (kept && this.#current.has(guide.id)) this.#keep(guide.id, Object.keys(rest).length ? { ...kept, measures: rest } : undefined);
    this.#forgotten.set(`${guide.id} ${step.id}`, this.#lab.state?.generation ?? 0);
  }
}
