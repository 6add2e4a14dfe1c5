/** Exits by reason, as `perf kvm stat` counts them: how often, and how much guest time passed until the vCPU continued. */
import { EVENTS } from './events';

export interface ExitStat {
  reason: string;
  samples: number;
  /** ns of guest time */
  total: number;
  min: number;
  max: number;
  /** Standard deviation of the mean over the mean, 0 for one sample: perf prints it after the average, in per cent. */
  deviation: number;
}

/** One instruction of guest time, ns: the duration of an exit that the lab answers at once. */
export const INSTRUCTION_NS = 8;

const reasons = [...new Set(EVENTS.flatMap((each) => ('exit' in each ? [each.exit] : [])))];
const reasonOf = EVENTS.map((each) => ('exit' in each ? reasons.indexOf(each.exit) : -1));

export class KvmStat {
  private readonly samples = new Float64Array(reasons.length);
  private readonly total = new Float64Array(reasons.length);
  private readonly min = new Float64Array(reasons.length).fill(Number.POSITIVE_INFINITY);
  private readonly max = new Float64Array(reasons.length);
  /** Sum of squared distances from the mean (Welford) */
  private readonly spread = new Float64Array(reasons.length);

  /** Adds an event by its number; ignores one that is not an exit. */
  add(event: number, duration: number): void {
    const at = reasonOf[event]!;
    if (at < 0) return;
    const before = this.samples[at]! === 0 ? 0 : this.total[at]! / this.samples[at]!;
    this.samples[at]! += 1;
    this.total[at]! += duration;
    this.spread[at]! += (duration - before) * (duration - this.total[at]! / this.samples[at]!);
    this.min[at] = Math.min(this.min[at]!, duration);
    this.max[at] = Math.max(this.max[at]!, duration);
  }

  /** Reasons that occurred, most frequent first. */
  rows(): ExitStat[] {
    const all = reasons.map((reason, at) => ({
      reason,
      samples: this.samples[at]!,
      total: this.total[at]!,
      min: this.min[at]!,
      max: this.max[at]!,
      deviation: this.deviation(at),
    }));
    return all.filter(({ samples }) => samples > 0).sort((a, b) => b.samples - a.samples);
  }

  private deviation(at: number): number {
    const samples = this.samples[at]!;
    if (samples < 2 || this.total[at] === 0) return 0;
    return Math.sqrt(Math.max(0, this.spread[at]!) / (samples - 1) / samples) / (this.total[at]! / samples);
  }

  clear(): void {
    this.spread.fill(0);
    this.samples.fill(0);
    this.total.fill(0);
    this.min.fill(Number.POSITIVE_INFINITY);
    this.max.fill(0);
  }
}
