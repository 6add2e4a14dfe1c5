/** Which tier runs the code at a guest address, and why if it is the interpreter. No side effects. */
import type { CoreExports } from '../abi/core';
import { KEY_64, KEY_ALIGN } from '../abi/mode';
import { H_HVA, H_LENGTH, H_MODE, R_OP } from '../abi/record';
import type { Node } from './graph';
import { headerOf, OPERATIONS } from './records';

/** Why the interpreter runs this code. */
export type InterpreterReason =
  /** -accel interp */
  | { why: 'accel' }
  /** Run-time compilation is forbidden here. */
  | { why: 'refused'; text: string }
  /** 16- and 32-bit code is not compiled, nor is code whose accesses are checked for alignment. */
  | { why: 'mode' }
  | { why: 'alignment' }
  /** There is a breakpoint in its page. */
  | { why: 'breakpoint' }
  /** Not run since its page was written, never run, or not mapped. */
  | { why: 'unseen' }
  /** Code in its page was written this often, so it is not compiled for a while. */
  | { why: 'thrashing'; written: number }
  /** A check of the compiler failed on it (see the log). */
  | { why: 'failed' }
  /** Regions entered here exited after a few instructions: their entries were removed. */
  | { why: 'short' }
  /** The number of samples in its page, and how many make it hot. */
  | { why: 'cold'; samples: number; wanted: number };

export type CodeTier =
  /** `entry`: linear, where the region begins. */
  { tier: 'compiled'; entry: bigint; instructions: number; bytes: number } | ({ tier: 'interpreter' } & InterpreterReason);

/** What the JIT reports about it. */
export interface Compiled {
  view: DataView;
  core: CoreExports;
  /** Regions that contain code of a host page. */
  at(hostPage: number): Iterable<{ nodes: readonly Node[]; blocks: readonly number[]; instructions: number; bytes: number }>;
  /** Times that code was written in it. */
  written(hostPage: number): number;
  thrashing: number;
  refused: string | undefined;
}

const PAGE = 4096;
const REGION = OPERATIONS.findIndex(({ name }) => name === 'region');

/** Where the code is, and the state of the vCPU that would run it. */
export interface CodePlace {
  linear: bigint;
  /** Of the byte at that address; undefined: no memory is mapped there. */
  hva: number | undefined;
  is64: boolean;
  /** There is a breakpoint in its page. */
  watched: boolean;
}

export function tierOf(compiled: Compiled, { linear, hva, is64, watched }: CodePlace): CodeTier {
  const { view, core, refused } = compiled;
  if (refused !== undefined) return interpreter({ why: 'refused', text: refused });
  if (!is64) return interpreter({ why: 'mode' });
  if (hva === undefined) return interpreter({ why: 'unseen' });
  if (watched) return interpreter({ why: 'breakpoint' });
  const page = Math.floor(hva / PAGE);
  const blocks: number[] = [];
  for (let block = core.jitFirstBlock(page); block !== 0; block = core.jitNextBlock(block)) blocks.push(block >>> 0);
  const modeOf = (block: number): number => view.getUint32(headerOf(block) + H_MODE, true);
  const here = blocks.filter((block) => {
    const first = view.getUint32(headerOf(block) + H_HVA, true);
    return first <= hva && hva < first + view.getUint32(headerOf(block) + H_LENGTH, true) && modeOf(block) & KEY_64;
  });
  const found = regionAround(compiled, page, here, linear, hva);
  if (found !== undefined) return found;
  const written = compiled.written(page);
  if (written === Number.POSITIVE_INFINITY) return interpreter({ why: 'failed' });
  if (written >= compiled.thrashing) return interpreter({ why: 'thrashing', written });
  const [first] = here;
  if (first === undefined) return interpreter({ why: 'unseen' });
  if (here.every((block) => modeOf(block) & KEY_ALIGN)) return interpreter({ why: 'alignment' });
  const heat = core.jitHeat(first);
  return interpreter({ why: 'cold', samples: heat & 0xffff, wanted: heat >>> 16 });
}

const interpreter = (reason: InterpreterReason): CodeTier => ({ tier: 'interpreter', ...reason });

/** The region that contains one of the blocks, preferably one that is entered there. */
function regionAround({ view, at }: Compiled, page: number, here: readonly number[], linear: bigint, hva: number): CodeTier | undefined {
  const entry = (block: number): boolean => view.getUint16(block + R_OP, true) === REGION;
  let short = false;
  const candidates = [...at(page)].flatMap((region) =>
    here.filter((block) => region.blocks.includes(block)).map((block) => ({ region, block })),
  );
  candidates.sort((a, b) => Number(entry(b.block)) - Number(entry(a.block)));
  for (const { region, block } of candidates) {
    if (!region.blocks.some(entry)) {
      short = true;
      continue;
    }
    const { nodes, instructions, bytes } = region;
    const node = nodes.find((each) => each.block === block)!;
    const start = linear - BigInt(hva % PAGE) - BigInt(Math.floor(node.delta / PAGE) * PAGE);
    return { tier: 'compiled', entry: BigInt.asUintN(64, start + BigInt(nodes[0]!.delta)), instructions, bytes };
  }
  return short ? interpreter({ why: 'short' }) : undefined;
}
