/** The operation that last set the flags, where it is known: propagated through the graph of a region. */
import { effectOf, type Flags } from './flag-kinds';
import type { Node } from './graph';

const unionOf = (a: Flags, b: Flags): Flags => (a?.kind === b?.kind && a?.size === b?.size ? a : undefined);
export const wordsOf = (flags: Flags): string => (flags === undefined ? '?' : `${flags.kind}/${flags.size}`);

/** What is known about the flags at the start of each node (numbered from 1, as `successors` names them): forward from the entries, to a fixed point. */
export function followFlags(nodes: readonly Node[], entries: readonly number[], successors: readonly number[][]): Flags[] {
  const flagsAt: Flags[] = [];
  const known: boolean[] = [];
  const queue = [...entries];
  for (const number of queue) {
    flagsAt[number] = undefined;
    known[number] = true;
  }
  for (let at = 0; at < queue.length; at++) {
    const number = queue[at]!;
    const node = nodes[number - 1]!;
    const after = flagsAfter(node, flagsAt[number]);
    for (const next of successors[number - 1]!) {
      const met = known[next] ? unionOf(flagsAt[next], after) : after;
      if (known[next] && wordsOf(met) === wordsOf(flagsAt[next])) continue;
      known[next] = true;
      flagsAt[next] = met;
      queue.push(next);
    }
  }
  return flagsAt;
}

/** The states that the writers of the operations arrive at, or less knowledge. */
function flagsAfter(node: Node, before: Flags): Flags {
  let flags = before;
  for (const at of node.records.instructions) {
    const effect = effectOf(at);
    if (effect === 'some') flags = undefined;
    else if (effect !== 'none') flags = effect;
  }
  return flags;
}
