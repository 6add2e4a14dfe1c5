/** Runs cases on the host processor and on the core and collects every difference. */
import { type Case, COMPLETED } from './case';
import { CoreRunner } from './core';
import type { Form } from './form';
import { makeCases } from './generate';
import { differences } from './makers';
import { buildNative, refusesLegacy, runNative } from './native';

export interface Comparison {
  forms: readonly Form[];
  cases: number;
  seed: number;
  /** Called for at most `show` differences, two per form. */
  show: number;
  tell: (line: string) => void;
  progress: (done: number) => void;
}

export interface Verdict {
  /** Differences by form. */
  failing: Map<string, number>;
  failed: number;
  /** Forms that only ever faulted: their result was not compared. */
  neverCompleted: string[];
  /** Why 32- and 16-bit code was left out. */
  noLegacy: string | undefined;
}

const BATCH = 2000;

function describe(c: Case): string {
  const bytes = Buffer.from(c.code.slice(0, 15))
    .toString('hex')
    .replace(/(cc)+$/, '');
  const registers = Array.from(c.gpr, (value, n) => `r${n} ${value.toString(16)}`).join(' ');
  return `${c.name}: ${bytes} flags 0x${c.flags.toString(16)} ${registers}`;
}

/** @throws Error with the reason if cases cannot run natively */
export function compare({ forms, cases: total, seed, show, tell, progress }: Comparison): Verdict {
  const problem = buildNative();
  if (problem) throw new Error(`cases cannot run natively here: ${problem}`);
  const noLegacy = refusesLegacy();
  const core = new CoreRunner();
  const failing = new Map<string, number>();
  const completed = new Set<string>();
  let failed = 0;
  let shown = 0;
  for (let done = 0; done < total; done += BATCH) {
    const cases = makeCases(forms, Math.min(BATCH, total - done), seed + done, noLegacy === undefined);
    const expected = runNative(cases);
    cases.forEach((c, i) => {
      if (expected[i]!.vector === COMPLETED) completed.add(c.name);
      const found = differences(c, expected[i]!, core.run(c));
      if (found.length === 0) return;
      failed++;
      const before = failing.get(c.name) ?? 0;
      failing.set(c.name, before + 1);
      if (before < 2 && shown++ < show) tell(`${describe(c)}\n    ${found.slice(0, 4).join('; ')}`);
    });
    progress(Math.min(total, done + BATCH));
  }
  const any = (name: string) => [name, `${name} (32)`, `${name} (16)`].some((each) => completed.has(each));
  return { failing, failed, neverCompleted: forms.filter((form) => !any(form.name)).map((form) => form.name), noLegacy };
}
