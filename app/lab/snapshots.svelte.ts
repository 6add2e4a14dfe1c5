/** Saved machines (savevm, loadvm, delvm) and layouts (layout_save, layout_load) in this browser, as one list. */
import type { Answer, InspectedFile, LabState, ShareKind } from '../../engine/worker/protocol';
import { KEPT_MACHINE } from '../shared/bounds';
import { plural } from '../shared/format';
import type { BootRequest } from './boot-request';
import { saveAs } from './download';
import { DEFAULT_CPU, DEFAULT_MEMORY, formatDevices, formatMemory } from './machine-flags';
import type { Notices } from './notices';
import {
  deleteLayout,
  listLayouts,
  listSnapshots,
  readSnapshot,
  type SavedLayout,
  type SavedSnapshot,
  type SnapshotNotes,
  storageFailure,
  storageUse,
  writeLayout,
  writeSnapshot,
} from './storage';

export type Saved = { name: string; date: number; size: number; map: string | undefined } & (
  | { kind: 'layout'; layout: SavedLayout }
  | { kind: 'machine'; machine: SavedSnapshot }
);
export type Kind = Saved['kind'];

/** Progress of a machine snapshot, in percent of its RAM. */
export interface Work {
  words: string;
  percent: number | undefined;
}

/** Bytes; more than a snapshot of the largest machine that fits into a tab. */
const LARGEST_IMPORT = 2 ** 31;
const SCREEN_KEPT = 4000;
/** The command, and its name in quotes or plain. */
const LOAD = /^\s*(loadvm|layout_load)\s+(?:"((?:[^"\\]|\\.)*)"|(\S+))\s*$/;

/** The state that a load requested at the monitor is about to replace. */
type Replaced = { kind: 'machine'; name: string; screen: string } | { kind: 'layout'; name: string; at: number };

/** A machine that has been replaced. */
interface Kept {
  bytes: Uint8Array;
  request: BootRequest;
  screen: string;
}

/** What it needs of the lab whose machine is saved and loaded. */
interface SnapshotsLab extends Notices {
  readonly state: LabState | undefined;
  readonly phase: 'loading' | 'ready' | 'stopped';
  readonly console: { screen(): string; show(screen: string): void };
  readonly starter: {
    readonly request: BootRequest;
    boot(request: BootRequest): Promise<string>;
    bootSnapshot(name: string, machine: Pick<BootRequest, 'memory' | 'smp' | 'cpu' | 'devices'>, line: string): Promise<string>;
    openReplayFile(name: string, bytes: Uint8Array, spec: Extract<InspectedFile, { kind: 'replay' }>['spec']): void;
  };
  monitor(line: string): Promise<Answer>;
  exported(what: ShareKind): Promise<Uint8Array>;
  loadBytes(bytes?: Uint8Array): Promise<void>;
  inspect(bytes: Uint8Array): Promise<InspectedFile>;
  goTo(index: number): Promise<void>;
  asksFirst(what: { layout: string }, verb: string, act: () => Promise<void>): Promise<boolean>;
}

export class Snapshots {
  list = $state.raw<readonly Saved[]>([]);
  work = $state.raw<Work | undefined>(undefined);
  /** The last load and its undo, until the next load or the start of another machine. */
  back = $state.raw<{ name: string; run(): void } | undefined>(undefined);
  /** Bytes of this browser's storage for the page, as the browser reports them. */
  storage = $state.raw<{ used: number; quota: number } | undefined>(undefined);
  readonly #lab: SnapshotsLab;

  constructor(lab: SnapshotsLab) {
    this.#lab = lab;
  }

  async refresh(): Promise<void> {
    try {
      const [layouts, machines] = await Promise.all([listLayouts(), listSnapshots()]);
      const list: Saved[] = [
        ...layouts.map((layout) => {
          const { name, savedAt: date, text } = layout;
          return { kind: 'layout' as const, name, date, size: text.length, map: text, layout };
        }),
        ...machines.map((machine) => {
          const { name, date, size, map } = machine;
          return { kind: 'machine' as const, name, date, size, map, machine };
        }),
      ];
      this.list = list.sort((a, b) => b.date - a.date);
      this.storage = await storageUse();
    } catch (error) {
      this.#lab.tell({ kind: 'storage', tone: 'warn', title: 'Snapshots cannot be reached.', text: storageFailure(error) });
    }
  }

  /** The refusal, or ''. */
  async save(kind: Kind, name: string, breakpoints = false): Promise<string> {
    const command = kind === 'machine' ? 'savevm' : breakpoints ? 'layout_save -b' : 'layout_save';
    const answer = await this.#busy(kind, `Saving ${name}`, () => this.#lab.monitor(`${command} ${quote(name)}`));
    await this.refresh();
    if (!answer.failed) this.#lab.say({ text: `Saved ${name}.` });
    return refusalOf(answer);
  }

  async load(saved: Saved, sure = false): Promise<void> {
    if (saved.kind === 'layout') {
      if (!sure && (await this.#lab.asksFirst({ layout: saved.layout.text }, 'Load', () => this.load(saved, true)))) return;
      const refusal = refusalOf(await this.#lab.monitor(`layout_load ${quote(saved.name)}`));
      if (/^.*it was saved with/.test(refusal)) this.#offerMatching(saved, refusal);
      else if (refusal) this.#lab.say({ text: refusal });
      return;
    }
    await this.#busy('machine', `Loading ${saved.name}`, () => this.#loadMachine(saved.machine));
  }

  /** A layout for a different machine: a matching one can be started for it. */
  #offerMatching(saved: Extract<Saved, { kind: 'layout' }>, refusal: string): void {
    const lab = this.#lab;
    const shape = shapeOf(saved.layout.text);
    const line = `layout_load ${quote(saved.name)}`;
    const boot = async (): Promise<void> => {
      lab.dismiss('snapshot');
      const failed =
        shape && (await lab.starter.boot({ ...lab.starter.request, memory: formatMemory(shape), link: undefined, replay: undefined }));
      if (failed) return;
      const refused = refusalOf(await lab.monitor(line));
      lab.say({ text: refused || `Loaded ${saved.name}.` });
    };
    lab.tell({
      kind: 'snapshot',
      tone: 'bad',
      title: `${saved.name} was not loaded:`,
      text: ended(refusal),
      ...(shape
        ? { action: { label: `Start ${lab.state?.guest ?? 'a machine'} with -m ${formatMemory(shape)}`, run: () => void boot() } }
        : {}),
    });
  }

  /** Loads it into the running machine if that matches, otherwise into one that is started for it. */
  async #loadMachine(machine: SavedSnapshot): Promise<void> {
    const lab = this.#lab;
    this.#lab.dismiss('snapshot');
    const { state } = lab;
    const { guest = state?.guest ?? '', memory, smp = 1, cpu = DEFAULT_CPU, devices = '' } = machine;
    const alike =
      lab.phase === 'ready' &&
      state !== undefined &&
      (memory === undefined ||
        (memory === formatMemory(state.config) &&
          smp === state.config.smp &&
          cpu === (state.config.cpu ?? DEFAULT_CPU) &&
          devices === formatDevices(state.config) &&
          guest === state.guest));
    const line = `loadvm ${quote(machine.name)}`;
    const before = alike ? undefined : await this.#keep();
    const refusal = alike
      ? refusalOf(await lab.monitor(line))
      : await lab.starter.bootSnapshot(guest, { memory: memory ?? DEFAULT_MEMORY, smp, cpu, devices }, line);
    if (refusal) {
      const goesOn = lab.phase === 'ready' ? ` ${lab.state?.guest ?? 'The guest'} keeps running.` : '';
      lab.tell({ kind: 'snapshot', tone: 'bad', title: `${machine.name} was not loaded:`, text: `${ended(refusal)}${goesOn}` });
    } else if (!alike) {
      await this.#showScreen(machine.name);
      if (before) this.#wayBack(machine.name, () => this.#putBack(before));
      else lab.say({ text: `Loaded ${machine.name}.` });
    }
  }

  /** The running machine, before another replaces it; undefined if none runs, or it is too large. */
  async #keep(): Promise<Kept | undefined> {
    const lab = this.#lab;
    if (lab.phase !== 'ready') return undefined;
    const bytes = await lab.exported('state').catch(() => undefined);
    return bytes && bytes.length <= KEPT_MACHINE ? { bytes, request: lab.starter.request, screen: lab.console.screen() } : undefined;
  }

  async #putBack({ bytes, request, screen }: Kept): Promise<void> {
    const lab = this.#lab;
    try {
      await lab.starter.boot({ ...request, link: undefined, replay: undefined });
      await lab.loadBytes(bytes);
      this.#write(screen);
      lab.say({ text: 'The previous machine is restored.' });
    } catch (error) {
      this.#failed(error);
    }
  }

  /** The state that a loading monitor line discards: the console's screen, or the place in the history. */
  before(line: string): Replaced | undefined {
    const found = LOAD.exec(line);
    if (!found) return undefined;
    const [, command, quoted, plain = ''] = found;
    const name = quoted?.replace(/\\(.)/g, '$1') ?? plain;
    return command === 'loadvm'
      ? { kind: 'machine', name, screen: this.#lab.console.screen() }
      : { kind: 'layout', name, at: this.#lab.state?.historyAt ?? 0 };
  }

  /** The line, typed or clicked, succeeded and printed this. Offers undo; after a loadvm the console shows the screen stored with the snapshot. */
  async loaded(replaced: Replaced | undefined, printed: string): Promise<void> {
    if (!replaced) return;
    const { name } = replaced;
    if (replaced.kind === 'layout') {
      // A line for each breakpoint that came with it.
      const set = printed.match(/^\d+ .* hits {2}/gm)?.length ?? 0;
      this.#wayBack(set > 0 ? `${name}, with ${plural(set, 'breakpoint')}` : name, () => this.#lab.goTo(replaced.at));
      return;
    }
    const { screen } = replaced;
    await this.#showScreen(name);
    const undo = async (): Promise<void> => {
      try {
        await this.#lab.loadBytes();
        this.#write(screen);
        this.#lab.say({ text: 'The previous machine is restored.' });
      } catch (error) {
        this.#failed(error);
      }
    };
    this.#wayBack(name, undo);
  }

  /** In the toast, and in the pane while it is possible. */
  #wayBack(name: string, undo: () => Promise<void>): void {
    const run = (): void => {
      this.back = undefined;
      void undo();
    };
    this.back = { name, run };
    this.#lab.say({ text: `Loaded ${name}.`, action: { label: 'Undo', run } });
  }

  async #showScreen(name: string): Promise<void> {
    const all = await listSnapshots().catch(() => []);
    const screen = all.find((each) => each.name === name)?.screen;
    if (screen === undefined) return;
    this.#write(screen);
  }

  #write(screen: string): void {
    this.#lab.console.show(screen.replace(/\r?\n/g, '\r\n'));
  }

  /** The page's data for a snapshot that the engine has just made. */
  notes(): SnapshotNotes {
    const { state, console } = this.#lab;
    if (!state) return {};
    const memslots = state.slots.map(({ guestPhysAddr: gpa, memorySize: size, kind }) => ({ gpa, size, backing: kind }));
    return {
      guest: state.guest ?? '',
      memory: formatMemory(state.config),
      smp: state.config.smp,
      cpu: state.config.cpu ?? DEFAULT_CPU,
      devices: formatDevices(state.config),
      map: JSON.stringify({ memslots: memslots.slice(0, 64), backends: [{ id: 'dimm' }] }),
      ...(console ? { screen: console.screen().slice(-SCREEN_KEPT) } : {}),
    };
  }

  async forget(saved: Saved): Promise<void> {
    const lab = this.#lab;
    try {
      const putBack = await this.#remove(saved);
      await this.refresh();
      const undo = async () => {
        await putBack();
        await this.refresh();
      };
      lab.say({ text: `Deleted ${saved.name}.`, action: { label: 'Undo', run: () => void undo().catch((error) => this.#failed(error)) } });
    } catch (error) {
      this.#failed(error);
    }
  }

  async #remove(saved: Saved): Promise<() => Promise<void>> {
    if (saved.kind === 'layout') {
      await deleteLayout(saved.name);
      return () => writeLayout(saved.name, saved.layout.text, saved.date);
    }
    const bytes = await readSnapshot(saved.name);
    const refusal = refusalOf(await this.#lab.monitor(`delvm ${quote(saved.name)}`));
    if (refusal) throw new Error(refusal);
    return async () => {
      if (bytes) await writeSnapshot(saved.name, bytes, saved.machine);
    };
  }

  /** Offers it as a download. */
  async exportFile(saved: Saved): Promise<void> {
    try {
      const bytes = saved.kind === 'layout' ? saved.layout.text : await readSnapshot(saved.name);
      if (bytes === undefined) throw new Error(`${saved.name} no longer exists.`);
      saveAs(bytes, `${saved.name}.${saved.kind === 'layout' ? 'json' : 'mslm'}`);
    } catch (error) {
      this.#failed(error);
    }
  }

  /** Checked completely before it is listed; nothing of it is loaded. */
  async importFile(file: File): Promise<void> {
    const lab = this.#lab;
    lab.dismiss('import');
    await this.#busy('machine', `Reading ${file.name}`, async () => {
      try {
        if (file.size > LARGEST_IMPORT) throw new Error(`it has ${file.size} bytes, at most ${LARGEST_IMPORT} are read`);
        const bytes = new Uint8Array(await file.arrayBuffer());
        const found = await lab.inspect(bytes);
        if (found.kind === 'replay') {
          lab.starter.openReplayFile(file.name, bytes, found.spec);
          return;
        }
        const name = this.#freeName(file.name, found.kind);
        if (found.kind === 'layout') await writeLayout(name, found.text, Date.now());
        else await writeSnapshot(name, bytes, { name, ...notesOf(found) });
        await this.refresh();
        lab.say({ text: `Imported ${name}.` });
      } catch (error) {
        const reason = error instanceof DOMException ? storageFailure(error) : (error as Error).message;
        const running = lab.phase === 'ready' ? ` Nothing was imported; ${lab.state?.guest ?? 'the guest'} keeps running.` : '';
        lab.tell({ kind: 'import', tone: 'bad', title: `${file.name} was refused:`, text: `${ended(reason)}${running}` });
      }
    });
  }

  #freeName(fileName: string, kind: Kind): string {
    const wanted =
      fileName
        .replace(/\.(mslm|json)$/i, '')
        .replace(/\p{C}/gu, '')
        .trim()
        .slice(0, 56) || 'imported';
    const taken = new Set(this.list.filter((saved) => saved.kind === kind).map((saved) => saved.name));
    let name = wanted;
    for (let n = 2; taken.has(name); n++) name = `${wanted} ${n}`;
    return name;
  }

  async #busy<T>(kind: Kind, words: string, action: () => Promise<T>): Promise<T> {
    if (kind === 'machine') this.work = { words, percent: undefined };
    try {
      return await action();
    } finally {
      if (this.work?.words === words) this.work = undefined;
    }
  }

  progress(doing: 'save' | 'load', done: number, total: number): void {
    const words = this.work?.words ?? (doing === 'save' ? 'Saving the machine' : 'Loading the machine');
    this.work = { words, percent: total ? Math.floor((done / total) * 100) : undefined };
  }

  /** The monitor's command has ended. */
  idle(): void {
    if (this.work && /^(?:Saving|Loading) the machine$/.test(this.work.words)) this.work = undefined;
  }

  #failed(error: unknown): void {
    this.#lab.say({ text: error instanceof DOMException ? storageFailure(error) : (error as Error).message });
  }
}

function notesOf({
  size,
  date,
  vmClockNs,
  icount,
  shape,
  guest,
}: Extract<InspectedFile, { kind: 'machine' }>): Omit<SavedSnapshot, 'name'> {
  return {
    size,
    date,
    vmClockNs,
    icount,
    guest,
    memory: formatMemory(shape),
    smp: shape.smp,
    cpu: shape.cpu ?? DEFAULT_CPU,
    devices: formatDevices(shape),
  };
}

/** -m of the machine in a layout's text; undefined if it has none. */
function shapeOf(text: string): { ram: number; slots: number; maxmem: number } | undefined {
  try {
    const { machine } = JSON.parse(text) as { machine?: Record<string, unknown> };
    const { ram, slots, maxmem } = machine ?? {};
    return typeof ram === 'number' && typeof slots === 'number' && typeof maxmem === 'number' ? { ram, slots, maxmem } : undefined;
  } catch {
    return undefined;
  }
}

/** A name as one argument of a monitor line. */
const quote = (name: string): string => (/^[\w.-]+$/.test(name) ? name : `"${name.replace(/(["\\])/g, '\\$1')}"`);

const refusalOf = (answer: Answer): string => (answer.failed ? answer.reason : '');

const ended = (text: string): string => (/[.!?]$/.test(text) ? text : `${text}.`);
