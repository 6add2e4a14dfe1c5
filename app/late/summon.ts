/** Dialogs that are loaded when they are first opened. */
import { tick } from 'svelte';
import type { Notices } from '../lab/notices';
import type { Late } from '../shared/late.svelte';

/** Runs `then` once the part is loaded; if it fails to load, says so and offers to retry. */
export async function summon(notices: Pick<Notices, 'say'>, part: Late<unknown>, what: string, then: () => void): Promise<void> {
  if (await part.load()) {
    await tick();
    then();
    return;
  }
  const again = { label: 'Try again', run: () => void summon(notices, part, what, then) };
  notices.say({ text: `${what} did not load: no network, or the site has a newer version.`, action: again });
}
