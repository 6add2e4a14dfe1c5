export { Reverse, reverseOf } from './reverse';
export type { Finding, Going, Journal, Met, ReverseOptions, Span } from './types';
export { type HostRange, type WhoWrote, type Written, whoWrote, writtenText } from './who-wrote';
