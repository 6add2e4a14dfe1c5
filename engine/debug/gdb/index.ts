export type { Backwards, GdbHost } from './host';
export { GdbSession } from './session';
