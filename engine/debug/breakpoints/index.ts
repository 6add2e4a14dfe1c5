export { BreakpointSet, breakpointsOf } from './set';
export { breakpointLine, hitText, placeText, stopText } from './text';
export type { Accesses, Breakpoint, BreakpointOptions, Place, Stop } from './types';
