export { type Finding, type Going, type Journal, type Met, Reverse, type ReverseOptions, reverseOf, type Span } from './reverse';
export { type HostRange, type WhoWrote, type Written, whoWrote, writtenText } from './who-wrote';
