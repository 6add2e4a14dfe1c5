/** Room for what compiled regions need: slots in the core's table of functions, and memory for their tables of computed jumps. */
import { JIT_TABLES, JIT_TABLES_END } from '../abi/layout';

/** Slots that the table grows by. */
const GROW = 256;

/** Which slots of the core's table are free. */
export class FunctionSlots {
  private readonly free: number[] = [];

  constructor(private readonly table: WebAssembly.Table) {}

  put(fn: unknown): number {
    const slot = this.free.pop() ?? this.grow();
    this.table.set(slot, fn);
    return slot;
  }

  release(slot: number): void {
    this.table.set(slot, null);
    this.free.push(slot);
  }

  private grow(): number {
    const first = this.table.grow(GROW);
    for (let slot = first + GROW - 1; slot > first; slot--) this.free.push(slot);
    return first;
  }
}

/** Tables of 8 << bits bytes. */
export class TableMemory {
  private top = JIT_TABLES;
  private readonly free = new Map<number, number[]>();

  /** Address, or 0: there is no room. */
  allocate(bits: number): number {
    const again = this.free.get(bits)?.pop();
    if (again !== undefined) return again;
    const size = 8 << bits;
    if (this.top + size > JIT_TABLES_END) return 0;
    this.top += size;
    return this.top - size;
  }

  release(address: number, bits: number): void {
    const list = this.free.get(bits);
    if (list) list.push(address);
    else this.free.set(bits, [address]);
  }
}
