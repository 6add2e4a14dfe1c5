/** Breakpoints and the machine's past as the page knows them, with the actions to set breakpoints and to travel. */
import type { BreakpointView, DebugView, Journey, JourneyEnd, LabState, WroteView, WroteWhere } from '../../engine/worker/protocol';
import { count, sentence } from '../shared/format';
import type { Notices } from './notices';
import type { WorkerClient } from './worker-client';

/** What it needs of the machine. */
interface Debugged extends Pick<Notices, 'say'> {
  readonly state: Pick<LabState, 'run'> | undefined;
  readonly replay: { readonly running: unknown };
  ask(message: Parameters<WorkerClient['request']>[0]): Promise<unknown>;
  command(line: string): Promise<string>;
  digest(): Promise<string>;
  run(action: 'stop'): void;
  cancelGoing(): void;
}

/** The last question and its answer. */
export interface Wrote {
  about: string;
  answer: WroteView;
}

export class Debugger {
  view = $state.raw<DebugView | undefined>(undefined);
  /** What is in progress in the past, as text. */
  going = $state('');
  wrote = $state.raw<Wrote | undefined>(undefined);
  /** Why the guest stopped here, for the head; '' while it runs. */
  arrival = $state('');
  readonly #lab: Debugged;

  constructor(lab: Debugged) {
    this.#lab = lab;
  }

  get breakpoints(): readonly BreakpointView[] {
    return this.view?.breakpoints ?? [];
  }

  get behind(): boolean {
    return this.view?.past.behind ?? false;
  }

  hear(view: DebugView): void {
    this.view = view;
  }

  forget(): void {
    this.view = undefined;
    this.going = '';
    this.wrote = undefined;
    this.arrival = '';
  }

  /** Runs and shows the monitor's command; reports the reason if it is refused. */
  async command(line: string): Promise<boolean> {
    try {
      await this.#lab.command(line);
      return true;
    } catch (error) {
      this.#lab.say({ text: sentence((error as Error).message) });
      return false;
    }
  }

  add(options: string): Promise<boolean> {
    return this.command(`breakpoint_add ${options}`);
  }

  remove(id: number): Promise<boolean> {
    return this.command(`breakpoint_del ${id}`);
  }

  enable(id: number, on: boolean): Promise<boolean> {
    return this.command(`breakpoint_${on ? 'enable' : 'disable'} ${id}`);
  }

  /** Sets or removes a breakpoint on this line of code. */
  async toggleCode(gva: string): Promise<void> {
    const there = this.codeAt(gva);
    if (there) await this.remove(there.id);
    else await this.add(`gva=${gva}`);
  }

  codeAt(gva: string): BreakpointView | undefined {
    return this.breakpoints.find(({ kind, first, access }) => kind === 'gva' && access.includes('x') && first === gva);
  }

  /** Those that lie in [start, end) of guest-physical memory. */
  within(start: number, end: number): BreakpointView[] {
    return this.breakpoints.filter(({ spans }) => spans.some((span) => span.start < end && start < span.end));
  }

  /** Reports where it arrived, or why it did not. */
  async go(journey: Journey): Promise<void> {
    if (this.going || this.#lab.replay.running) return;
    this.going = 'On its way';
    try {
      const how = (await this.#lab.ask({ type: 'go', journey })) as JourneyEnd;
      this.arrival = arrivals[journey.do];
      if (how === 'begin' && journey.do === 'back')
        this.#lab.say({ text: `No breakpoint was hit before this point, back to ${count(this.view?.past.begin ?? 0)} instructions.` });
      else if (how === 'begin') this.#lab.say({ text: 'This is the oldest checkpoint: the guest cannot go back further.' });
      else if (how === 'present' && journey.do === 'forward') this.#lab.say({ text: 'This is the present. Run continues from here.' });
      if (how === 'present') this.arrival = '';
    } catch (error) {
      this.#lab.say({ text: sentence((error as Error).message) });
    } finally {
      this.going = '';
    }
  }

  async whoWrote(about: string, where: WroteWhere): Promise<void> {
    if (this.going) return;
    this.going = `Looking for the last write to ${about}`;
    this.wrote = undefined;
    try {
      const answer = (await this.#lab.ask({ type: 'who-wrote', where })) as WroteView;
      this.wrote = { about, answer };
      const { write } = answer;
      const text = write
        ? `${about}: last written by ${write.code ?? write.rip} on vCPU ${write.vcpu}, ${write.value}, at instruction ${count(write.instructions)}.`
        : `${about}: ${answer.text}.`;
      this.#lab.say({ text, ...(write ? { action: { label: 'Go there', run: () => void this.goToWrite() } } : {}) });
    } catch (error) {
      this.#lab.say({ text: sentence((error as Error).message) });
    } finally {
      this.going = '';
    }
  }

  /** Goes to just before the instruction that wrote. */
  async goToWrite(): Promise<void> {
    const write = this.wrote?.answer.write;
    if (!write) return;
    if (this.#lab.state?.run === 'running') {
      this.#lab.run('stop');
      await this.#lab.digest();
    }
    await this.go({ do: 'instruction', vcpu: write.vcpu, icount: write.icount - 1, instructions: write.instructions - 1 });
  }

  cancel(): void {
    this.#lab.cancelGoing();
  }
}

const arrivals: Record<Journey['do'], string> = {
  'step-back': 'Stepped back',
  back: 'Went back',
  step: 'Stepped',
  forward: 'Stopped',
  present: '',
  count: 'Went there',
  commit: 'Before the commit',
  instruction: 'Went there',
  'go-on-from-here': '',
};
