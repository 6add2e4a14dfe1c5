/**
 * One machine behind the page's messages. Knows no Worker: messages come in through `receive`, answers go out through `post`, and clock, timers and
 * the fetching of core.wasm are handed in. Nothing that arrives makes it throw.
 */
import { HOST_BASE } from '../abi/layout';
import type { Machine, MachineConfig, MachineEvent, MachineOptions } from '../machine/api';
import { MAX_WASM_PAGES } from '../machine/host-memory';
import { createMachine } from '../machine/machine';
import { Runner } from '../machine/runner';
import { TypedInput } from '../machine/typed-input';
import { CommitLog, Monitor, noticeOf, parseDeviceFlags } from '../monitor/index';
import { captureLayout, inspectFile, layoutFormat, layoutText, loadMachine, saveMachine } from '../snapshot/index';
import { type Boot, makeMachine, wantedLayout } from './boot';
import { ConsoleFeed } from './console-feed';
import { Figurer } from './figurer';
import { labState, slotViews } from './lab-state';
import type { FromWorker, ToWorker } from './protocol';
import { answerQuery } from './queries';
import { reasonOf, refusalText } from './refusals';
import { stage } from './staging';
import { StateFeed } from './state-feed';
import { StorageClient } from './storage-client';

export interface SessionDeps {
  fetchCore(url: string): Promise<MachineOptions['core']>;
  /** ms since 1970 */
  wallClock(): number;
  /** ms, monotonic */
  monotonic(): number;
  yieldTurn(): Promise<void>;
  setTimer(wake: () => void, ms: number): unknown;
  clearTimer(timer: unknown): void;
  /** Tests put their own here. */
  createMachine?: typeof createMachine;
}

/** ms between two figures, and between two words about a snapshot's progress. */
const FIGURES_MS = 250;
const PROGRESS_MS = 100;
const WASM_PAGE = 0x10000;

type Call = Extract<ToWorker, { type: 'call' }>;

/** What exists once the machine is made. */
export interface Running {
  machine: Machine;
  monitor: Monitor;
  commits: CommitLog;
  runner: Runner;
  figures: Figurer;
  typed: TypedInput;
}

export class Session {
  private running: Running | undefined;
  private booting = false;
  private readonly storage: StorageClient;
  private readonly console: ConsoleFeed;
  private readonly states: StateFeed;
  /** Monitor lines and staging run one after another. */
  private queue: Promise<unknown> = Promise.resolve();

  constructor(
    private readonly post: (message: FromWorker) => void,
    private readonly deps: SessionDeps,
  ) {
    this.storage = new StorageClient(post);
    this.console = new ConsoleFeed(deps, (text) => post({ type: 'console', text }));
    this.states = new StateFeed(deps, () => this.sendState());
  }

  receive(message: ToWorker): void {
    try {
      this.dispatch(message);
    } catch (error) {
      const reason = reasonOf(error);
      if ('id' in message) this.post({ type: 'result', id: message.id, error: reason });
      else this.post({ type: 'monitor-event', text: `Error: ${reason}` });
    }
  }

  /** Ends the loop; for tests and for a host that goes on living. */
  async end(): Promise<void> {
    await this.running?.runner.end();
    this.running?.figures.end();
  }

  private dispatch(message: ToWorker): void {
    switch (message.type) {
      case 'boot':
        void this.boot(message);
        return;
      case 'storage-result':
        this.storage.answer(message);
        return;
      case 'console':
        this.need().typed.give(new TextEncoder().encode(message.text));
        return;
      case 'run':
        this.run(message.action);
        return;
      case 'complete':
        this.post({ type: 'result', id: message.id, value: this.need().monitor.complete(message.line) });
        return;
      case 'monitor':
        this.answer(message.id, () => this.need().monitor.execute(message.line));
        return;
      case 'call':
        this.answer(message.id, () => this.call(message.method));
        return;
      case 'go-to':
        this.answer(message.id, () => this.travel(this.need().commits.goTo(message.index)));
        return;
      case 'inspect-file':
        this.answer(message.id, () => inspectFile(message.bytes));
        return;
      case 'query':
        this.query(message);
        return;
      case 'stage':
        this.answer(message.id, () => stage(message.action, this.machine, this.need().commits));
        return;
    }
  }

  private need(): Running {
    if (!this.running) throw new Error('the machine has not started yet');
    return this.running;
  }
  private get machine(): Machine {
    return this.need().machine;
  }

  private answer(id: number, action: () => unknown): void {
    this.queue = this.queue.then(() => this.reply(id, action));
  }

  /** Sees what the commands before it did; a question that takes long holds no later command up. */
  private query({ id, query }: Extract<ToWorker, { type: 'query' }>): void {
    const ask = () => answerQuery(query, { machine: this.machine, clock: this.deps });
    this.queue = this.queue.then(() => void this.reply(id, ask));
  }

  private async reply(id: number, action: () => unknown): Promise<void> {
    try {
      const value = await action();
      this.sendDueState();
      this.post({ type: 'result', id, value });
    } catch (error) {
      this.sendDueState();
      this.post({ type: 'result', id, error: reasonOf(error) });
    }
  }

  private sendDueState(): void {
    this.states.sendDue(() => this.machine.memory.slotCount(0));
  }

  // Boot

  private async boot(message: Boot): Promise<void> {
    if (this.booting) {
      this.post({ type: 'boot-error', reason: 'this worker has a machine already: start another worker', fallback: false });
      return;
    }
    this.booting = true;
    try {
      const core = await this.deps.fetchCore(message.coreUrl);
      const wanted = await wantedLayout(message);
      const refused = typeof wanted === 'string' ? wanted : undefined;
      const layout = typeof wanted === 'string' ? undefined : wanted;
      const devices = parseDeviceFlags(message.devices ?? '');
      const { machine, reason } = await makeMachine(
        { ...message, config: { ...message.config, ...devices } },
        (config) => this.makeMachine(config, core, message.guest),
        layout,
      );
      this.start(machine, message.linkBase);
      const refusal = refused ?? reason;
      if (refusal !== undefined) this.post({ type: 'boot-error', reason: refusal, fallback: true });
      this.post({ type: 'booted' });
      this.states.send();
      this.running?.runner.start();
    } catch (error) {
      this.post({ type: 'boot-error', reason: reasonOf(error), fallback: false });
    }
  }

  private makeMachine(config: MachineConfig, core: MachineOptions['core'], guest: Boot['guest']): Promise<Machine> {
    const make = this.deps.createMachine ?? createMachine;
    return make({ ...config, core, ...(guest ? { guest } : {}), wallClock: () => this.deps.monotonic() });
  }

  private start(machine: Machine, linkBase: string): void {
    const { deps } = this;
    const commits = new CommitLog(machine, () => deps.wallClock());
    const monitor = new Monitor(machine, {
      layouts: this.storage,
      format: layoutFormat,
      snapshots: this.storage.snapshots,
      snapshotFormat: {
        save: (saved, date) => saveMachine(saved, date, this.progress('save')),
        load: (loaded, bytes) => loadMachine(loaded, bytes, this.progress('load')),
      },
      linkBase,
      quit: () => this.quit(0),
      wallClock: () => deps.wallClock(),
      print: (text) => this.post({ type: 'monitor-event', text }),
      commits,
    });
    const runner = new Runner({
      machine,
      wallClock: () => deps.monotonic(),
      yieldTurn: () => deps.yieldTurn(),
      setTimer: (wake, ms) => deps.setTimer(wake, ms),
      clearTimer: (timer) => deps.clearTimer(timer),
      onError: (error) => this.fatal(error),
    });
    const figures = new Figurer(machine, deps, FIGURES_MS, (message) => {
      this.post({ type: 'figures', figures: message });
      // Retries go on between the phases of a commit.
      if (machine.changeSet.stepping) this.states.touch(false);
    });
    const typed = new TypedInput(machine.serial, (text) => {
      this.post({ type: 'monitor-event', text });
      this.post({ type: 'notice', text });
    });
    this.running = { machine, monitor, commits, runner, figures, typed };
    machine.serial.onOutput((bytes) => this.console.push(bytes));
    machine.subscribe((event) => this.event(event));
    commits.onChange(() => this.states.touch(true));
  }

  private progress(doing: 'save' | 'load'): (done: number, total: number) => void {
    let told = this.deps.monotonic();
    return (done, total) => {
      const now = this.deps.monotonic();
      if (now - told < PROGRESS_MS) return;
      told = now;
      this.post({ type: 'snapshot-progress', doing, done, total });
    };
  }

  // The page's buttons

  private run(action: 'stop' | 'cont' | 'reset' | 'step'): void {
    const { machine } = this;
    if (action === 'stop') machine.stop();
    else if (action === 'cont') machine.cont();
    else if (action === 'reset') machine.reset();
    else {
      machine.stop();
      machine.runInstructions(1);
      this.states.touch(false);
      this.need().figures.send();
    }
  }

  private async call(method: Call['method']): Promise<unknown> {
    const { machine, commits } = this.need();
    switch (method) {
      case 'layout':
        return { ...captureLayout(machine), memslots: slotViews(machine), generation: machine.memory.generation(0) };
      case 'digest':
        return machine.digest();
      case 'share':
        return layoutFormat.link(layoutText(captureLayout(machine)), this.linkBase);
      default:
        return this.travel(method === 'undo' ? commits.undo() : commits.redo());
    }
  }

  private get linkBase(): string {
    return this.need().monitor.commandContext.env.linkBase;
  }

  private travel(result: ReturnType<CommitLog['undo']>): string {
    if (typeof result === 'string') throw new Error(result);
    if (!result.commit.ok) throw new Error(refusalText(result.commit.refusals));
    return '';
  }

  // What the machine says

  private event(event: MachineEvent): void {
    const notice = noticeOf(event);
    if (notice !== undefined) this.post({ type: 'monitor-event', text: notice });
    if (event.type === 'quit') this.quit(event.status);
    else if (event.type === 'state' || event.type === 'reset' || event.type === 'restored') this.states.touch(true);
    else if (event.type === 'backends' || event.type === 'dimms' || event.type === 'stage') this.states.touch(event.type === 'stage');
  }

  private quit(status: number): void {
    this.running?.machine.stop();
    this.console.flush();
    this.post({ type: 'quit', status });
  }

  private fatal(error: unknown): void {
    this.console.flush();
    this.post({ type: 'fatal', reason: `the machine stopped by an internal error: ${reasonOf(error)}` });
  }

  private sendState(): void {
    const { machine, commits } = this.need();
    try {
      this.post({ type: 'state', state: labState(machine, commits, { hostBase: HOST_BASE, hostSize: MAX_WASM_PAGES * WASM_PAGE }) });
    } catch (error) {
      this.fatal(error);
    }
  }
}
