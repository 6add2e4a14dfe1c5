/** Starts machines: the one that the address asks for, a guest that was chosen, a snapshot's, a link's, a replay's. The running one continues until the new one has booted. */
import coreUrl from '../../build/core.wasm?url';
import type { Answer, InspectedFile, LabState, MachineConfig } from '../../engine/worker/protocol';
import { sentence } from '../shared/format';
import { BootAttempt } from './boot-attempt';
import type { BootRequest } from './boot-request';
import { embedded } from './embedding';
import { fetchLinked, readFileLink } from './file-link';
import { fetchGuest, type GuestEntry, listGuests, MEMLAB, type OwnGuest } from './guests';
import { LINK_NOUN, linkBase, type SharedLink, sharedLink, wantedGuest } from './links';
import { DEFAULT_ACCEL, DEFAULT_CPU, DEFAULT_MEMORY, formatDevices, formatMemory, parseMemory } from './machine-flags';
import type { Notices } from './notices';
import { recentGuests, rememberGuest } from './own-guests';
import { inspectLink, inspectLinked, requestFor } from './shared-machine';
import { onLayoutsChanged } from './storage';
import type { Announcement, WorkerClient } from './worker-client';

/** What it needs of the lab whose machines it starts. */
interface StarterLab extends Notices {
  readonly alive: boolean;
  readonly state: LabState | undefined;
  phase: 'loading' | 'ready' | 'stopped';
  loading: { what: string; percent: number | undefined } | undefined;
  readonly snapshots: { refresh(): Promise<void> };
  readonly keeping: { start(): Promise<void> };
  adopt(attempt: BootAttempt, append: string, withConsole: boolean): void;
  inspect(bytes: Uint8Array): Promise<InspectedFile>;
  stopped(title: string, text: string): void;
  store(client: WorkerClient, message: Extract<Announcement, { type: 'storage' }>): Promise<void>;
}

/** The guest of this name that the page serves or this browser remembers, for the next reset; memlab if there is none. */
async function knownGuest(name: string): Promise<GuestEntry | OwnGuest> {
  const known: (GuestEntry | OwnGuest)[] = [...(await listGuests().catch(() => [MEMLAB])), ...(await recentGuests())];
  return known.find((each) => each.name === name) ?? MEMLAB;
}

export class Starter {
  /** The running machine's request, so that it can be started again; without its link if that was refused. */
  request: BootRequest = { guest: MEMLAB, memory: DEFAULT_MEMORY };
  readonly #lab: StarterLab;
  /** Of the last requested machine: aborted by the next request. */
  #turn = new AbortController();
  #attempt: BootAttempt | undefined;

  constructor(lab: StarterLab) {
    this.#lab = lab;
  }

  /** Another machine is requested: the pending start ends silently. A caller that waits must check its turn before it acts. */
  #next(): AbortSignal {
    this.#turn.abort();
    this.#turn = new AbortController();
    this.#attempt?.client.terminate();
    this.#attempt = undefined;
    this.#lab.loading = undefined;
    return this.#turn.signal;
  }

  /** Boots what the address requests, otherwise memlab. */
  async start(): Promise<void> {
    window.addEventListener('hashchange', () => this.#hashChanged());
    onLayoutsChanged(() => void this.#lab.snapshots.refresh());
    void this.#lab.snapshots.refresh();
    if (!embedded) void this.#lab.keeping.start();
    const link = sharedLink(location.hash);
    const wanted = wantedGuest(location.search);
    if (wanted !== undefined && (!link || link.kind === 'layout')) await this.#bootNamed(wanted, link);
    else await this.#open(link);
  }

  /** `?guest=NAME`: without such a guest, memlab and a line that lists the available ones. */
  async #bootNamed(name: string, link: SharedLink | undefined): Promise<void> {
    const turn = this.#next();
    const guests = await listGuests().catch(() => [MEMLAB]);
    if (turn.aborted) return;
    const guest = guests.find((each) => each.name === name);
    const request = { guest: guest ?? MEMLAB, memory: guest?.memory ?? DEFAULT_MEMORY, link: link?.fragment };
    await this.boot(request, turn);
    if (guest || turn.aborted) return;
    const text = `This page serves ${guests.map((each) => each.name).join(', ')}. memlab runs instead.`;
    this.#lab.tell({ kind: 'link', tone: 'warn', title: `There is no guest “${name}”:`, text });
  }

  /** A layout is for memlab; a state or a replay names its machine, so inspect it first. */
  async #open(link: SharedLink | undefined): Promise<void> {
    if (!link || link.kind === 'layout') return void (await this.boot({ guest: MEMLAB, memory: DEFAULT_MEMORY, link: link?.fragment }));
    if (link.kind === 'file') return this.#openLinked(link.fragment);
    const turn = this.#next();
    if (!this.#lab.alive) this.#lab.loading = { what: `Opening the ${LINK_NOUN[link.kind]}`, percent: undefined };
    try {
      const found = await inspectLink(link.fragment);
      if (found.kind === 'layout') throw new Error('it is a layout');
      const request = await requestFor(found.spec, false);
      if (!turn.aborted) await this.boot({ ...request, link: link.fragment }, turn);
    } catch (error) {
      if (!turn.aborted) await this.#linkRefused((error as Error).message);
    }
  }

  async #linkRefused(reason: string): Promise<void> {
    const alive = this.#lab.alive;
    if (!alive) await this.boot({ guest: MEMLAB, memory: DEFAULT_MEMORY });
    const after = alive ? `${this.#lab.state?.guest ?? 'The guest'} keeps running.` : 'memlab runs instead.';
    this.#lab.tell({ kind: 'link', tone: 'bad', title: 'Link refused:', text: `${sentence(reason)} ${after}` });
  }

  /** A machine or replay on a server: fetched, compared with the link's hash, and only then parsed. */
  async #openLinked(fragment: string): Promise<void> {
    const turn = this.#next();
    const tell = (what: string, percent: number | undefined): void => {
      if (!turn.aborted) this.#lab.loading = { what, percent };
    };
    try {
      const link = readFileLink(fragment, location.href);
      const bytes = await fetchLinked(link, tell, turn);
      tell(`Checking ${link.name}`, undefined);
      const found = await inspectLinked(bytes, link);
      if (found.kind === 'layout') throw new Error('it is a layout: Import the file, or share the layout in a link of its own');
      if (found.kind === 'machine') return await this.#bootFile(link.name, found, bytes, turn);
      const request = await requestFor(found.spec, true);
      if (!turn.aborted) await this.boot({ ...request, replay: bytes }, turn);
    } catch (error) {
      if (turn.aborted) return;
      this.#lab.loading = undefined;
      await this.#linkRefused((error as Error).message);
    }
  }

  /** Throws the reason if the machine in the file cannot continue here. */
  async #bootFile(
    name: string,
    { shape, guest }: Extract<InspectedFile, { kind: 'machine' }>,
    bytes: Uint8Array,
    turn: AbortSignal,
  ): Promise<void> {
    const devices = formatDevices(shape);
    const machine = { memory: formatMemory(shape), smp: shape.smp, cpu: shape.cpu ?? DEFAULT_CPU, ...(devices ? { devices } : {}) };
    const load = (client: WorkerClient): Promise<unknown> => client.request({ type: 'load', bytes });
    const reason = await this.#try({ guest: await knownGuest(guest), ...machine }, turn, load);
    if (reason !== undefined) throw new Error(reason);
    if (!turn.aborted)
      this.#lab.say({ text: `Opened ${name}: its SHA-256 matches the link. The guest continues from where it was saved.` });
  }

  /** A replay file that was already inspected: its machine replaces the running one after confirmation. */
  openReplayFile(name: string, bytes: Uint8Array, spec: Parameters<typeof requestFor>[0]): void {
    const open = async (): Promise<void> => {
      this.#lab.dismiss('new-link');
      const turn = this.#next();
      try {
        const request = await requestFor(spec, true);
        if (!turn.aborted) await this.boot({ ...request, replay: bytes }, turn);
      } catch (error) {
        if (turn.aborted) return;
        this.#lab.tell({ kind: 'import', tone: 'bad', title: `${name} was refused:`, text: sentence((error as Error).message) });
      }
    };
    this.#askToReplace(`Replay ${name}?`, 'Replay', () => void open());
  }

  /** The replay that another page has stored; the running machine ends. */
  async openKept(bytes: Uint8Array): Promise<void> {
    const turn = this.#next();
    try {
      const found = await this.#lab.inspect(bytes);
      if (found.kind !== 'replay') throw new Error('it is not a replay');
      const request = await requestFor(found.spec, true);
      const reason = turn.aborted ? '' : await this.boot({ ...request, replay: bytes }, turn);
      if (reason) throw new Error(reason);
    } catch (error) {
      if (turn.aborted) return;
      this.#lab.tell({
        kind: 'import',
        tone: 'bad',
        title: 'The saved work cannot be restored:',
        text: sentence((error as Error).message),
      });
    }
  }

  /**
   * Starts the guest in a new worker and lets it replace the running one. If it does not start, the running one continues, or memlab starts if there
   * is none. A link is passed on unchecked, since the engine checks it. Returns the refusal, or ''.
   */
  async boot(request: BootRequest, turn = this.#next()): Promise<string> {
    const reason = await this.#try(request, turn);
    if (reason === undefined) return '';
    const name = request.guest.name;
    const title = `${name} did not start:`;
    if (this.#lab.alive) {
      const goesOn = `${this.#lab.state?.guest ?? 'The guest'} keeps running.`;
      this.#lab.tell({ kind: 'boot', tone: 'bad', title, text: `${sentence(reason)} ${goesOn}` });
    } else if (request.guest === MEMLAB) this.#lab.stopped('The machine did not start.', reason);
    else {
      await this.boot({ guest: MEMLAB, memory: DEFAULT_MEMORY });
      this.#lab.tell({ kind: 'boot', tone: 'bad', title, text: `${sentence(reason)} memlab runs instead.` });
    }
    return reason;
  }

  /** Starts a machine like the snapshot's and loads the snapshot into it; only then replaces the running one. Returns the refusal, or ''. */
  async bootSnapshot(name: string, machine: Pick<BootRequest, 'memory' | 'smp' | 'cpu' | 'devices'>, line: string): Promise<string> {
    const load = async (client: WorkerClient): Promise<void> => {
      const answer = await client.request<Answer>({ type: 'monitor', line });
      if (answer.failed) throw new Error(answer.reason);
    };
    const turn = this.#next();
    return (await this.#try({ guest: await knownGuest(name), ...machine }, turn, load)) ?? '';
  }

  /** `load`: puts the booted machine into another state. Returns the reason if it does not start; undefined if it runs, or its turn is over. */
  async #try(request: BootRequest, turn: AbortSignal, load?: (client: WorkerClient) => Promise<unknown>): Promise<string | undefined> {
    if (turn.aborted) return undefined;
    const append = request.append ?? request.guest.append ?? '';
    if (!this.#lab.alive) this.#lab.phase = 'loading';
    this.#lab.loading = { what: `Loading ${request.guest.name}`, percent: undefined };
    try {
      const { memory, smp = 1, accel = DEFAULT_ACCEL, index, dirtyRing, paused } = request;
      const cpu = request.cpu ?? ('cpu' in request.guest ? request.guest.cpu : undefined);
      const config: MachineConfig = { ...parseMemory(memory), smp, accel, ...(cpu ? { cpu } : {}), ...(index ? { index } : {}) };
      const attempt = new BootAttempt(new URL(coreUrl, document.baseURI).href, (client, asked) => void this.#lab.store(client, asked));
      this.#attempt = attempt;
      const guest = await fetchGuest(request.guest, append, (what, percent) => {
        if (!turn.aborted) this.#lab.loading = { what, percent };
      });
      if (turn.aborted) return undefined;
      this.#lab.loading = { what: `Starting ${request.guest.name}`, percent: undefined };
      const link = {
        ...(request.link === undefined ? {} : { link: request.link }),
        ...(request.replay === undefined ? {} : { replay: request.replay }),
        ...('own' in request.guest ? { own: true } : {}),
        ...(dirtyRing === undefined ? {} : { dirtyRing }),
        ...(paused ? { paused } : {}),
      };
      const { devices = '' } = request;
      attempt.boot({ config, guest, devices, linkBase: linkBase(location), ...link });
      // A terminated worker sends no more messages.
      const overtaken = new Promise<void>((resolve) => turn.addEventListener('abort', () => resolve()));
      await Promise.race([overtaken, attempt.booted.then(() => load?.(attempt.client))]);
      if (!turn.aborted) this.#adopt(attempt, { ...request, append }, load === undefined);
      return undefined;
    } catch (error) {
      if (turn.aborted) return undefined;
      this.#attempt?.client.terminate();
      return (error as Error).message;
    } finally {
      if (!turn.aborted) {
        this.#lab.loading = undefined;
        this.#attempt = undefined;
      }
    }
  }

  #adopt(attempt: BootAttempt, request: BootRequest, withConsole: boolean): void {
    this.request = request;
    this.#lab.adopt(attempt, request.append ?? '', withConsole);
    if ('own' in request.guest) {
      const { guest, link, replay, ...flags } = request;
      void rememberGuest(guest as OwnGuest, flags, Date.now());
    }
  }

  restart(): void {
    void this.boot(this.request);
  }

  /** The running machine booted without its link or replay, which was refused. */
  refused(reason: string): void {
    const { link, replay, guest } = this.request;
    this.request = { ...this.request, link: undefined, replay: undefined };
    const title = replay ? 'Replay refused:' : 'Link refused:';
    const layout = sharedLink(link ?? '')?.kind === 'layout';
    const instead = layout ? `${guest.name} runs with its own layout instead.` : `${guest.name} starts from the beginning instead.`;
    this.#lab.tell({ kind: 'link', tone: 'bad', title, text: `${sentence(reason)} ${instead}` });
  }

  #hashChanged(): void {
    const link = sharedLink(location.hash);
    // Back also closes the question.
    this.#lab.dismiss('new-link');
    if (!link) return;
    const noun = LINK_NOUN[link.kind];
    this.#askToReplace(`Open the ${noun} in this link?`, `Open the ${noun}`, () => void this.#open(link));
  }

  /** At once where nothing runs. */
  #askToReplace(title: string, label: string, run: () => void): void {
    const text = 'The running guest ends, and a new machine takes its place.';
    if (this.#lab.phase === 'ready') this.#lab.tell({ kind: 'new-link', tone: 'warn', title, text, action: { label, run } });
    else run();
  }
}
