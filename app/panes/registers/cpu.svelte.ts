/** The last known state of one vCPU: read 4 times a second while the guest runs, and after each stop and step. */
import type { CpuView, RegisterView } from '../../../engine/worker/protocol';
import type { Lab } from '../../lab/lab.svelte';
import type { Workspace } from '../workspace/workspace.svelte';
import { reason } from './tier';

/** ms */
const PERIOD = 250;
const LINES_BEFORE = 2;
const LINES = 7;

/** Bits of RFLAGS by the manual's names. */
export const FLAGS = [
  ['CF', 0],
  ['PF', 2],
  ['AF', 4],
  ['ZF', 6],
  ['SF', 7],
  ['TF', 8],
  ['IF', 9],
  ['DF', 10],
  ['OF', 11],
] as const;

interface Stop {
  instructions: number;
  values: ReadonlyMap<string, string>;
}

export class Cpu {
  readonly lab: Lab;
  readonly #workspace: Workspace;
  /** Address whose code is shown in place of rip's. */
  from = $state<string | undefined>(undefined);
  view = $state.raw<CpuView | undefined>(undefined);
  problem = $state('');
  /** Registers and flags that have changed since the guest last stopped. */
  changed = $state.raw<ReadonlySet<string>>(new Set());
  /** The last stop, and the one before it. */
  #stop: Stop | undefined;
  #before: Stop | undefined;
  #reading = 0;

  constructor(workspace: Workspace) {
    this.lab = workspace.lab;
    this.#workspace = workspace;
  }

  get vcpu(): number {
    return this.#workspace.vcpu;
  }

  /** Reads now, and repeatedly while the guest runs. Returns a function that ends it. */
  follow(running: boolean): () => void {
    let timer: ReturnType<typeof setTimeout> | undefined;
    let alive = true;
    const read = async () => {
      await this.#read(running);
      if (alive && running) timer = setTimeout(() => void read(), PERIOD);
    };
    void read();
    return () => {
      alive = false;
      clearTimeout(timer);
    };
  }

  async #read(running: boolean): Promise<void> {
    const number = ++this.#reading;
    const { vcpu, from } = this;
    try {
      const around = from === undefined ? {} : { from };
      const view = await this.lab.query({ ask: 'cpu', vcpu, before: LINES_BEFORE, count: LINES, ...around });
      if (number !== this.#reading) return;
      this.view = view;
      this.problem = '';
      if (running) this.changed = new Set();
      else this.#compare(view);
    } catch (error) {
      if (number === this.#reading) this.problem = (error as Error).message;
    }
  }

  choose(vcpu: number): void {
    this.#workspace.vcpu = vcpu;
    this.from = undefined;
    this.#stop = undefined;
    this.#before = undefined;
    this.changed = new Set();
  }

  #compare(view: CpuView): void {
    if (this.#stop?.instructions !== view.instructions) {
      this.#before = this.#stop;
      this.#stop = { instructions: view.instructions, values: valuesOf(view) };
    }
    this.changed = differences(this.#before, this.#stop);
  }
}

function differences(before: Stop | undefined, now: Stop | undefined): Set<string> {
  const names = new Set<string>();
  for (const [name, value] of now?.values ?? []) {
    const old = before?.values.get(name);
    if (old !== undefined && old !== value) names.add(name);
  }
  return names;
}

function tierText(tier: CpuView['tier']): string {
  if (tier.tier === 'interpreter') return `interpreter: ${reason(tier).short}`;
  const { entry, entrySymbol, instructions } = tier;
  return `compiled region at ${entry}${entrySymbol ? ` <${entrySymbol}>` : ''}, ${instructions} instructions`;
}

export const isSet = (rflags: number, bit: number): boolean => ((rflags >>> bit) & 1) === 1;

function valuesOf(view: CpuView): Map<string, string> {
  const values = new Map<string, string>();
  for (const { registers } of view.groups)
    for (const register of registers) values.set(register.name, register.value + (register.note ?? ''));
  for (const [name, bit] of FLAGS) values.set(name, String(isSet(view.rflags, bit)));
  return values;
}

/** What Copy puts on the clipboard. */
export function asText(view: CpuView): string {
  const register = ({ name, value, note }: RegisterView): string => `${name.padEnd(6)} ${value}${note ? `  ${note}` : ''}`;
  const flags = FLAGS.map(([name, bit]) => `${name}=${isSet(view.rflags, bit) ? 1 : 0}`).join(' ');
  const code = view.code.lines.map(({ gva, bytes, mnemonic, operands, guess, symbol, targetSymbol }) => {
    const mark = gva === view.code.rip ? '>' : guess ? '~' : ' ';
    return `${symbol ? `${symbol}:\n` : ''}${mark} ${gva}  ${bytes.padEnd(32)} ${mnemonic.padEnd(8)} ${operands}${targetSymbol ? ` <${targetSymbol}>` : ''}`.trimEnd();
  });
  const frames = (view.frames ?? []).map(({ gva, symbol, by }, index) => `#${index} ${gva} ${symbol ?? ''} (${by})`);
  const head = `vCPU ${view.vcpu}, CPL ${view.cpl}, ${view.code.bits}-bit, after ${view.instructions} instructions`;
  return [
    head,
    ...view.groups.flatMap(({ registers }) => registers.map(register)),
    flags,
    tierText(view.tier),
    ...code,
    view.code.reason ?? '',
    ...frames,
  ]
    .join('\n')
    .trimEnd();
}
