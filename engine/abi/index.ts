export * from './exits';
export * from './layout';
export * from './tlb';
export * from './vcpu';
export * from './watch';
