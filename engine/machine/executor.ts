/**
 * Runs vCPUs for exact numbers of instructions. Several vCPUs take turns in rounds of fixed guest time. A round is part of the machine's state, so it
 * does not matter to the guest where a caller stops and continues.
 */
import type { CoreExports } from '../abi/core';
import {
  EXIT_BREAK,
  EXIT_BUDGET,
  EXIT_DEBUG,
  EXIT_HLT,
  EXIT_INTERNAL_ERROR,
  EXIT_REQUESTED,
  EXIT_RETRY,
  EXIT_SHUTDOWN,
} from '../abi/exits';
import { VCPU_EXIT_REQUEST, VCPU_TSC_SHOWN } from '../abi/vcpu';
import type { Clock } from './clock';
import type { Advance, RoundState, Scheduler } from './scheduler';
import { Halted, type Vcpu } from './vcpu';

/** Longest uninterrupted call into the core, instructions: V8 does not replace a wasm frame that is running. */
const MAX_SLICE = 1_000_000;
/** Guest time that each vCPU gets in its turn when there are several, ns. */
const ROUND_NS = 160_000;

export class Executor implements Scheduler {
  clock!: Clock;
  /** Called for exits that stop the machine or were requested. */
  onExit: (reason: number, vcpu: Vcpu) => void = () => {};
  /** A watch may have been hit. Returns true to stop there. */
  onDebug: (vcpu: Vcpu) => boolean = () => false;
  /** Is the vCPU held? It must not run while its dirty ring is full. */
  isHeld: (vcpu: Vcpu) => boolean = () => false;

  /** Called after a vCPU ran: its position and time (ns) at entry, and why it left, if set. */
  tracer: { entered(vcpu: Vcpu, at: number): void; left(vcpu: Vcpu, reason: number): void } | undefined;

  private turn = 0;
  /** Guest time at which this round ends; Infinity: one vCPU and no timer. */
  private roundEnd: number | undefined;
  private running: Vcpu | undefined;
  /** vCPUs that halted in this round although an interrupt is pending: it is masked. */
  private readonly asleep: boolean[];
  /** vCPUs that met an INVALID memslot in this round: they retry in the next, and the others run until then. */
  private readonly retrying: boolean[];

  constructor(
    private readonly core: CoreExports,
    private readonly vcpus: readonly Vcpu[],
  ) {
    this.asleep = vcpus.map(() => false);
    this.retrying = vcpus.map(() => false);
  }

  /** The vCPU whose instruction is being executed, or whose turn it is. */
  get current(): Vcpu {
    return this.running ?? this.vcpus[this.turn]!;
  }

  /** True while an instruction runs; false while the state is only inspected. */
  get executing(): boolean {
    return this.running !== undefined;
  }

  now(): number {
    return (this.running ?? this.vcpus[0]!).now();
  }

  endSliceBy(at: number): void {
    if (this.roundEnd !== undefined && at < this.roundEnd) this.roundEnd = at;
    this.running?.endSliceBy(at);
  }

  /** Runs at most `budget` instructions of the vCPU whose turn it is, and passes the turn on at its end. */
  advance(budget: number): Advance {
    if (this.roundEnd === undefined) this.beginRound();
    const vcpu = this.vcpus[this.turn]!;
    const left = this.leftOf(vcpu);
    if (left > 0 && this.runnable(vcpu)) {
      const result = this.execute(vcpu, Math.min(budget, left, MAX_SLICE));
      if (result !== 'ran') return result;
      if (this.runnable(vcpu) && this.leftOf(vcpu) > 0) return 'ran';
    }
    this.turn += 1;
    return this.turn < this.vcpus.length ? 'ran' : this.endRound();
  }

  /** Every vCPU is idle: advances guest time to `at` or to the next timer, whichever is first, and fires what is due. */
  skipTo(at: number): void {
    const next = this.clock.next;
    const until = next === undefined ? at : Math.min(at, next);
    for (const vcpu of this.vcpus) vcpu.sleepUntil(until);
    this.clock.fireDue(this.now());
  }

  wake(): void {
    this.asleep.fill(false);
  }

  reset(): void {
    this.turn = 0;
    this.roundEnd = undefined;
    this.asleep.fill(false);
    this.retrying.fill(false);
  }

  /** Whose turn it is, and whether the round has begun: this tells apart two moments at the same instruction count. */
  place(): { turn: number; inRound: boolean } {
    return { turn: this.turn, inRound: this.roundEnd !== undefined };
  }

  /** Guest time of the vCPU that is furthest behind, ns: how far a sleep of all vCPUs has advanced. */
  earliest(): number {
    return this.vcpus.reduce((least, vcpu) => Math.min(least, vcpu.now()), Number.POSITIVE_INFINITY);
  }

  saveRound(): RoundState {
    const those = (flags: readonly boolean[]): number[] => this.vcpus.map(({ index }) => index).filter((index) => flags[index]);
    const end = this.roundEnd === undefined || this.roundEnd === Infinity ? null : this.roundEnd;
    return { turn: this.turn, end, asleep: those(this.asleep), retrying: those(this.retrying) };
  }

  restoreRound(state: RoundState, inRound = state.turn !== 0): void {
    this.reset();
    this.turn = state.turn;
    if (state.end !== null) this.roundEnd = state.end;
    else if (inRound) this.roundEnd = Infinity;
    for (const index of state.asleep ?? []) this.asleep[index] = true;
    for (const index of state.retrying ?? []) this.retrying[index] = true;
  }

  private beginRound(): void {
    this.turn = 0;
    this.clock.fireDue(this.now());
    const timer = this.clock.next ?? Infinity;
    this.roundEnd = this.vcpus.length === 1 ? timer : Math.min(timer, this.now() + ROUND_NS);
    this.asleep.fill(false);
    this.retrying.fill(false);
  }

  private endRound(): Advance {
    const idle = !this.vcpus.some((vcpu) => this.runnable(vcpu));
    const end = this.roundEnd!;
    this.roundEnd = undefined;
    this.turn = 0;
    if (idle) return this.retrying.includes(true) ? 'retry' : 'idle';
    // A vCPU that halted early, or could not continue, waits for the others; a single vCPU has none to wait for.
    if (Number.isFinite(end)) for (const vcpu of this.vcpus) if (vcpu.halted !== Halted.no || !this.runnable(vcpu)) vcpu.sleepUntil(end);
    return 'ran';
  }

  private leftOf(vcpu: Vcpu): number {
    return this.roundEnd === Infinity ? MAX_SLICE : vcpu.instructionsUntil(this.roundEnd!);
  }

  private runnable(vcpu: Vcpu): boolean {
    if (this.retrying[vcpu.index] || this.isHeld(vcpu)) return false;
    if (vcpu.halted === Halted.no) return true;
    return vcpu.halted === Halted.halted && vcpu.wakeUp && !this.asleep[vcpu.index];
  }

  /** No TSC is behind a value that another vCPU has read. */
  private bringTsc(vcpu: Vcpu): void {
    let shown = 1;
    for (const each of this.vcpus) shown = Math.max(shown, each.count(VCPU_TSC_SHOWN));
    vcpu.setCount(VCPU_TSC_SHOWN, shown);
  }

  private execute(vcpu: Vcpu, budget: number): 'ran' | 'left' | 'stopped' {
    const before = vcpu.icount;
    const { tracer } = this;
    const at = tracer ? vcpu.now() : 0;
    if (this.vcpus.length > 1) this.bringTsc(vcpu);
    this.running = vcpu;
    let reason: number;
    try {
      reason = this.core.run(vcpu.index, budget);
    } finally {
      this.running = undefined;
    }
    if (tracer) {
      const ran = vcpu.icount !== before;
      if (ran) tracer.entered(vcpu, at);
      // A vCPU that stays halted does not leave again.
      if (ran || reason !== EXIT_HLT) tracer.left(vcpu, reason);
    }
    // It may have sent an unmasked interrupt to a sleeping vCPU. That one runs once more before the machine counts as idle; otherwise the length of
    // the sleep would depend on when the host reads its clock.
    if (vcpu.icount !== before) this.asleep.fill(false);
    switch (reason) {
      case EXIT_BUDGET:
        return 'ran';
      case EXIT_RETRY:
        this.retrying[vcpu.index] = vcpu.icount === before;
        return 'ran';
      case EXIT_HLT:
        // An interrupt is pending but IF is clear: only an outside event can change that.
        if (vcpu.wakeUp && vcpu.icount === before) this.asleep[vcpu.index] = true;
        return 'ran';
      case EXIT_REQUESTED:
        vcpu.setU32(VCPU_EXIT_REQUEST, 0);
        this.onExit(reason, vcpu);
        return this.onDebug(vcpu) ? 'stopped' : 'left';
      case EXIT_DEBUG:
        return this.onDebug(vcpu) ? 'stopped' : 'ran';
      case EXIT_SHUTDOWN:
      case EXIT_BREAK:
      case EXIT_INTERNAL_ERROR:
        this.onExit(reason, vcpu);
        return 'left';
      default:
        throw new Error(`the core exited with unknown reason ${reason}`);
    }
  }
}
