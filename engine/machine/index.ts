/** The machine's public entry point. */
export * from './api';
export { MOST_BACKENDS } from './backends';
export { warningLines, warningOf } from './consent';
export { cpuHelp, DEFAULT_CPU, parseCpu } from './cpu-model';
export { MAX_WASM_PAGES, MOST_HOST_MEMORY } from './host-memory';
export { createMachine } from './machine';
export { PAGE_NX } from './page-table';
export { FreeIds } from './partial-slots';
export { Runner } from './runner';
export { FIRST_HOST_BASE, hostBaseOf, machineFrom, machineTo, pageFrom, pageTo } from './saved-hvas';
export { sha256Hex } from './sha256';
export { shapeRefusal } from './shape';
export { BETWEEN_PHASES } from './staged-edits';
export { checkDescription, checkDevices, checkLogs, devicesOf, dirtyBytes, MAX_SLOTS, MOST_DIRTY } from './state-check';
export { TypedInput } from './typed-input';
