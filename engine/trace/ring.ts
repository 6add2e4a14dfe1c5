/** The last events, oldest first, in arrays that are allocated once: adding an event allocates nothing, and memory stays bounded. */

export const RING_SIZE = 65_536;

export interface TraceRecord {
  /** Number since recording began, from 0 */
  seq: number;
  /** Index in EVENTS */
  event: number;
  /** -1: none, e.g. for a commit between two slices */
  vcpu: number;
  /** ns of guest time */
  time: number;
  /** Instructions that its vCPU has retired; without a vCPU: all vCPUs together */
  icount: number;
  /** By event: gpa, gfn, port, vector, swap, pages */
  a: number;
  /** By event: value, error code, generation */
  b: number;
  /** bytes; by event: swaps */
  size: number;
  /** ns of guest time that it lasted; 0: an instant */
  duration: number;
  generation: number;
  /** Linear address of its code; 0: not known. */
  code: bigint;
  /** Memslot id of its address, -1: none. For a hole: the slot that was last there. */
  slot: number;
}

export class TraceRing {
  private readonly event = new Uint8Array(RING_SIZE);
  private readonly vcpu = new Int8Array(RING_SIZE);
  private readonly size = new Uint32Array(RING_SIZE);
  private readonly time = new Float64Array(RING_SIZE);
  private readonly icount = new Float64Array(RING_SIZE);
  private readonly a = new Float64Array(RING_SIZE);
  private readonly b = new Float64Array(RING_SIZE);
  private readonly duration = new Float64Array(RING_SIZE);
  private readonly generation = new Float64Array(RING_SIZE);
  private readonly slot = new Int16Array(RING_SIZE);
  private readonly codeLow = new Uint32Array(RING_SIZE);
  private readonly codeHigh = new Uint32Array(RING_SIZE);
  /** Events so far. */
  total = 0;
  /** Events before this one were overwritten. */
  private lost = 0;

  /** Number of the oldest event in the ring. */
  get first(): number {
    return Math.max(this.lost, this.total - RING_SIZE);
  }

  add(
    event: number,
    vcpu: number,
    time: number,
    icount: number,
    a: number,
    b: number,
    size: number,
    generation: number,
    slot: number,
  ): number {
    const at = this.total % RING_SIZE;
    this.event[at] = event;
    this.vcpu[at] = vcpu;
    this.time[at] = time;
    this.icount[at] = icount;
    this.a[at] = a;
    this.b[at] = b;
    this.size[at] = size;
    this.duration[at] = 0;
    this.generation[at] = generation;
    this.slot[at] = slot;
    this.codeLow[at] = 0;
    this.codeHigh[at] = 0;
    this.total += 1;
    return this.total - 1;
  }

  /** Sets the code address of the last event, if that is known. */
  codeAt(low: number, high: number): void {
    const at = (this.total - 1) % RING_SIZE;
    this.codeLow[at] = low;
    this.codeHigh[at] = high;
  }

  /** Sets how long it lasted, if it is still in the ring. */
  lasted(seq: number, duration: number): void {
    if (seq >= this.first) this.duration[seq % RING_SIZE] = duration;
  }

  eventAt(seq: number): number {
    return this.event[seq % RING_SIZE]!;
  }

  vcpuAt(seq: number): number {
    return this.vcpu[seq % RING_SIZE]!;
  }

  slotAt(seq: number): number {
    return this.slot[seq % RING_SIZE]!;
  }

  timeAt(seq: number): number {
    return this.time[seq % RING_SIZE]!;
  }

  /** `first` <= seq < `total`. */
  get(seq: number): TraceRecord {
    const at = seq % RING_SIZE;
    return {
      seq,
      event: this.event[at]!,
      vcpu: this.vcpu[at]!,
      time: this.time[at]!,
      icount: this.icount[at]!,
      a: this.a[at]!,
      b: this.b[at]!,
      size: this.size[at]!,
      duration: this.duration[at]!,
      generation: this.generation[at]!,
      slot: this.slot[at]!,
      code: BigInt(this.codeLow[at]!) | (BigInt(this.codeHigh[at]!) << 32n),
    };
  }

  /** Drops those from this one on: they did not happen. */
  cut(seq: number): void {
    this.lost = this.first;
    this.total = Math.max(seq, this.lost);
  }

  clear(): void {
    this.total = 0;
    this.lost = 0;
  }
}
