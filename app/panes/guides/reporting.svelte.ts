/** Reports progress in the open guide to the surrounding page (docs/embedding.md). */
import { untrack } from 'svelte';
import { report } from '../../lab/embedding';
import type { Lab } from '../../lab/lab.svelte';
import type { Guides } from './runner.svelte';

/** For the page's effect. Returns a function that ends it. */
export function reportSteps(guides: Guides, lab: Lab): () => void {
  let told: { guide: string; done: readonly boolean[] } | undefined;
  return $effect.root(() => {
    let ready: string | undefined;
    $effect(() => {
      const guest = lab.phase === 'ready' ? lab.state?.guest : undefined;
      // Its state changes all the time.
      if (guest !== undefined && guest !== ready) report({ event: 'ready', guest });
      ready = guest;
    });
    $effect(() => {
      const guide = guides.shown ? guides.guide : undefined;
      const live = guide && guides.live(guide.id);
      // Between two machines nothing is known of any step.
      if (guide && !live) return;
      const done = guide && live ? guide.steps.map((step) => guides.isDone(step, live)) : [];
      untrack(() => {
        if (told?.guide !== guide?.id) {
          const steps = guide?.steps.map(({ id }) => id) ?? [];
          report({ event: 'guide', guide: guide?.id ?? null, steps, done: steps.filter((_, index) => done[index]) });
        } else if (guide) {
          guide.steps.forEach(({ id: step }, index) => {
            if (told?.done[index] === done[index]) return;
            report({ event: 'step', guide: guide.id, step, index, of: guide.steps.length, done: done[index]! });
          });
        }
        told = guide && { guide: guide.id, done };
      });
    });
  });
}
