// A transform of asc: which functions of the core are called rather than copied into their callers. The optimiser copies whatever is short, and the page
// loads each copy. That is faster where the guest's work is; what decodes, and what does rare instructions, is called.
import binaryen from 'binaryen';

/** Functions that are called, unless there is one call only. */
const COLD =
  /^engine\/cpu\/(?:decode|blocks|code-pages|fpu\/(?!fast)|simd\/(?!fast|hot)|svm|system\/(?:absent-msrs|cpuid|msr|reset)|ops-(?:atomic|bcd|misc))/;
/** lines of text: a shorter function is no larger than a call of it */
const LEAST = 8;

export default class {
  afterCompile(module) {
    const lines = new Map();
    const calls = new Map();
    let name = '';
    for (const line of module.emitText().split('\n')) {
      name = / \(func \$(\S+)/.exec(line)?.[1] ?? name;
      lines.set(name, (lines.get(name) ?? 0) + 1);
      for (const [, callee] of line.matchAll(/\(call \$([^\s)]+)/g)) calls.set(callee, (calls.get(callee) ?? 0) + 1);
    }
    for (const [name, count] of calls) {
      if (count < 2 || !COLD.test(name) || lines.get(name) <= LEAST) continue;
      binaryen.setPassArgument('no-inline', name);
      module.runPasses(['no-inline']);
    }
    binaryen.clearPassArguments();
  }
}
