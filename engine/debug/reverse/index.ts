export { type Journal, Reverse, type ReverseOptions } from './reverse';
