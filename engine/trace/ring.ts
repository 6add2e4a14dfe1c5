/** The last events, oldest first, in arrays that are made once: what is on stays bounded, and adding one event allocates nothing. */

export const RING_SIZE = 65_536;

export interface TraceRecord {
  /** Number since recording began, from 0 */
  seq: number;
  /** Place in EVENTS */
  event: number;
  /** -1: none, as of a commit between two slices */
  vcpu: number;
  /** ns of guest time */
  time: number;
  /** Instructions that its vCPU has retired; of no vCPU: all of them together */
  icount: number;
  /** By event: gpa, gfn, port, vector, swap, pages */
  a: number;
  /** By event: value, error code, generation */
  b: number;
  /** bytes; by event: swaps */
  size: number;
  /** ns of guest time that it took; 0: an instant */
  duration: number;
  generation: number;
  /** Linear address of its code; 0: not known. */
  code: bigint;
  /** Memslot id of its address, -1: none. Of a hole: the slot that was there last. */
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
  /** Of those before it other events were written over. */
  private lost = 0;

  /** Number of the oldest that is kept. */
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

  /** Where the code of the event that was added last stands, if that is known. */
  codeAt(low: number, high: number): void {
    const at = (this.total - 1) % RING_SIZE;
    this.codeLow[at] = low;
    this.codeHigh[at] = high;
  }

  /** It took so long, if it is still kept. */
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

  /** Those from this one on did not happen. */
  cut(seq: number): void {
    this.lost = this.first;
    this.total = Math.max(seq, this.lost);
  }

  clear(): void {
    this.total = 0;
    this.lost = 0;
  }
}
