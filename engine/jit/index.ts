export { type DropReason, JIT_DEFAULTS, Jit, type JitFigures, type JitOptions } from './jit';
export type { CodeTier, InterpreterReason } from './tier';
