/** Disabled tracing leaves nothing behind: the core calls the machine's own functions again, by identity, and nothing observes the engine. */
import { expect, it } from 'vitest';
import { MemslotEngine } from '../memory/index';
import type { TraceSink } from './api';
import type { CoreWiring } from './core';
import { type TracedParts, Tracing } from './tracing';

const silent = new Proxy({}, { get: () => () => undefined }) as TraceSink;

it('is the machine’s own wiring before, and again after it was on', () => {
  const memory = new MemslotEngine();
  const executor: { tracer?: unknown } = {};
  const exceptions: number[] = [];
  const core = { traceExceptions: (on: number) => exceptions.push(on) };
  const parts = { core, executor, memory, vcpus: [], ports: {}, mmio: {}, again: () => false };
  const own = { ports: {}, mmio: {}, lookup: () => 0, markDirty: () => {}, acknowledge: () => -1, exception: () => {} };
  const wiring = { ...own };
  const tracing = new Tracing(parts as unknown as TracedParts, wiring as unknown as CoreWiring);
  const same = (): boolean[] => Object.entries(own).map(([name, value]) => wiring[name as keyof typeof own] === value);
  let notes = 0;
  const region = { slot: 0, guestPhysAddr: 0, memorySize: 4096, userspaceAddr: 0 };

  expect(new Set(same())).toEqual(new Set([true]));
  tracing.sink = { ...silent, note: () => void notes++ } as TraceSink;
  expect(new Set(same())).toEqual(new Set([false]));
  memory.setUserMemoryRegion(region);
  expect(notes).toBeGreaterThan(0);
  const heard = notes;
  tracing.sink = undefined;
  expect(new Set(same())).toEqual(new Set([true]));
  expect(executor.tracer).toBeUndefined();
  memory.setUserMemoryRegion({ ...region, memorySize: 0 });
  expect(notes).toBe(heard);
  expect(exceptions).toEqual([1, 0]);
});
