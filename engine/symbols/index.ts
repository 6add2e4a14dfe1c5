/** Names of addresses in the guest's code, and backtraces. Above the machine, below debugger and monitor. */
export type { Backtrace } from './backtrace';
export { SymbolError } from './error';
export { type FilePieces, readSymbols } from './file';
export { type GuestSymbols, type SymbolSource, symbolsOf } from './guest';
export type { Frame } from './stack';
export { placeName, type SymbolPlace, SymbolTable } from './table';
export { readVirtual } from './virtual-memory';
