/** Panes have addresses: `#pane=dimms` opens that one. On a phone each visited pane is a step of the browser's history. */
import { isShareLink } from '../../lab/links';
import type { InspectorPanel, PhonePane, Workspace } from './workspace.svelte';

const PHONE: readonly PhonePane[] = ['map', 'terminals', 'changes', 'history', 'guides', 'more'];
const PANELS: readonly InspectorPanel[] = ['slot', 'dimms', 'index', 'walk', 'live', 'cpu', 'breakpoints', 'trace'];
/** On a phone where the others have no pane of their own; else what takes the focus. */
const OTHERS: Record<string, { phone: PhonePane; label: string }> = {
  console: { phone: 'terminals', label: 'Guest console' },
  monitor: { phone: 'terminals', label: 'Monitor' },
  snapshots: { phone: 'more', label: 'Change set and snapshots' },
};
const LABELS: Partial<Record<PhonePane, string>> = {
  map: 'Memory map',
  terminals: 'Guest console',
  changes: 'Change set and snapshots',
  history: 'History',
};

/** For the page's effect: opens what the address names, and updates the address. Returns a function that ends it. */
export function followAddress(workspace: Workspace, phone: () => boolean): () => void {
  const open = (): void => {
    const name = /^#pane=([a-z]+)$/.exec(location.hash)?.[1];
    if (name !== undefined) openPane(workspace, name, phone());
    else if (phone() && !location.hash) workspace.phonePane = 'map';
  };
  if (location.hash) open();
  addEventListener('popstate', open);
  const end = $effect.root(() => {
    let panel = workspace.inspectorPanel;
    let pane = workspace.phonePane;
    $effect(() => {
      if (workspace.inspectorPanel === panel) return;
      panel = workspace.inspectorPanel;
      if (!phone()) name(panel, false);
    });
    $effect(() => {
      if (workspace.phonePane === pane) return;
      pane = workspace.phonePane;
      // A guide has an address of its own.
      if (phone() && pane !== 'guides') name(pane, true);
    });
  });
  return () => {
    removeEventListener('popstate', open);
    end();
  };
}

function openPane(workspace: Workspace, name: string, phone: boolean): void {
  const panel = PANELS.find((each) => each === name);
  const other = OTHERS[name];
  const pane = PHONE.find((each) => each === name) ?? (panel ? 'more' : other?.phone);
  if (!pane) {
    workspace.lab.say({ text: `There is no pane “${name}”. There are ${[...PHONE, ...PANELS, ...Object.keys(OTHERS)].join(', ')}.` });
    return;
  }
  if (panel) workspace.inspectorPanel = panel;
  if (pane === 'guides') workspace.guides.show();
  workspace.phonePane = pane;
  const label = other?.label ?? LABELS[pane];
  if (!phone && label && !panel) focusPane(label);
}

function focusPane(label: string): void {
  const pane = document.querySelector(`[aria-label="${label}"]`);
  pane?.querySelector<HTMLElement>('.xterm-helper-textarea, [tabindex="0"], button')?.focus();
}

function name(pane: string, step: boolean): void {
  const { hash } = location;
  if (isShareLink(hash) || (!step && hash.startsWith('#guide='))) return;
  const wanted = step && pane === 'map' ? '' : `#pane=${pane}`;
  if (hash === wanted) return;
  const address = `${location.pathname}${location.search}${wanted}`;
  if (step) history.pushState(null, '', address);
  else history.replaceState(history.state, '', address);
}
