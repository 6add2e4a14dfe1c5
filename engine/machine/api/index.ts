/** The interface of a machine, one file per subject: types, and its error. */
export type * from './checkpoints';
export type * from './config';
export type * from './debug';
export * from './events';
export type * from './inspect';
export type * from './machine';
export type * from './memory-devices';
export type * from './rings';
export type * from './run';
export type * from './staged-change-set';
export type * from './state';
export type * from './trace';
