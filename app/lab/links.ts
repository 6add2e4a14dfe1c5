/** The page's address: a layout link is the fragment `#l=...`. Unpacking and checking it is the engine's job. */

/** Chat programs and mail clients start to cut links at about this length. */
export const LONG_LINK = 2000;

/** Longer than any link the engine makes; it would refuse it too, but need not be sent it. */
const LONGEST_FRAGMENT = 4_000_000;

/** The fragment without '#', when it claims to be a layout link. */
export function layoutLink(hash: string): string | undefined {
  const fragment = hash.replace(/^#/, '');
  if (!fragment.startsWith('l=')) return undefined;
  return fragment.slice(0, LONGEST_FRAGMENT);
}

/** What `share` puts before "#...". */
export function linkBase(location: Location): string {
  return location.href.split('#')[0] ?? location.href;
}

/** The guide that `#guide=NAME` opens. */
export function guideLink(hash: string): string | undefined {
  return /^#guide=([a-z]+)$/.exec(hash)?.[1];
}

/** The address names the open guide, so that it can be sent and survives a reload; another kind of link in it stays. */
export function showGuideInAddress(name: string | undefined): void {
  if (location.hash && !location.hash.startsWith('#guide=')) return;
  const wanted = name === undefined ? '' : `#guide=${name}`;
  if (location.hash !== wanted) history.replaceState(history.state, '', `${linkBase(location)}${wanted}`);
}
