import { describe, expect, it } from 'vitest';
import type { CoreExports } from '../abi/core';
import { EXIT_BUDGET, EXIT_HLT, EXIT_RETRY } from '../abi/exits';
import { VCPU_BASE, VCPU_BLOCK_SIZE } from '../abi/layout';
import * as abi from '../abi/vcpu';
import { Clock } from './clock';
import { Executor } from './executor';
import { HostMemory } from './host-memory';
import { Vcpu } from './vcpu';

const SHIFT = 3;

/**
 * A core whose vCPUs run a script: how many instructions they retire before each HLT (then for ever, or asleep until an interrupt). `deaf`: vCPUs
 * that halt with interrupts disabled.
 */
function rig(scripts: number[][], deaf: number[] = []) {
  const host = new HostMemory();
  const runs: [number, number][] = [];
  const left = scripts.map((script) => [...script]);
  const core = {
    run(index: number, budget: number) {
      const vcpu = vcpus[index]!;
      const script = left[index]!;
      if (vcpu.halted && (!vcpu.wakeUp || deaf.includes(index))) return EXIT_HLT;
      vcpu.setU32(abi.VCPU_HALTED, 0);
      vcpu.setU32(abi.VCPU_IRQ_PENDING, 0);
      const until = script[0] ?? Number.POSITIVE_INFINITY;
      const count = Math.min(
        budget,
        until,
        vcpu.count(abi.VCPU_SLICE_END) > vcpu.icount ? vcpu.count(abi.VCPU_SLICE_END) - vcpu.icount : budget,
      );
      vcpu.setCount(abi.VCPU_ICOUNT, vcpu.icount + count);
      runs.push([index, count]);
      if (script.length === 0) return EXIT_BUDGET;
      script[0]! -= count;
      if (script[0]! > 0) return EXIT_BUDGET;
      script.shift();
      vcpu.setU32(abi.VCPU_HALTED, 1);
      return EXIT_HLT;
    },
  } as unknown as CoreExports;
  const vcpus = scripts.map((_script, index) => new Vcpu(index, host, core));
  for (const vcpu of vcpus) {
    host.bytes.fill(0, VCPU_BASE + vcpu.index * VCPU_BLOCK_SIZE, VCPU_BASE + (vcpu.index + 1) * VCPU_BLOCK_SIZE);
    vcpu.setU32(abi.VCPU_CLOCK_SHIFT, SHIFT);
  }
  const executor = new Executor(core, vcpus);
  const clock = new Clock(executor);
  executor.clock = clock;
  return { core, executor, clock, vcpus, runs };
}

function runTo(executor: Executor, vcpu: Vcpu, count: number, chunk: number) {
  while (vcpu.icount < count) if (executor.advance(Math.min(chunk, count - vcpu.icount)) === 'idle') return;
}

describe('executor', () => {
  it('stops a slice exactly where a timer is due', () => {
    const { executor, clock, vcpus } = rig([[]]);
    let firedAt = -1;
    const timer = clock.timer('t', () => {
      firedAt = vcpus[0]!.icount;
    });
    timer.set(1000 * 2 ** SHIFT);
    runTo(executor, vcpus[0]!, 5000, 1e6);
    expect(firedAt).toBe(1000);
  });

  it('is idle when the vCPU halts, and continues at the next timer with guest time advanced, not instructions', () => {
    const { executor, clock, vcpus } = rig([[100]]);
    const timer = clock.timer('t', () => vcpus[0]!.setU32(abi.VCPU_IRQ_PENDING, 1));
    timer.set(1_000_000);
    expect(executor.advance(1e6)).toBe('idle');
    expect(vcpus[0]!.icount).toBe(100);
    executor.skipTo(500_000);
    expect(executor.now()).toBe(500_000);
    expect(executor.advance(1e6)).toBe('idle');
    executor.skipTo(Number.POSITIVE_INFINITY);
    expect(executor.now()).toBe(1_000_000);
    expect(executor.advance(10)).toBe('ran');
    expect(vcpus[0]!.icount).toBe(110);
  });

  it('gives several vCPUs equal guest time, whatever the budgets', () => {
    const cut = rig([[], []]);
    const whole = rig([[], []]);
    for (let done = 0; done < 400; done++) cut.executor.advance(777);
    while (whole.vcpus[1]!.icount < cut.vcpus[1]!.icount) whole.executor.advance(cut.vcpus[1]!.icount - whole.vcpus[1]!.icount);
    const rounds = (runs: [number, number][]) => {
      const merged: [number, number][] = [];
      for (const [index, count] of runs) {
        const last = merged.at(-1);
        if (last && last[0] === index) last[1] += count;
        else merged.push([index, count]);
      }
      return merged.slice(0, 12);
    };
    expect(rounds(cut.runs)).toEqual(rounds(whole.runs));
    expect(rounds(cut.runs)[0]).toEqual([0, 20000]);
  });

  it('lets a halted vCPU wait for the other one', () => {
    const { executor, vcpus } = rig([[50], []]);
    for (let step = 0; step < 6; step++) executor.advance(1e6);
    expect(vcpus[0]!.icount).toBe(50);
    expect(Math.abs(vcpus[0]!.now() - vcpus[1]!.now())).toBeLessThanOrEqual(160_000);
    expect(vcpus[1]!.icount).toBeGreaterThanOrEqual(20000);
  });

  it('is not idle while an interrupt waits that one vCPU sent to another in the same round, whatever that one did before', () => {
    for (const deaf of [[], [0]]) {
      const { core, executor, clock, vcpus } = rig([[50, 30], [70]], deaf);
      const { run } = core;
      // vCPU 1 sends an interrupt as it halts, or an NMI if the other vCPU halted with interrupts disabled.
      core.run = (index, budget) => {
        const reason = run(index, budget);
        if (index === 1 && reason === EXIT_HLT && vcpus[0]!.icount === 50) {
          deaf.length = 0;
          vcpus[0]!.setU32(abi.VCPU_IRQ_PENDING, 1);
        }
        return reason;
      };
      if (deaf.length > 0) vcpus[0]!.setU32(abi.VCPU_IRQ_PENDING, 1);
      clock.timer('t', () => {}).set(4_000_000);
      while (executor.advance(1e6) !== 'idle');
      expect(vcpus[0]!.icount).toBe(80);
      expect(vcpus[0]!.now()).toBeLessThan(500_000);
    }
  });

  it('saves which vCPU sleeps although an interrupt is pending: its clock continues as it would have', () => {
    const scripts = () => rig([[], [100], []], [1]);
    const straight = scripts();
    const resumed = scripts();
    for (const { executor, vcpus } of [straight, resumed]) {
      for (const vcpu of vcpus) vcpu.setU32(abi.VCPU_IRQ_PENDING, vcpu.index === 1 ? 1 : 0);
      // vCPU 0 whole, vCPU 1 to its HLT and once more, and half of vCPU 2's part.
      while (vcpus[1]!.halted === 0) executor.advance(1e6);
      vcpus[1]!.setU32(abi.VCPU_IRQ_PENDING, 1);
      while (vcpus[2]!.icount === 0) executor.advance(10_000);
    }
    const saved = structuredClone(resumed.executor.saveRound());
    resumed.executor.reset();
    resumed.executor.restoreRound(saved);
    for (const { executor } of [straight, resumed]) for (let step = 0; step < 2; step++) executor.advance(1e6);
    const times = ({ vcpus }: typeof straight) => vcpus.map((vcpu) => vcpu.now());
    expect(times(resumed)).toEqual(times(straight));
  });

  it('saves which vCPU must retry in the next round', () => {
    const meetsInvalid = () => {
      const r = rig([[], [], []]);
      const { run } = r.core;
      // vCPU 1 meets an INVALID memslot after 100 instructions of each slice.
      r.core.run = (index, budget) =>
        index === 1 ? (r.vcpus[1]!.icount === 100 ? EXIT_RETRY : run(index, Math.min(budget, 100))) : run(index, budget);
      while (r.vcpus[2]!.icount === 0) r.executor.advance(10_000);
      return r;
    };
    const [straight, resumed] = [meetsInvalid(), meetsInvalid()];
    const saved = structuredClone(resumed.executor.saveRound());
    resumed.executor.reset();
    resumed.executor.restoreRound(saved);
    for (const { executor } of [straight, resumed]) executor.advance(1e6);
    const times = ({ vcpus }: typeof straight) => vcpus.map((vcpu) => vcpu.now());
    expect(times(resumed)).toEqual(times(straight));
  });
});
