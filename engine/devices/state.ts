/**
 * Named device state, checked on the way in. A device declares its state as a schema: one check per field; `readFields`
 * builds a complete new state or throws an Error that names device and field, so that a restore is all or nothing.
 */
import type { BusDevice, DeviceState } from './bus';

/** Returns the value with its type, or throws an Error with the expected value. */
export type Check<T> = (value: unknown) => T;
export type Schema<S> = { readonly [K in keyof S]: Check<S[K]> };

function shown(value: unknown): string {
  const text = typeof value === 'bigint' ? `${value}n` : (JSON.stringify(value) ?? String(value));
  return text.length > 40 ? `${text.slice(0, 40)}...` : text;
}

/** An integer in [min, max]. */
export function int(min: number, max: number): Check<number> {
  return (value) => {
    if (typeof value === 'number' && Number.isInteger(value) && value >= min && value <= max) return value;
    throw new Error(`must be an integer from ${min} to ${max}, not ${shown(value)}`);
  };
}

export const bit = int(0, 1) as Check<0 | 1>;
export const u8 = int(0, 0xff);
export const u16 = int(0, 0xffff);
export const u32 = int(0, 0xffffffff);
/** A non-negative safe integer: times in ns, addresses, counts. */
export const count = int(0, Number.MAX_SAFE_INTEGER);

export const flag: Check<boolean> = (value) => {
  if (typeof value === 'boolean') return value;
  throw new Error(`must be true or false, not ${shown(value)}`);
};

/** An array of `min` to `max` entries, each checked. */
export function list<T>(entry: Check<T>, min: number, max = min): Check<T[]> {
  return (value) => {
    if (!Array.isArray(value)) throw new Error(`must be an array, not ${shown(value)}`);
    if (value.length < min || value.length > max) {
      throw new Error(`must have ${min === max ? min : `${min} to ${max}`} entries, not ${value.length}`);
    }
    return value.map((item, index) => {
      try {
        return entry(item);
      } catch (error) {
        throw new Error(`[${index}] ${(error as Error).message}`);
      }
    });
  };
}

export function nullable<T>(check: Check<T>): Check<T | null> {
  return (value) => (value === null ? null : check(value));
}

/** A plain object with exactly the schema's fields. */
export function object<S extends object>(schema: Schema<S>): Check<S> {
  return (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error(`must be an object, not ${shown(value)}`);
    return checked(schema, value as DeviceState);
  };
}

function checked<S extends object>(schema: Schema<S>, state: DeviceState): S {
  const result: Partial<S> = {};
  for (const key of Object.keys(schema) as (keyof S & string)[]) {
    if (!Object.hasOwn(state, key)) throw new Error(`${key} is missing`);
    try {
      result[key] = schema[key](state[key]);
    } catch (error) {
      throw new Error(`${key} ${(error as Error).message}`);
    }
  }
  for (const key of Object.keys(state)) {
    if (!Object.hasOwn(schema, key)) throw new Error(`${shown(key)} is not a field`);
  }
  return result as S;
}

/** The whole state of `device`, or an Error "DEVICE: FIELD ...". */
export function readFields<S extends object>(device: string, schema: Schema<S>, state: DeviceState): S {
  try {
    return object(schema)(state);
  } catch (error) {
    throw new Error(`${device}: ${(error as Error).message}`);
  }
}

/** A deep copy that the device no longer shares. */
export function copyFields<S extends object>(state: S): DeviceState {
  return structuredClone(state) as DeviceState;
}

/** All ones in the low `size` bytes: what a read of an undriven bus returns. */
export function allOnes(size: number): number {
  return size >= 4 ? 0xffffffff : 2 ** (8 * size) - 1;
}

/** A device without state of its own: a snapshot holds its name and nothing else. */
export abstract class StatelessDevice implements BusDevice {
  abstract readonly name: string;
  abstract read(offset: number, size: number): number;
  abstract write(offset: number, size: number, value: number): void;
  abstract peek(offset: number, size: number): number;

  reset(): void {}

  save(): DeviceState {
    return {};
  }

  check(state: DeviceState): void {
    readFields(this.name, {}, state);
  }

  restore(state: DeviceState): void {
    this.check(state);
  }
}
