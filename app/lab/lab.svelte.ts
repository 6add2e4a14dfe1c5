/** One machine as the page knows it: the last state from the worker, live figures, and the actions on it. */
import type {
  Answer,
  Figures,
  HistoryView,
  InspectedFile,
  LabState,
  Queries,
  SeekAnswer,
  ShareKind,
  StageAction,
  StagedEdit,
  SymbolSource,
} from '../../engine/worker/protocol';
import { arrows, hex, plural, sentence } from '../shared/format';
import type { BootAttempt } from './boot-attempt';
import { Debugger } from './debugger.svelte';
import { GuestConsole } from './guest-console';
import { Keeping } from './keeping.svelte';
import type { Banner, Toast } from './notices';
import { Replay } from './replay.svelte';
import { sameSlots } from './slots';
import { Snapshots } from './snapshots.svelte';
import { Starter } from './starter';
import { answerStorage } from './storage';
import { Trail } from './trail';
import type { Announcement, WorkerClient } from './worker-client';

/** Monitor lines that change nothing worth saving. */
const LOOKS = /^\s*(?:(?:info|help|\?|x|xp|p|print|share|layout_save|delvm|gva2gpa|gpa2hva|changeset_check|sum|i|memsave|pmemsave)\b.*)?$/;
const TRAIL = 28;
/** ms */
const STATE_WAIT = 500;

export class Lab {
  state = $state.raw<LabState | undefined>(undefined);
  figures = $state.raw<Figures | undefined>(undefined);
  /** MIPS of the last seconds, oldest first. */
  mipsTrail = $state.raw<readonly number[]>([]);
  /** The figures of the last two minutes. */
  readonly trail = new Trail();
  /** The worker does not answer: for how many seconds, and the last request. */
  silence = $state.raw<{ seconds: number; asked: string | undefined } | undefined>(undefined);
  phase = $state<'loading' | 'ready' | 'stopped'>('loading');
  banners = $state.raw<readonly Banner[]>([]);
  toast = $state.raw<Toast | undefined>(undefined);
  /** Counts loaded symbol files, so that panes query again. */
  symbolFiles = $state(0);
  /** What the start of a guest is waiting for. */
  loading = $state.raw<{ what: string; percent: number | undefined } | undefined>(undefined);
  /** QEMU's -append of the guest that runs. */
  append = $state('');
  readonly starter: Starter = new Starter(this);
  readonly keeping = new Keeping(this);
  readonly snapshots: Snapshots = new Snapshots(this);
  readonly replay = new Replay(this);
  readonly debug: Debugger = new Debugger(this);
  readonly console = new GuestConsole();
  onMonitorEvent: ((text: string) => void) | undefined;

  #client: WorkerClient | undefined;
  #onState: (() => void) | undefined;

  /** Is there a machine, running or not? */
  get alive(): boolean {
    return this.#client?.alive ?? false;
  }

  /** A machine has booted and replaces the running one. Without `withConsole` its earlier output is not shown. */
  adopt(attempt: BootAttempt, append: string, withConsole: boolean): void {
    this.#client?.terminate();
    this.#client = attempt.client;
    this.keeping.restart();
    this.snapshots.back = undefined;
    this.append = append;
    this.state = undefined;
    this.figures = undefined;
    this.mipsTrail = [];
    this.trail.clear();
    this.replay.forget();
    this.debug.forget();
    this.silence = undefined;
    this.banners = this.banners.filter((banner) => banner.kind === 'storage' || banner.kind === 'kept');
    this.console.clear();
    attempt.adopt((message) => this.#hear(message), withConsole);
  }

  run(action: 'stop' | 'cont' | 'reset' | 'step'): void {
    if (this.debug.behind && (action === 'cont' || action === 'step')) {
      void this.debug.go(action === 'cont' ? { do: 'forward' } : { do: 'step', vcpu: 0 });
      return;
    }
    if (this.refuses()) return;
    this.keeping.did();
    this.#client?.post({ type: 'run', action });
  }

  toggleRun(): void {
    if (this.state?.run === 'running') this.run('stop');
    else if (this.state?.run === 'paused') this.run('cont');
  }

  typeConsole(text: string): void {
    if (this.refuses()) return;
    this.keeping.did();
    this.#client?.post({ type: 'console', text });
  }

  cancelGoing(): void {
    this.#client?.post({ type: 'cancel-going' });
  }

  cancelReplay(): void {
    this.#client?.post({ type: 'cancel-replay' });
  }

  /** Why no input may reach the machine now, or ''. */
  get held(): string {
    if (this.replay.running) return 'A replay is running: no other input reaches the machine until it ends.';
    return this.debug.behind ? 'The guest is in its past: no input reaches it there.' : '';
  }

  /** If no input may reach the machine now, says so and returns true. */
  refuses(): boolean {
    if (!this.held) return false;
    const action = this.replay.running
      ? { label: 'Cancel it', run: () => this.cancelReplay() }
      : { label: 'Start a new run here', run: () => void this.debug.go({ do: 'go-on-from-here' }) };
    this.say({ text: this.held, action });
    return true;
  }

  /** The monitor's answer to the line. */
  async monitor(line: string): Promise<Answer> {
    const replaced = this.snapshots.before(line);
    try {
      const answer = (await this.ask({ type: 'monitor', line })) as Answer;
      if (!answer.failed) await this.snapshots.loaded(replaced, answer.text);
      if (/^\s*savevm\b/.test(line) && !answer.failed) this.keeping.saved();
      else if (!LOOKS.test(line)) this.keeping.did();
      return answer;
    } catch (error) {
      // `quit` ended the machine, which is not an error.
      if (/^\s*q(?:uit)?\s*$/.test(line) && this.phase === 'stopped') return { text: '', failed: false };
      throw error;
    } finally {
      this.snapshots.idle();
    }
  }

  /** A button's command: shown in the monitor as if typed, so that people learn it. Returns its output; throws the reason if it failed. */
  async command(line: string): Promise<string> {
    this.onMonitorEvent?.(`(lab) ${line}`);
    const answer = await this.monitor(line);
    if (answer.text.trim()) this.onMonitorEvent?.(answer.text);
    if (answer.failed) throw new Error(answer.reason);
    return answer.text;
  }

  async complete(line: string): Promise<string[]> {
    const found = await this.ask({ type: 'complete', line });
    return Array.isArray(found) ? found.map(String) : [];
  }

  async layout(): Promise<unknown> {
    const value = await this.ask({ type: 'call', method: 'layout' });
    return typeof value === 'string' ? JSON.parse(value) : value;
  }

  async digest(): Promise<string> {
    return String(await this.ask({ type: 'call', method: 'digest' }));
  }

  /** Rejects with the reason if the link cannot be made. `breakpoints`: include them in a layout. */
  async share(what: ShareKind = 'layout', breakpoints = false): Promise<string> {
    const screen = what === 'state' ? this.console.screen() : undefined;
    return String(await this.ask({ type: 'share', what, breakpoints, ...(screen === undefined ? {} : { screen }) }));
  }

  /** The bytes of a file: a layout, a machine snapshot or a replay. */
  async exported(what: ShareKind, breakpoints = false): Promise<Uint8Array> {
    return (await this.ask({ type: 'export', what, breakpoints })) as Uint8Array;
  }

  /** Without bytes: the machine as it was before the last snapshot was loaded. Rejects with the refusal. */
  async loadBytes(bytes?: Uint8Array): Promise<void> {
    try {
      await this.ask(bytes ? { type: 'load', bytes } : { type: 'load' });
    } finally {
      this.snapshots.idle();
    }
  }

  /** Queries the machine without changing it. */
  async query<Ask extends keyof Queries>(query: Queries[Ask]['query'] & { ask: Ask }): Promise<Queries[Ask]['answer']> {
    return (await this.ask({ type: 'query', query })) as Queries[Ask]['answer'];
  }

  /** Loads symbols from a file; returns a message about them. */
  async loadSymbols(file: File): Promise<void> {
    try {
      const { symbols, unused, slide } = (await this.ask({ type: 'symbols', name: file.name, file })) as SymbolSource;
      const moved = slide === undefined ? '' : `, moved as far as KASLR moved the kernel`;
      this.say({ text: unused ? `${file.name} is not used: ${unused}.` : `${plural(symbols, 'symbol')} from ${file.name}${moved}.` });
      this.symbolFiles += 1;
    } catch (error) {
      this.say({ text: `${file.name} gives no symbols: ${(error as Error).message}.` });
    }
  }

  /** Runs a stopped guest to a line of its code, or steps one vCPU. Rejects with the reason if it cannot start. */
  async seek(goal: { vcpu: number; to?: string; stack?: string }): Promise<SeekAnswer> {
    return (await this.ask({ type: 'seek', ...goal })) as SeekAnswer;
  }

  /** The engine's refusal in words, or ''. */
  stage(action: StageAction): Promise<string> {
    if (this.refuses()) return Promise.resolve(this.held);
    this.keeping.did();
    return this.#client?.stage(action) ?? Promise.resolve('The worker has stopped.');
  }

  /** Stages an edit, beginning a change set when none is open; a second edit of a slot replaces the first. */
  async stageEdit(edit: StagedEdit): Promise<string> {
    if (this.refuses()) return this.held;
    const changeSet = this.state?.changeSet;
    if (!changeSet?.open) {
      const refusal = await this.stage({ do: 'begin' });
      if (refusal) return refusal;
    } else if (edit.op !== 'merge') {
      const earlier = changeSet.entries.findIndex((entry) => entry.edit.op !== 'merge' && entry.edit.slot === edit.slot);
      if (earlier >= 0) await this.stage({ do: 'drop', index: earlier });
    }
    const refusal = await this.stage({ do: 'stage', edit });
    if (refusal) this.say({ text: refusal });
    return refusal;
  }

  async commit(legacy: boolean): Promise<void> {
    if (this.refuses()) return;
    const before = this.state?.generation;
    const refusal = await this.stage({ do: 'commit', legacy });
    if (refusal) {
      this.say({ text: refusal });
      return;
    }
    await this.#stateAfter(before);
    this.#sayCommitted();
  }

  #sayCommitted(): void {
    const done = this.live;
    const retried = done?.retries ? `${plural(done.retries, 'retry', 'retries')}, ` : '';
    this.say({
      text: done
        ? `Committed, gen ${done.generation}. ${plural(done.swaps, 'swap')}, ${retried}${plural(done.holes, 'hole')}.`
        : 'Committed.',
      action: { label: 'Undo', run: () => void this.undo() },
    });
  }

  /** Runs the next phase of a stepped commit; begins one if there is none. */
  async stepCommit(): Promise<void> {
    if (this.refuses()) return;
    const refusal = (this.state?.stepping ? '' : await this.stage({ do: 'commit-stepped' })) || (await this.stage({ do: 'step' }));
    this.#stepped(refusal);
  }

  async finishCommit(): Promise<void> {
    if (this.refuses()) return;
    this.#stepped(await this.stage({ do: 'finish' }));
  }

  /** The worker's state comes before its answer. */
  #stepped(refusal: string): void {
    if (refusal) this.say({ text: refusal });
    else if (!this.state?.stepping) this.#sayCommitted();
  }

  async undo(): Promise<void> {
    await this.#travel('undo', 'redo', 'Undone');
  }

  async redo(): Promise<void> {
    await this.#travel('redo', 'undo', 'Redone');
  }

  /** Goes to an entry of the history, by one commit that can be undone. `sure`: even if it removes memory that the guest uses. */
  async goTo(index: number, sure = false): Promise<void> {
    const { historyAt: from, generation: before } = this.state ?? {};
    if (from === undefined || from === index || this.refuses()) return;
    if (!sure && (await this.asksFirst({ goTo: index }, 'Go there', () => this.goTo(index, true)))) return;
    this.keeping.did();
    try {
      await this.ask({ type: 'go-to', index });
      await this.#stateAfter(before);
      const live = this.live;
      const where = live ? `gen ${live.generation}, ${arrows(live.title)}` : this.origin;
      this.say({ text: `Now as at ${where}.`, action: { label: 'Back', run: () => void this.goTo(from) } });
    } catch (error) {
      this.say({ text: (error as Error).message });
    }
  }

  /**
   * True if this would remove memory that the guest uses, without its consent: then asks the person, and `act` does it anyway.
   */
  async asksFirst(what: { goTo: number } | { layout: string }, verb: string, act: () => Promise<void>): Promise<boolean> {
    const unasked = await this.query({ ask: 'unasked', ...what }).catch(() => []);
    const [first] = unasked;
    if (!first) return false;
    const more = unasked.length > 1 ? ` and ${unasked.length - 1} more` : '';
    this.say({
      text: `The guest uses ${first.name} at ${hex(first.gpa)}${more} and has not been asked for consent: it will crash.`,
      action: { label: `${verb} all the same`, run: () => void act() },
    });
    return true;
  }

  /** The entry of the history that is live now. */
  get live(): HistoryView | undefined {
    return this.state?.history[this.state.historyAt];
  }

  say(toast: Toast): void {
    this.toast = toast;
  }

  dismiss(kind: Banner['kind']): void {
    this.banners = this.banners.filter((banner) => banner.kind !== kind);
  }

  /** Rejects with the reason when the bytes are neither a machine snapshot nor a layout. */
  async inspect(bytes: Uint8Array): Promise<InspectedFile> {
    return (await this.ask({ type: 'inspect-file', bytes })) as InspectedFile;
  }

  /** SHA-256, 64 hex digits. */
  async hash(bytes: Uint8Array): Promise<string> {
    return (await this.ask({ type: 'hash-file', bytes })) as string;
  }

  /** How the machine came to be, in words: "as booted", "loaded from one". */
  get origin(): string {
    const title = this.state?.history[0]?.title;
    return title === undefined || title === 'power on' ? 'as booted' : title;
  }

  /** What the worker answers; rejects with its refusal. */
  ask(message: Parameters<WorkerClient['request']>[0]): Promise<unknown> {
    return this.#client?.request(message) ?? Promise.reject(new Error('The worker has not started.'));
  }

  async #travel(method: 'undo' | 'redo', back: 'undo' | 'redo', word: string, sure = false): Promise<void> {
    if (this.refuses()) return;
    const goTo = (this.state?.historyAt ?? 0) + (method === 'undo' ? -1 : 1);
    const again = (): Promise<void> => this.#travel(method, back, word, true);
    if (!sure && (await this.asksFirst({ goTo }, method === 'undo' ? 'Undo' : 'Redo', again))) return;
    const before = this.state?.generation;
    this.keeping.did();
    try {
      await this.ask({ type: 'call', method });
      await this.#stateAfter(before);
      const live = this.live;
      const label = back === 'undo' ? 'Undo' : 'Redo';
      this.say({ text: `${word}: now ${live ? arrows(live.title) : this.origin}.`, action: { label, run: () => void this[back]() } });
    } catch (error) {
      this.say({ text: (error as Error).message });
    }
  }

  /** The worker sends its answer and the new state in two messages: waits for the second, for a limited time. */
  #stateAfter(generation: number | undefined): Promise<void> {
    if (this.state?.generation !== generation) return Promise.resolve();
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, STATE_WAIT);
      this.#onState = () => {
        clearTimeout(timer);
        resolve();
      };
    });
  }

  #hear(message: Announcement): void {
    switch (message.type) {
      case 'booted':
        this.phase = 'ready';
        return;
      case 'boot-error':
        this.starter.refused(message.reason);
        return;
      case 'console':
        this.console.print(message.text);
        return;
      case 'monitor-event':
        this.onMonitorEvent?.(message.text);
        return;
      case 'notice':
        this.say({ text: message.text });
        return;
      case 'state':
        this.#setState(message.state);
        return;
      case 'figures':
        this.trail.push(message.figures, performance.now() / 1000);
        this.figures = message.figures;
        this.mipsTrail = [...this.mipsTrail.slice(1 - TRAIL), message.figures.mips];
        return;
      case 'debug':
        this.debug.hear(message.view);
        return;
      case 'storage':
        return;
      case 'snapshot-progress':
        this.snapshots.progress(message.doing, message.done, message.total);
        return;
      case 'replay':
        this.replay.hear(message.view);
        return;
      case 'state-opened':
        this.console.show(message.screen.replaceAll('\n', '\r\n'));
        this.say({ text: `Opened the machine in the link: its digest is equal, ${message.digest}.` });
        return;
      case 'quit':
        this.stopped('The machine has ended.', `Exit status ${message.status}.`, 'ended');
        return;
      case 'silent':
        this.silence = message.seconds ? message : undefined;
        return;
      case 'fatal':
        this.stopped('The worker stopped.', `${sentence(message.reason)} ${this.kept}`);
        return;
    }
  }

  #setState(next: LabState): void {
    // Keep the same array for the same slots: otherwise everything derived from thousands of slots would be recomputed.
    const state = sameSlots(this.state?.slots, next.slots) ? { ...next, slots: this.state!.slots } : next;
    this.state = state;
    this.#onState?.();
    this.#onState = undefined;
    document.title = `${state.guest ?? 'no guest'}, ${state.run}: memslot-lab`;
  }

  async store(client: WorkerClient, message: Extract<Announcement, { type: 'storage' }>): Promise<void> {
    const answer = await answerStorage(message, Date.now(), message.op === 'snapshot-put' ? this.snapshots.notes() : {});
    client.post(answer);
    const writes = /^(?:snapshot-put|snapshot-delete|set|delete)$/.test(message.op);
    const title = writes ? 'Not stored.' : 'Snapshots cannot be reached.';
    if (answer.error) this.tell({ kind: 'storage', tone: 'warn', title, text: answer.error });
    else if (writes) await this.snapshots.refresh();
  }

  /** What a restart would keep, as text. */
  get kept(): string {
    return `Saved layouts and snapshots are safe. A restart boots ${this.starter.request.guest.name} again: its current state is lost.`;
  }

  stopped(title: string, text: string, kind: 'worker' | 'ended' = 'worker'): void {
    this.#client?.terminate();
    this.phase = 'stopped';
    this.silence = undefined;
    const tone = kind === 'ended' ? 'warn' : 'bad';
    this.tell({ kind, tone, title, text, action: { label: 'Restart', run: () => this.starter.restart() } });
  }

  tell(banner: Banner): void {
    this.banners = [...this.banners.filter((other) => other.kind !== banner.kind), banner];
  }
}
