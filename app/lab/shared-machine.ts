/**
 * Resolves the machine that a state or replay names to one that can be booted: the guest is one that the page serves, or one stored in this browser.
 */
import type { InspectedFile, InspectedLink } from '../../engine/worker/protocol';
import type { BootRequest } from './boot-request';
import type { FileLink } from './file-link';
import { type GuestEntry, listGuests, MEMLAB, type OwnGuest } from './guests';
import { DEFAULT_CPU, formatDevices, formatMemory } from './machine-flags';
import { recentGuests } from './own-guests';
import { WorkerClient } from './worker-client';

type Spec = Extract<InspectedLink, { kind: 'state' | 'replay' }>['spec'];

/** Rejects with the engine's reason. */
export const inspectLink = (link: string): Promise<InspectedLink> =>
  inFreshWorker((client) => client.request<InspectedLink>({ type: 'inspect-link', link }));

/** Asks a separate worker, since a link may arrive before there is one. Rejects as `ask` does, and if the worker ends. */
export async function inFreshWorker<T>(ask: (client: WorkerClient) => Promise<T>): Promise<T> {
  let failed = (_reason: Error): void => {};
  const client = new WorkerClient((said) => {
    if (said.type === 'fatal') failed(new Error(said.reason));
  });
  try {
    const broken = new Promise<never>((_resolve, reject) => {
      failed = reject;
    });
    return await Promise.race([ask(client), broken]);
  } finally {
    client.terminate();
  }
}

/** The file's contents; rejects if it is not the file that the link names, or not complete. */
export function inspectLinked(bytes: Uint8Array, { sha256 }: FileLink): Promise<InspectedFile> {
  return inFreshWorker(async (client) => {
    const hash = await client.request<string>({ type: 'hash-file', bytes });
    if (hash !== sha256) throw new Error(`its SHA-256 is ${hash}, the link names ${sha256}: it is a different file, or has changed`);
    return client.request<InspectedFile>({ type: 'inspect-file', bytes });
  });
}

/** Throws when there is no such guest. `own`: files that this browser remembers are accepted too. */
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
