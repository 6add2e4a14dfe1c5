/** The interface of a device to the board, and of the board to a device. */

/** An interrupt line: level is 0 or 1. Edge devices pulse it. */
export type IrqLine = (level: 0 | 1) => void;

/** Guest time. Deterministic: derived from retired instructions. */
export interface VirtualClock {
  /** Guest time in ns since power-on (a safe integer). */
  now(): number;
  /** Calls `fire` when guest time reaches `at` (ns). Setting it again replaces the time; `undefined` cancels it. */
  timer(name: string, fire: () => void): Timer;
}
export interface Timer {
  /** ns of guest time, or undefined to cancel. In the past: fires at the next opportunity. */
  set(at: number | undefined): void;
  readonly at: number | undefined;
}

/** Named fields of a device's state: JSON values only (numbers, strings, booleans, arrays, plain objects, null). */
export type DeviceState = { [field: string]: unknown };

/**
 * A device on the port or MMIO bus. Offsets count from the start of the range that it was attached at.
 * `read` and `write` have the guest's side effects; `peek` has none (monitor, inspectors).
 * Values are unsigned 32-bit numbers; size is 1, 2 or 4 (an 8-byte MMIO access is split by the bus, low half first).
 */
export interface BusDevice {
  readonly name: string;
  read(offset: number, size: number): number;
  write(offset: number, size: number, value: number): void;
  peek(offset: number, size: number): number;
  /** Power-on state. */
  reset(): void;
  save(): DeviceState;
  /** Throws an Error that names the field if a value has the wrong type or is out of range. Changes nothing. */
  check(state: DeviceState): void;
  /** Takes a state that `check` accepts; throws like `check`, with nothing changed then. */
  restore(state: DeviceState): void;
}
