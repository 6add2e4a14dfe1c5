/** The parts of a debugger, above the machine and below monitor, page and `lab`. */
export * from './breakpoints/index';
export * from './gdb/index';
export * from './reverse/index';
