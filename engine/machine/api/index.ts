/** The interface of a machine, one file per subject: types, and its error. */
export * from './checkpoints';
export * from './config';
export * from './debug';
export * from './events';
export * from './inspect';
export * from './machine';
export * from './memory-devices';
export * from './rings';
export * from './run';
export * from './staged-change-set';
export * from './state';
export * from './trace';
