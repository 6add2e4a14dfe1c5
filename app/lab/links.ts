/** The page's address: a share link is the fragment `#l=...` (layout), `#s=...` (state), `#r=...` (replay) or `#f=...` (a file that lies elsewhere). Unpacking and checking it is the engine's job. */
import type { ShareKind } from '../../engine/worker/protocol';
import { embedded, tidy } from './embedding';

/** Chat programs and mail clients start to cut links at about this length. */
export const LONG_LINK = 2000;

/** Longer than any link the engine makes. The engine would refuse it too, but need not receive it. */
const LONGEST_FRAGMENT = 4_000_000;

export type LinkKind = ShareKind | 'file';

const KINDS: Record<string, LinkKind> = { l: 'layout', s: 'state', r: 'replay', f: 'file' };

/** The name of each kind in questions about a link. */
export const LINK_NOUN: Record<LinkKind, string> = { layout: 'layout', state: 'machine', replay: 'replay', file: 'file' };

export interface SharedLink {
  kind: LinkKind;
  /** without '#' */
  fragment: string;
}

/** undefined: the fragment does not claim to be a share link. */
export function sharedLink(hash: string): SharedLink | undefined {
  const fragment = hash.replace(/^#/, '');
  const kind = KINDS[/^([lsrf])=/.exec(fragment)?.[1] ?? ''];
  return kind && { kind, fragment: fragment.slice(0, LONGEST_FRAGMENT) };
}

/** The part before "#..." in `share`: the link opens the whole page and the guest that it names. */
export function linkBase(location: Location): string {
  const url = new URL(location.href);
  url.hash = '';
  for (const name of ['embed', 'guest']) url.searchParams.delete(name);
  return tidy(url);
}

/** The prepared guest that `?guest=NAME` boots. */
export const wantedGuest = (search: string): string | undefined => new URLSearchParams(search).get('guest')?.slice(0, 64) || undefined;

export const isShareLink = (hash: string): boolean => sharedLink(hash) !== undefined;

/** The guide that `#guide=NAME` opens. */
export function guideLink(hash: string): string | undefined {
  return /^#guide=(.{1,40})$/.exec(hash)?.[1];
}

/** The address names the open guide, so that it can be sent, survives a reload, and Back closes it; another kind of link in it stays. */
export function showGuideInAddress(name: string | undefined): void {
  if (isShareLink(location.hash)) return;
  const open = location.hash.startsWith('#guide=');
  if (name === undefined && !open) return;
  const wanted = name === undefined ? '' : `#guide=${name}`;
  if (location.hash === wanted) return;
  const address = `${location.pathname}${location.search}${wanted}`;
  // Inside another page, Back is that page's.
  if (name !== undefined && !open && !embedded) history.pushState(null, '', address);
  else history.replaceState(history.state, '', address);
}
