/** From a state or replay, which names its machine, to what can be booted: the guest is one that the page serves, or one of this browser's own. */
import type { InspectedLink } from '../../engine/worker/protocol';
import type { BootRequest } from './boot-request';
import { type GuestEntry, listGuests, MEMLAB, type OwnGuest } from './guests';
import { DEFAULT_CPU, formatDevices, formatMemory } from './machine-flags';
import { recentGuests } from './own-guests';
import { WorkerClient } from './worker-client';

type Spec = Extract<InspectedLink, { kind: 'state' | 'replay' }>['spec'];

/** Asks a worker of its own, since a link may come before there is any. Rejects with the engine's reason. */
export async function inspectLink(link: string): Promise<InspectedLink> {
  let failed = (_reason: Error): void => {};
  const client = new WorkerClient((said) => {
    if (said.type === 'fatal') failed(new Error(said.reason));
  });
  try {
    const broken = new Promise<never>((_resolve, reject) => {
      failed = reject;
    });
    return await Promise.race([client.request<InspectedLink>({ type: 'inspect-link', link }), broken]);
  } finally {
    client.terminate();
  }
}

/** Throws when there is no such guest. `own`: files that this browser remembers will do too. */
export async function requestFor(spec: Spec, own: boolean): Promise<BootRequest> {
  const served: GuestEntry[] = await listGuests().catch(() => [MEMLAB]);
  const known: (GuestEntry | OwnGuest)[] = own ? [...served, ...(await recentGuests())] : served;
  const guest = known.find((each) => each.name === spec.guest);
  if (!guest) throw new Error(`it is for the guest '${spec.guest}', which this page does not serve`);
  const devices = formatDevices(spec.devices ?? {});
  return {
    guest,
    memory: formatMemory(spec),
    smp: spec.smp,
    cpu: spec.cpu ?? DEFAULT_CPU,
    append: spec.append,
    ...(devices ? { devices } : {}),
    index: spec.index,
  };
}
