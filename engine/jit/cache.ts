/** Allocates what compiled regions need: slots in the core's function table, memory for tables of computed jumps, and window cells. */
import { JIT_TABLES, JIT_TABLES_END, VCPU_BASE, VCPU_BLOCK_SIZE, VCPU_GUEST_CONTEXT, VCPU_WINDOWS } from '../abi/layout';
import { TLB_USER, WINDOW_LENGTH, WINDOW_MISSES, WINDOW_SIZE, WINDOWS } from '../abi/tlb';

/** Slots that the table grows by. */
const GROW = 256;

/** Free slots of the core's table. */
export class FunctionSlots {
  private readonly free: number[] = [];

  constructor(private readonly table: WebAssembly.Table) {}

  put(fn: unknown): number {
    const slot = this.free.pop() ?? this.grow();
    this.table.set(slot, fn);
    return slot;
  }

  replace(slot: number, fn: unknown): void {
    this.table.set(slot, fn);
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

  /** Address, or 0 if there is no room. */
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

/** A vCPU has cells for host and guest mode, each for supervisor and user. */
const WINDOW_TABLES = [0, TLB_USER, VCPU_GUEST_CONTEXT, VCPU_GUEST_CONTEXT + TLB_USER];
const placeOf = (vcpu: number, table: number, cell: number): number =>
  VCPU_BASE + vcpu * VCPU_BLOCK_SIZE + VCPU_WINDOWS + table + cell * WINDOW_SIZE;

/** Free window cells: the same numbers on all vCPUs. */
export class WindowCells {
  private readonly free = Array.from({ length: WINDOWS }, (_, index) => WINDOWS - 1 - index);

  /** `vcpus`: how many there are. */
  constructor(private readonly vcpus: number) {}

  /** Number of an empty window, or -1 if none is left. */
  allocate(view: DataView): number {
    const cell = this.free.pop();
    if (cell === undefined) return -1;
    for (let vcpu = 0; vcpu < this.vcpus; vcpu++)
      for (const table of WINDOW_TABLES) {
        const at = placeOf(vcpu, table, cell);
        view.setUint32(at + WINDOW_LENGTH, 0, true);
        view.setUint32(at + WINDOW_LENGTH + 4, 0, true);
        view.setUint32(at + WINDOW_MISSES, 0, true);
      }
    return cell;
  }

  /** Misses of the window since its rate was last checked, on the vCPU where it missed most. */
  misses(view: DataView, cell: number): number {
    let most = 0;
    for (let vcpu = 0; vcpu < this.vcpus; vcpu++)
      for (const table of WINDOW_TABLES) most = Math.max(most, view.getUint32(placeOf(vcpu, table, cell) + WINDOW_MISSES, true));
    return most;
  }

  release(cell: number): void {
    this.free.push(cell);
  }
}
