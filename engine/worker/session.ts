/**
 * One machine behind the page's messages. It does not depend on Worker: messages arrive through `receive`, answers leave through `post`, and clock,
 * timers and the fetching of core.wasm are passed in. No message makes it throw.
 */
import { HOST_BASE } from '../abi/layout';
import { breakpointsOf, placeText } from '../debug/index';
import type { Machine, MachineConfig, MachineEvent, MachineOptions } from '../machine/index';
import { createMachine, MAX_WASM_PAGES, sha256Hex } from '../machine/index';
import { type Answer, isInputLine, noticeOf, parseDeviceFlags } from '../monitor/index';
import { Player } from '../replay/player';
import { reasonOf } from '../replay/refusals';
import { applyInput } from '../shell/inputs';
import { fileOf, linkTo } from '../shell/sharing';
import { makeMachine, type Wanted, wantedBy } from '../shell/wanted';
import { captureLayout, inspectFile, inspectLink, type JournalInput, type Replay, saveMachine } from '../snapshot/index';
import { type SymbolSource, symbolsOf } from '../symbols/index';
import { ConsoleFeed } from './console-feed';
import { PageDebugging } from './debugging';
import { labState, slotViews } from './lab-state';
import { type Clocks, type Page, partsOf, type Running } from './parts';
import type { FromWorker, ToWorker } from './protocol';
import { answerQuery } from './queries';
import { seek } from './seeking';
import { StateFeed } from './state-feed';
import { StorageClient } from './storage-client';

export interface SessionDeps extends Clocks {
  fetchCore(url: string): Promise<MachineOptions['core']>;
  /** Tests replace these. */
  createMachine?: typeof createMachine;
}

/** ms that messages wait while an input is under way. */
const STRETCH_MS = 8;
/** Up to this many slots and staged entries, more than a person creates by hand, every command that changed the state sends it. */
const PROMPT_STATE_SIZE = 128;
const WASM_PAGE = 0x10000;

/** Shown if guest code cannot be compiled. */
const NOT_COMPILED =
  'Guest code is not compiled: the browser or this site’s policy forbids it. The interpreter runs it, which is slower; `info jit` has the reason.';

type Call = Extract<ToWorker, { type: 'call' }>;
type Boot = Extract<ToWorker, { type: 'boot' }>;

export class Session {
  private running: Running | undefined;
  private booting = false;
  private player: Player | undefined;
  private readonly storage: StorageClient;
  private readonly console: ConsoleFeed;
  private readonly states: StateFeed;
  /** ms: when messages were last handled during an input */
  private yielded = Number.NEGATIVE_INFINITY;
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
      if ('id' in message) this.post({ type: 'result', id: message.id, error: reasonOf(error) });
      else this.refused(error);
    }
  }

  /** Errors of requests without an answer are printed in the monitor. */
  private refused(error: unknown): void {
    this.post({ type: 'monitor-event', text: `Error: ${reasonOf(error)}` });
  }

  /** Ends the loop; for tests and for a host that outlives it. */
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
        this.takeNext({ kind: 'console', text: message.text });
        return;
      case 'run':
        this.takeNext({ kind: 'run', action: message.action });
        return;
      case 'ping':
        this.post({ type: 'pong' });
        return;
      case 'cancel-replay':
        this.player?.cancel();
        return;
      case 'complete':
        this.post({ type: 'result', id: message.id, value: this.need().monitor.complete(message.line) });
        return;
      case 'monitor':
        this.answer(message.id, () => this.line(message.line));
        return;
      case 'call':
        this.answer(message.id, () => this.call(message.method));
        return;
      case 'go-to':
        this.answer(message.id, () => this.take({ kind: 'go-to', index: message.index }));
        return;
      case 'inspect-file':
        this.answer(message.id, () => inspectFile(message.bytes));
        return;
      case 'hash-file':
        this.answer(message.id, () => sha256Hex(message.bytes));
        return;
      case 'inspect-link':
        this.answer(message.id, () => inspectLink(message.link));
        return;
      case 'symbols':
        this.answer(message.id, () => this.loadSymbols(message.name, message.file));
        return;
      case 'share':
        this.answer(message.id, () => linkTo(message.what, this.need().shared, message));
        return;
      case 'export':
        this.answer(message.id, () => fileOf(message.what, this.need().shared, message.breakpoints));
        return;
      case 'load':
        this.answer(message.id, () => this.load(message.bytes));
        return;
      case 'query':
        this.query(message);
        return;
      case 'seek':
        this.seek(message);
        return;
      case 'go':
        this.answer(message.id, () => this.debugging.go(message.journey));
        return;
      case 'who-wrote':
        this.answer(message.id, () => this.debugging.whoWrote(message.where));
        return;
      case 'cancel-going':
        this.running?.debugging?.cancel();
        return;
      case 'stage':
        this.answer(message.id, () => this.take({ kind: 'stage', action: { ...message.action } }));
        return;
    }
  }

  private need(): Running {
    if (!this.running) throw new Error('the machine has not started yet');
    return this.running;
  }
  private get debugging(): PageDebugging {
    const { debugging } = this.need();
    if (!debugging) throw new Error('the machine has not started yet');
    return debugging;
  }
  private get machine(): Machine {
    return this.need().machine;
  }

  private answer(id: number, action: () => unknown): void {
    this.queue = this.queue.then(() => this.reply(id, action));
  }

  /** Runs after the commands before it; a long query delays no later command. */
  private query({ id, query }: Extract<ToWorker, { type: 'query' }>): void {
    const ask = () => answerQuery(query, { machine: this.machine, commits: this.need().commits, clock: this.deps });
    this.queue = this.queue.then(() => void this.reply(id, ask));
  }

  /** Later commands do not wait for its end: one of them may be Stop. */
  private seek(message: Extract<ToWorker, { type: 'seek' }>): void {
    const go = async (): Promise<unknown> => {
      const running = this.need();
      const { monotonic, yieldTurn } = this.deps;
      const answer = await seek(message, { ...running, monotonic, yieldTurn });
      this.states.touch(false);
      running.figures.send();
      return answer;
    };
    this.queue = this.queue.then(() => void this.reply(message.id, go));
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
    this.states.sendDue(() => this.few);
  }

  private get few(): boolean {
    return this.machine.memory.slotCount(0) + this.machine.changeSet.count <= PROMPT_STATE_SIZE;
  }

  // Inputs of the machine

  /** Records and applies an input. */
  private take(input: JournalInput): unknown {
    const running = this.need();
    return running.recorder.take(input, () => applyInput(input, running));
  }

  /** At once, or after the input under way: a legacy commit takes many turns, and nothing may reach the machine in its middle. */
  private takeNext(input: Extract<JournalInput, { kind: 'console' | 'run' }>): void {
    const { recorder, figures } = this.need();
    const act = (): void => {
      this.take(input);
      if (input.kind !== 'run' || input.action !== 'step') return;
      this.states.touch(false);
      figures.send();
    };
    if (recorder.busy && !recorder.playing) this.queue = this.queue.then(act).catch((error) => this.refused(error));
    else act();
  }

  /** Between two calls of a legacy commit. */
  private async betweenCalls(): Promise<boolean> {
    if (this.player) return this.player.pause();
    const now = this.deps.monotonic();
    if (now - this.yielded < STRETCH_MS) return true;
    await this.deps.yieldTurn();
    this.yielded = this.deps.monotonic();
    return true;
  }

  private async line(line: string): Promise<Answer> {
    return isInputLine(line) ? ((await this.take({ kind: 'line', line })) as Answer) : this.need().monitor.answer(line);
  }

  private async load(bytes: Uint8Array | undefined): Promise<string> {
    const before = bytes ?? (await this.need().loads.before());
    const reason = await this.need().loads.load(before);
    if (reason !== undefined) throw new Error(reason);
    this.need().commits.begins(bytes ? 'loaded from a file' : 'as before the load');
    return '';
  }

  private loadSymbols(name: string, file: Blob): Promise<SymbolSource> {
    const read = async (offset: number, length: number): Promise<Uint8Array> =>
      new Uint8Array(await file.slice(offset, offset + length).arrayBuffer());
    return symbolsOf(this.machine).load(name, { size: file.size, read });
  }

  // Boot

  private get page(): Page {
    return {
      clocks: this.deps,
      post: this.post,
      storage: this.storage,
      console: this.console,
      states: this.states,
      take: (input) => this.take(input),
      event: (event) => this.event(event),
      quit: (status) => this.quit(status),
      fatal: (error) => this.fatal(error),
    };
  }

  private async boot(message: Boot): Promise<void> {
    if (this.booting) {
      this.post({ type: 'boot-error', reason: 'this worker already has a machine: start another worker', fallback: false });
      return;
    }
    this.booting = true;
    try {
      const core = await this.deps.fetchCore(message.coreUrl);
      const wanted = await wantedBy(message);
      const make = (config: MachineConfig) => this.makeMachine(config, core, message.guest);
      const asked = { ...message, config: { ...message.config, ...parseDeviceFlags(message.devices ?? '') } };
      const { machine, reason } = await makeMachine(asked, make, typeof wanted === 'string' ? { kind: 'nothing' } : wanted);
      this.running = partsOf(machine, message, () => make(machine.config), this.page);
      const refusal = typeof wanted === 'string' ? wanted : reason;
      if (refusal !== undefined) this.post({ type: 'boot-error', reason: refusal, fallback: true });
      const begun: Wanted = refusal === undefined && typeof wanted !== 'string' ? wanted : { kind: 'nothing' };
      await this.begin(begun);
      this.debug();
      if (begun.kind === 'nothing' || begun.kind === 'layout') await this.switchOn(message);
      this.post({ type: 'booted' });
      if (machine.inspect.jitFigures()?.refused !== undefined) this.post({ type: 'notice', text: NOT_COMPILED });
      this.states.send();
      if (begun.kind === 'replay') void this.play(begun.replay);
      this.running?.runner.start();
    } catch (error) {
      this.post({ type: 'boot-error', reason: reasonOf(error), fallback: false });
    }
  }

  private makeMachine(config: MachineConfig, core: MachineOptions['core'], guest: Boot['guest']): Promise<Machine> {
    const make = this.deps.createMachine ?? createMachine;
    const hooks = { wallClock: () => this.deps.monotonic(), betweenCalls: () => this.betweenCalls() };
    return make({ ...config, core, ...(guest ? { guest } : {}), ...hooks });
  }

  /** What is left to do before any input may reach the machine. */
  private async begin(wanted: Wanted): Promise<void> {
    const { machine, recorder, monitor, commits } = this.need();
    if (wanted.kind === 'layout') recorder.startWith(wanted.text);
    if (wanted.kind === 'replay' && wanted.replay.layout !== undefined) recorder.startWith(wanted.replay.layout);
    if (wanted.kind === 'state') commits.begins('opened from a link');
    if (wanted.kind === 'layout') commits.begins('power on, layout from a link');
    const set = breakpointsOf(machine).list();
    if (set.length > 0)
      this.post({ type: 'notice', text: `The layout sets breakpoints: ${set.map(({ place }) => placeText(place)).join(', ')}` });
    if (wanted.kind === 'state') this.post({ type: 'state-opened', digest: wanted.link.digest, screen: wanted.link.screen });
    if (wanted.kind === 'state' || (wanted.kind === 'replay' && wanted.replay.state))
      recorder.startFrom((await saveMachine(machine, this.deps.wallClock())).bytes, monitor.commandContext.state);
  }

  /** From here on one can go back over the machine's past. */
  private debug(): void {
    const running = this.need();
    const { monotonic, yieldTurn } = this.deps;
    let due = false;
    const send = (): void => {
      due = false;
      if (!debugging.travelling) this.post({ type: 'debug', view: debugging.view() });
    };
    const changed = (): void => {
      if (due) return;
      due = true;
      queueMicrotask(send);
    };
    const arrived = (): void => {
      changed();
      this.states.touch(true);
      running.figures.send();
    };
    const debugging = new PageDebugging({ ...running, monotonic, yieldTurn, changed, arrived });
    running.debugging = debugging;
    changed();
  }

  /** As inputs, so that a replay does the same. */
  private async switchOn({ dirtyRing, paused }: Boot): Promise<void> {
    const answer = dirtyRing === undefined ? undefined : await this.line(`dirty_ring enable ${dirtyRing}`);
    if (answer?.failed) throw new Error(answer.reason);
    if (paused) this.take({ kind: 'run', action: 'stop' });
  }

  private async play(replay: Replay): Promise<void> {
    const running = this.need();
    const { machine, recorder, runner } = running;
    const release = runner.hold();
    this.player = new Player({
      machine,
      recorder,
      apply: (input) => applyInput(input, running),
      monotonic: () => this.deps.monotonic(),
      yieldTurn: () => this.deps.yieldTurn(),
      post: (view) => this.post({ type: 'replay', view }),
    });
    await this.player.play(replay);
    this.player = undefined;
    this.states.touch(true);
    release();
  }

  private async call(method: Call['method']): Promise<unknown> {
    const { machine, shared } = this.need();
    switch (method) {
      case 'layout':
        return { ...captureLayout(machine), memslots: slotViews(machine), generation: machine.memory.generation(0) };
      case 'digest':
        return machine.digest();
      case 'share':
        return linkTo('layout', shared);
      default:
        return this.take({ kind: 'call', method });
    }
  }

  // Events of the machine

  private event(event: MachineEvent): void {
    // Events that repeat while the machine replays its past are not reported.
    if (this.running?.debugging?.travelling) return;
    const notice = noticeOf(event);
    if (notice !== undefined) this.post({ type: 'monitor-event', text: notice });
    if (event.type === 'quit') this.quit(event.status);
    else if (event.type === 'state' || event.type === 'reset' || event.type === 'restored') this.states.touch(true);
    else if (event.type === 'backends' || event.type === 'dimms' || event.type === 'stage')
      this.states.touch(event.type === 'stage' && this.few);
  }

  private quit(status: number): void {
    this.running?.machine.run.stop();
    this.console.flush();
    this.post({ type: 'quit', status });
  }

  private fatal(error: unknown): void {
    this.console.flush();
    this.post({ type: 'fatal', reason: `the machine stopped because of an internal error: ${reasonOf(error)}` });
  }

  private sendState(): void {
    const { machine, commits, debugging } = this.need();
    if (debugging?.travelling) return;
    try {
      this.post({ type: 'state', state: labState(machine, commits, { hostBase: HOST_BASE, hostSize: MAX_WASM_PAGES * WASM_PAGE }) });
    } catch (error) {
      this.fatal(error);
    }
  }
}
