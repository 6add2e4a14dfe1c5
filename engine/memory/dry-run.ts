/** What a plan would do: the answer that its commit would give. */
import { describeChanges, inheritedArch } from './describe-change';
import { pageFlow, swapsOf } from './page-flow';
import type { Plan } from './plan';
import type { Accepted, Commit } from './types';

/** `generation` is the answer's where nothing would change; each swap adds `spaces`. */
export function foresee(plan: Plan, generation: number, spaces: number): Commit {
  if (!plan.ok) return plan;
  const answer: Accepted = { ok: true, generation, swaps: 0, changes: [], zapped: [] };
  for (const [i, spacePlan] of plan.spaces.entries()) {
    const flow = pageFlow(spacePlan);
    const swaps = swapsOf(flow);
    if (i === 0) answer.generation = spacePlan.space.active.generation + swaps * spaces;
    answer.swaps = Math.max(answer.swaps, swaps);
    answer.zapped.push(...flow.zapped);
    for (const change of describeChanges(spacePlan, flow)) {
      if (change.next) change.next.arch = inheritedArch(change);
      answer.changes.push(change);
    }
  }
  return answer;
}
