export { watchesOf } from './ranges';
export { BreakpointSet, breakpointsOf, keptBreakpoints } from './set';
export { accessText, breakpointLine, breakpointOptions, conditionText, hitText, placeText, stopText } from './text';
export type { Accesses, Breakpoint, BreakpointOptions, Place, Stop } from './types';
