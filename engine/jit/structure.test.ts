import { describe, expect, it } from 'vitest';
import { Random } from '../../test/support/random';
import { Code, I32 } from './encoder';
import { moduleOf } from './module';
import { Structure } from './structure';

const STEP = 0;
const ENTRY = 0;

/**
 * Compiles a flow graph and runs it. Its nodes report their number to `step`, which returns the number of the next successor: the sequence that the
 * structured code visits must be a walk of the graph.
 */
function visits(successors: number[][], entry: number, choose: (node: number) => number): number[] {
  const structure = new Structure({ successors: successors.map((list) => [...list]) });
  const code = new Code();
  code.block();
  const depth = code.depth;
  structure.write(code, ENTRY, (node, to) => {
    code.i32Const(node);
    code.call(STEP);
    const [first, second] = successors[node]!;
    if (first === undefined) {
      code.drop();
      code.br(code.depth - depth);
      return;
    }
    code.i32Const(0);
    code.i32LtS();
    code.if();
    code.br(code.depth - depth);
    code.end();
    if (second === undefined) {
      to(first);
      return;
    }
    code.i32Const(node);
    code.call(STEP);
    code.if();
    to(second);
    code.else();
    to(first);
    code.end();
  });
  code.unreachable();
  code.end();
  code.i32Const(0);
  const module = moduleOf(
    { imports: [{ name: 'step', type: { parameters: [I32], results: [I32] } }], helpers: [] },
    { parameters: [I32], results: [I32] },
    [],
    code,
  );
  const path: number[] = [];
  let asked = -1;
  const step = (node: number): number => {
    if (asked === node) {
      asked = -1;
      return choose(node);
    }
    path.push(node);
    asked = successors[node]!.length > 1 ? node : -1;
    return path.length > 200 ? -1 : 0;
  };
  const memory = new WebAssembly.Memory({ initial: 1, maximum: 65536 });
  const instance = new WebAssembly.Instance(new WebAssembly.Module(module), { env: { memory, step } });
  (instance.exports.region as (entry: number) => number)(structure.entryNumber(entry));
  return path;
}

describe('structured control flow', () => {
  it('preserves loops, diamonds and irreducible graphs', () => {
    const random = new Random(99);
    for (let round = 0; round < 300; round++) {
      const count = 1 + random.below(14);
      const node = (): number => 1 + random.below(count);
      const successors: number[][] = [[]];
      for (let i = 0; i < count; i++) successors.push(Array.from({ length: random.below(3) }, node));
      const entries = [...new Set(Array.from({ length: 1 + random.below(3) }, node))];
      successors[0] = entries;
      const entry = entries[random.below(entries.length)]!;
      const choices: number[] = [];
      const path = visits(successors, entry, () => {
        choices.push(random.below(2));
        return choices.at(-1)!;
      });
      let at = entry;
      let choice = 0;
      const expected = [entry];
      while (expected.length <= 200 && successors[at]!.length > 0) {
        const next = successors[at]!;
        at = next.length > 1 ? next[choices[choice++]!]! : next[0]!;
        expected.push(at);
      }
      expect(path, `round ${round}: ${JSON.stringify(successors)} from ${entry}`).toEqual(expected.slice(0, path.length));
      if (path.length < 200) expect(path.length).toBe(expected.length);
    }
  });
});
