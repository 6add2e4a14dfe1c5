/**
 * C, and the kernel selftests that concern the engine alone, with a loop over a TLB as the guest. Parameters are the
 * selftests' own (set_memory_region_test, memslot_perf_test, memslot_modification_stress_test, mmu_stress_test).
 */
import { expect, it } from 'vitest';
import { PAGE_INVALID, PAGE_PRESENT } from '../../engine/abi/exits';
import type { GfnCache, MemslotEngine } from '../../engine/memory/index';
import { accepted, gone, LOG, M, MAX, onEachIndex, P, region } from './support';

const G = 0xc0000000;
const MMIO = 0xbeef;

/** A vCPU with a TLB that obeys zaps, over host memory of its own. */
class Guest {
  readonly tlb = new Map<number, number>();
  readonly cache: GfnCache;
  mmio = 0;
  retries = 0;

  constructor(
    engine: MemslotEngine,
    readonly host: DataView,
  ) {
    this.cache = engine.createCache();
    engine.subscribe((event) => {
      if (event.type !== 'zap') return;
      if (event.mode === 'all') this.tlb.clear();
      else
        for (const { start, end } of event.ranges) for (const gfn of this.tlb.keys()) if (gfn >= start && gfn < end) this.tlb.delete(gfn);
    });
  }

  private page(gfn: number): number {
    const known = this.tlb.get(gfn);
    if (known !== undefined) return known;
    const word = this.cache.lookupPage(gfn);
    if (word & PAGE_PRESENT) this.tlb.set(gfn, word);
    return word;
  }

  /** undefined: the slot is INVALID, try again. */
  read(gpa: number): number | undefined {
    const word = this.page(Math.floor(gpa / P));
    if (word === PAGE_INVALID) {
      this.retries++;
      return undefined;
    }
    if (word === 0) {
      this.mmio++;
      return MMIO;
    }
    return this.host.getUint32(word - (word % P) + (gpa % P), true);
  }

  write(gpa: number, value: number): void {
    const word = this.page(Math.floor(gpa / P));
    if (word & PAGE_PRESENT) this.host.setUint32(word - (word % P) + (gpa % P), value, true);
    else this.mmio++;
  }
}

const hostOf = (bytes: number) => new DataView(new ArrayBuffer(bytes));

onEachIndex('C: a guest that runs meanwhile', (make) => {
  it('C1 a reader never sees a mixture of two layouts', () => {
    const engine = make();
    const host = hostOf(4 * P);
    for (let page = 0; page < 4; page++) host.setUint32(page * P, page, true);
    accepted(engine.changeUserMemoryRegions([region(0, 0, 0, P, 0), region(1, 0, P, P, P)]));
    const guest = new Guest(engine, host);
    const seen = new Set<string>();
    const look = () => {
      const pair = [guest.read(0), guest.read(P)];
      if (!pair.includes(undefined)) seen.add(pair.join());
    };
    for (let i = 0; i < 4; i++) {
      const flip = i % 2 === 0;
      const run = engine.beginCommit({ call: 'delta', regions: [region(0, 0, flip ? P : 0, P, 0), region(1, 0, flip ? 0 : P, P, P)] });
      while (run.phase !== 'done') {
        look();
        run.step();
      }
      look();
    }
    expect([...seen].sort()).toEqual(['0,1', '1,0']);
    expect(guest.mmio).toBe(0);
    expect(guest.retries).toBeGreaterThan(0);
  });

  it('C1 the same exchange in legacy calls shows the hole', () => {
    const engine = make();
    accepted(engine.changeUserMemoryRegions([region(0, 0, 0, P, 0), region(1, 0, P, P, P)]));
    const guest = new Guest(engine, hostOf(2 * P));
    const plan = engine.legacyPlan({ call: 'delta', regions: [region(0, 0, P, P, 0), region(1, 0, 0, P, P)] });
    for (const call of plan.ok ? plan.regions : []) {
      accepted(engine.setUserMemoryRegion(call, { legacy: true }));
      guest.read(0);
      guest.read(P);
    }
    expect(guest.mmio).toBeGreaterThan(0);
  });

  it('C2 move in use: the guest sees 0, MMIO, 1 in their order, never the 2 (set_memory_region_test)', () => {
    const engine = make();
    const host = hostOf(M);
    accepted(engine.setUserMemoryRegion(region(10, 0, G, M, 0)));
    const guest = new Guest(engine, host);
    const seen: unknown[] = [];
    const look = () => {
      const value = guest.read(G);
      if (value !== undefined && value !== seen.at(-1)) seen.push(value);
    };
    const move = (gpa: number) => {
      const run = engine.beginCommit({ call: 'region', region: region(10, 0, gpa, M, 0) });
      while (run.phase !== 'done') {
        look();
        run.step();
      }
    };
    look();
    move(G - P);
    host.setUint32(0, 2, true);
    look();
    host.setUint32(0, 1, true);
    move(G);
    look();
    expect(seen).toEqual([0, 1]);
    expect(guest.mmio).toBe(0);
  });

  it.each(['slot', 'all'] as const)('C2 delete in use and back, zap %s (set_memory_region_test)', (zap) => {
    const engine = make({ zap });
    accepted(engine.setUserMemoryRegion(region(10, 0, G, M, 0)));
    const guest = new Guest(engine, hostOf(M));
    const seen = [guest.read(G)];
    for (let round = 0; round < 10; round++) {
      accepted(engine.setUserMemoryRegion(gone(10)));
      seen.push(guest.read(G));
      accepted(engine.setUserMemoryRegion(region(10, 0, G, M, 0)));
      seen.push(guest.read(G));
    }
    expect(seen).toEqual([0, ...Array.from({ length: 20 }, (_, i) => (i % 2 ? 0 : MMIO))]);
  });

  it('C3 adding and deleting a neighbour ten times costs others nothing (memslot_modification_stress_test)', () => {
    const engine = make();
    accepted(engine.setUserMemoryRegion(region(1, 0, 1024 * M, 64 * M, 0)));
    const guest = new Guest(engine, hostOf(64 * M));
    const touch = () => {
      for (let page = 0; page < 64; page++) guest.write(1024 * M + page * M, page);
    };
    touch();
    const translations = guest.tlb.size;
    for (let round = 0; round < 10; round++) {
      for (const next of [region(7, 0, 1024 * M - P, P, 0), gone(7)]) {
        const run = engine.beginCommit({ call: 'region', region: next });
        while (run.phase !== 'done') {
          touch();
          run.step();
        }
      }
    }
    expect([guest.mmio, guest.retries, guest.tlb.size]).toEqual([0, 0, translations]);
  });

  it('C4 any number of slots over one backing show one host write (mmu_stress_test)', () => {
    const engine = make();
    const host = hostOf(2 * M);
    for (let id = 0; id < 64; id++) accepted(engine.setUserMemoryRegion(region(id, 0, 4096 * M + id * 2 * M, 2 * M, 0)));
    const guest = new Guest(engine, host);
    host.setUint32(M, 0x11223344, true);
    for (let id = 0; id < 64; id++) expect(guest.read(4096 * M + id * 2 * M + M)).toBe(0x11223344);
    expect(engine.memslotsByHva(M, M + 1)).toHaveLength(64);
    accepted(engine.changeUserMemoryRegions(Array.from({ length: 32 }, (_, i) => gone(2 * i))));
    expect([guest.read(4096 * M), guest.read(4096 * M + 3 * M)]).toEqual([MMIO, 0x11223344]);
  });

  it('a vCPU without any memslot finds nothing (set_memory_region_test)', () => {
    const guest = new Guest(make(), hostOf(P));
    expect([guest.read(0), guest.mmio]).toEqual([MMIO, 1]);
  });

  it('as many 2 MiB slots as the capability says, and not one more (set_memory_region_test)', () => {
    const engine = make();
    const regions = Array.from({ length: MAX }, (_, id) => region(id, 0, id * M, M, 0));
    accepted(engine.setUserMemoryRegions(regions));
    expect(engine.setUserMemoryRegion(region(MAX, 0, MAX * M, M, 0))).toMatchObject({ ok: false, refusals: [{ errno: 'EINVAL' }] });
    expect(engine.memslotsByHva(0, 1)).toHaveLength(MAX);
    engine.verify();
  });

  it('each page that a log reports holds the newest value, each other an older one (dirty_log_test)', () => {
    const pages = 1024 + 3;
    const engine = make();
    const host = hostOf(pages * P);
    accepted(engine.setUserMemoryRegion(region(1, LOG, G, pages * P, 0)));
    const cache = engine.createCache();
    const write = (page: number, value: number) => {
      const word = cache.lookupPage(G / P + page);
      if (word & 4) cache.markDirty(G / P + page);
      host.setUint32(page * P, value, true);
    };
    let state = 1;
    for (let iteration = 1; iteration <= 32; iteration++) {
      for (let i = 0; i < 0x100; i++) {
        state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
        write(state % pages, iteration);
      }
      const log = engine.getDirtyLog(1);
      if (!log.ok) throw new Error(log.errno);
      for (let page = 0; page < pages; page++) {
        const dirty = ((log.bitmap[page >> 3]! >> (page & 7)) & 1) === 1;
        expect(host.getUint32(page * P, true) === iteration).toBe(dirty);
      }
    }
  });
});
