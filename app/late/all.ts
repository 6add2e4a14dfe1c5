/** The file of what the page loads late: in one piece it is smaller than its parts together. */

export { default as Breakpoints } from '../panes/debug/BreakpointsPanel.svelte';
export { GUIDES } from '../panes/guides/all';
export { default as Guides } from '../panes/guides/Guides.svelte';
export { default as Picker } from '../panes/head/GuestPicker.svelte';
export { default as Share } from '../panes/head/Share.svelte';
export { default as Index } from '../panes/index/IndexPanel.svelte';
export { default as Live } from '../panes/live/LivePanel.svelte';
export { default as Walk } from '../panes/page-walk/PageWalkPanel.svelte';
export { default as Cpu } from '../panes/registers/CpuPane.svelte';
export { default as Trace } from '../panes/trace/TracePanel.svelte';
export { default as Keys } from '../panes/workspace/Keys.svelte';
