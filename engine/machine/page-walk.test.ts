/** Compares the walk for display with the core's own walk, on random tables in every paging mode, and checks its text for each stop. */
import { readFileSync } from 'node:fs';
import { resolve } from 'node:path';
import { beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { CoreExports } from '../abi/core';
import { VCPU_MAILBOX2 } from '../abi/layout';
import * as svm from '../abi/svm';
import * as abi from '../abi/vcpu';
import type { MemslotEngine } from '../memory/index';
import type { PageWalk } from './api';
import { type CoreWiring, loadCore } from './core';
import { makeEngine } from './engine';
import { HostMemory } from './host-memory';
import { walkAddress } from './page-walk';
import { Vcpu } from './vcpu';

const PAGE = 4096;
/** Tables and pages that random entries point to; the last ones are in no slot. */
const PAGES = 12;
const MAPPED = 10;
const MODES = {
  off: { cr0: 0x11n, cr4: 0n, efer: 0n },
  '32-bit': { cr0: 0x80000011n, cr4: 0x10n, efer: 0n },
  PAE: { cr0: 0x80000011n, cr4: 0x20n, efer: 0x800n },
  '4-level': { cr0: 0x80010011n, cr4: 0xa0n, efer: 0xd00n },
};

let core: CoreExports;
let engine: MemslotEngine;
let host: HostMemory;
let vcpu: Vcpu;

beforeAll(async () => {
  host = new HostMemory();
  engine = makeEngine(
    host,
    undefined,
    () => 0,
    () => {},
  );
  const cache = engine.createCache();
  const wiring = { lookup: (_vcpu: number, gfn: number, asId: number) => cache.lookupPage(gfn, asId), log: () => {}, vcpus: [] };
  core = await loadCore(
    new WebAssembly.Module(readFileSync(process.env.LAB_CORE ?? resolve(import.meta.dirname, '../../build/core.wasm'))),
    host,
    wiring as unknown as CoreWiring,
  );
  vcpu = new Vcpu(0, host, core);
  const hva = host.allocate(MAPPED * PAGE, 'test');
  engine.setUserMemoryRegion({ slot: 7, guestPhysAddr: 0, memorySize: MAPPED * PAGE, userspaceAddr: hva });
});

beforeEach(() => {
  for (let gpa = 0; gpa < MAPPED * PAGE; gpa += 8) poke(gpa, 0n);
});

function poke(gpa: number, value: bigint, bytes = 8): void {
  const at = engine.gpaToHva(gpa);
  if (bytes === 8) host.view.setBigUint64(at, value, true);
  else host.view.setUint32(at, Number(value), true);
  core.invalidateCode(at, bytes);
}

/** The first page of the nested tables. */
const NESTED = 6;

function enterNested(mode: 'PAE' | '32-bit' | '4-level'): void {
  const { cr4, efer } = MODES[mode];
  const first = { '4-level': 0, PAE: 1, '32-bit': 2 }[mode];
  vcpu.setU32(svm.SVM_GUEST, 1);
  vcpu.setU32(svm.SVM_NESTED, 1);
  vcpu.setU64(svm.SVM_NCR3, BigInt((NESTED + first) * PAGE));
  vcpu.setU64(svm.SVM_HOST_CR4, cr4);
  vcpu.setU64(svm.SVM_HOST_EFER, efer);
  core.stateChanged(0);
}

function enter(mode: keyof typeof MODES, cr3 = 0n): void {
  const { cr0, cr4, efer } = MODES[mode];
  core.resetVcpu(0);
  vcpu.setU64(abi.VCPU_CR0, cr0);
  vcpu.setU64(abi.VCPU_CR3, cr3);
  vcpu.setU64(abi.VCPU_CR4, cr4);
  vcpu.setU64(abi.VCPU_EFER, efer);
  core.stateChanged(0);
}

const walk = (gva: bigint): PageWalk => walkAddress(vcpu, engine, host, gva);

function translated(gva: bigint): number | undefined {
  const found = core.translate(0, Number(gva & 0xffffffffn) | 0, Number(gva >> 32n) | 0);
  return found ? vcpu.count(VCPU_MAILBOX2) : undefined;
}

/** mulberry32 */
function seeded(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

describe('walkAddress', () => {
  it('translates as the core does, or fails where it fails, on random tables', () => {
    for (const mode of ['32-bit', 'PAE', '4-level'] as const) {
      const random = seeded(mode.length);
      const pick = (count: number): number => Math.floor(random() * count);
      const bytes = mode === '32-bit' ? 4 : 8;
      let reached = 0;
      for (let round = 0; round < 300; round++) {
        // Few entries, close together, so that walks hit them.
        for (let page = 0; page < MAPPED; page++) {
          for (let index = 0; index < 4; index++) {
            let entry = BigInt(pick(PAGES) * PAGE) | (random() < 0.85 ? 1n : 0n);
            if (!(mode === 'PAE' && page === 0)) entry |= BigInt(pick(0x100)) & (random() < 0.2 ? 0x1e6n : 0x66n);
            if (bytes === 8 && random() < 0.1) entry |= 1n << BigInt(pick(64));
            if (mode === '32-bit' && random() < 0.1) entry |= BigInt(pick(0x400)) << 12n;
            poke(page * PAGE + index * bytes, entry, bytes);
          }
        }
        enter(mode);
        for (let i = 0; i < 20; i++) {
          const top = mode === '32-bit' ? 22n : mode === 'PAE' ? 30n : 39n;
          let gva = BigInt(pick(PAGE)) | (BigInt(pick(4)) << 12n) | (BigInt(pick(4)) << top);
          if (mode !== '32-bit') gva |= BigInt(pick(4)) << 21n;
          if (mode === '4-level') gva |= BigInt(pick(4)) << 30n;
          const { page, stop } = walk(gva);
          expect({ mode, gva, gpa: page?.gpa }).toEqual({ mode, gva, gpa: translated(gva) });
          expect(page === undefined).toBe(stop !== undefined);
          if (page) reached++;
        }
      }
      expect(reached).toBeGreaterThan(300);
    }
  });

  it('of a nested guest translates as the core does, or fails, in every mode of guest and host', () => {
    const stops = new Set<string | undefined>();
    const entries = { '32-bit': 4, PAE: 8, '4-level': 8, off: 8 };
    for (const hostMode of ['32-bit', 'PAE', '4-level'] as const) {
      for (const mode of ['off', '32-bit', 'PAE', '4-level'] as const) {
        const random = seeded(mode.length + 100 * hostMode.length);
        const pick = (count: number): number => Math.floor(random() * count);
        let reached = 0;
        for (let round = 0; round < 60; round++) {
          // Guest tables in the first pages, nested ones after them; now and then an entry is wrong.
          for (let page = 0; page < NESTED; page++) {
            for (let index = 0; index < 4; index++) {
              const flags = mode === 'PAE' && page === 0 ? 1n : BigInt(pick(0x100) & 0x66) | 1n;
              poke(page * PAGE + index * entries[mode], BigInt(pick(NESTED) * PAGE) | (random() < 0.9 ? flags : 0n), entries[mode]);
            }
          }
          const bytes = entries[hostMode];
          for (let level = 0; level < 3; level++)
            poke((NESTED + level) * PAGE, BigInt((NESTED + level + 1) * PAGE) | (hostMode === 'PAE' && level === 1 ? 1n : 7n), bytes);
          for (let index = 0; index < PAGES; index++) {
            const flags = random() < 0.9 ? 7n : BigInt(pick(8)) | (bytes === 8 && random() < 0.3 ? 1n << 50n : 0n);
            poke((NESTED + 3) * PAGE + index * bytes, BigInt(pick(NESTED + 1) * PAGE) | flags, bytes);
          }
          enter(mode);
          enterNested(hostMode);
          for (let i = 0; i < 20; i++) {
            const gva = BigInt(pick(PAGE)) | (BigInt(pick(4)) << 12n);
            const { page, stop, steps } = walk(gva);
            expect({ hostMode, mode, gva, gpa: page?.gpa }).toEqual({ hostMode, mode, gva, gpa: translated(gva) });
            expect(page === undefined).toBe(stop !== undefined);
            stops.add(stop?.kind);
            if (!page) continue;
            reached++;
            expect(page.nested).toBeDefined();
            const [own, byHost] = [steps.filter(({ nested }) => !nested).length, steps.filter(({ nested }) => nested).length];
            expect(byHost).toBe((own + 1) * { '32-bit': 2, PAE: 3, '4-level': 4 }[hostMode]);
          }
        }
        expect(reached, `${mode} in ${hostMode}`).toBeGreaterThan(30);
      }
    }
    expect([...stops]).toEqual(expect.arrayContaining(['not-present', 'reserved', 'nested-rights']));
  });

  it('of a nested guest names each table twice, and says where the nested tables stop', () => {
    poke(0, 0x1007n);
    poke(0x1000, 0x40000087n);
    poke(NESTED * PAGE, BigInt((NESTED + 1) * PAGE) | 7n);
    poke((NESTED + 1) * PAGE, 0x87n); // the first GiB, one to one
    poke((NESTED + 1) * PAGE + 8, BigInt((NESTED + 2) * PAGE) | 7n);
    poke((NESTED + 2) * PAGE + 8, 0x85n);
    enter('4-level');
    enterNested('4-level');
    const { nested, steps, page } = walk(0x201234n);
    expect(nested).toEqual({ mode: '4-level', ncr3: BigInt(NESTED * PAGE) });
    expect(steps.map(({ name, nested: byHost, gpa, nestedGpa }) => [byHost === true, name, gpa, nestedGpa])).toEqual([
      [true, 'PML4E', NESTED * PAGE, undefined],
      [true, 'PDPTE', (NESTED + 1) * PAGE, undefined],
      [false, 'PML4E', 0, 0],
      [true, 'PML4E', NESTED * PAGE, undefined],
      [true, 'PDPTE', (NESTED + 1) * PAGE, undefined],
      [false, 'PDPTE', 0x1000, 0x1000],
      [true, 'PML4E', NESTED * PAGE, undefined],
      [true, 'PDPTE', (NESTED + 1) * PAGE + 8, undefined],
      [true, 'PDE', (NESTED + 2) * PAGE + 8, undefined],
    ]);
    expect(page).toMatchObject({ gpa: 0x1234, nestedGpa: 0x40201234, slot: 7, size: 2 ** 30, nested: { size: 2 ** 21 } });
    expect(page?.nested?.rights).toEqual({ write: false, user: true, execute: true });
    expect(walk(0x1234n).stop?.text).toBe('the nested PDE is not present: an access is a nested page fault');
    poke((NESTED + 1) * PAGE, 0x85n);
    expect(walk(0x201234n).stop?.text).toBe(
      'the nested page is read-only, and the guest’s table lies there: an access is a nested page fault',
    );
  });

  it('shows each entry with its index bits, its place, and the rights of all levels together', () => {
    poke(0, 0x1007n);
    poke(0x1000 + 3 * 8, 0x2027n);
    poke(0x2000 + 5 * 8, (1n << 63n) | 0x3005n);
    poke(0x3000 + 9 * 8, 0x4163n);
    enter('4-level');
    const gva = (3n << 30n) | (5n << 21n) | (9n << 12n) | 0x123n;
    const { mode, steps, page, stop } = walk(gva);
    expect(stop).toBeUndefined();
    expect(mode).toBe('4-level');
    const base = engine.gpaToHva(0);
    expect(steps.map(({ name, high, low, index, gpa, hva, slot, leaf }) => [name, high, low, index, gpa, hva! - base, slot, leaf])).toEqual(
      [
        ['PML4E', 47, 39, 0, 0, 0, 7, false],
        ['PDPTE', 38, 30, 3, 0x1018, 0x1018, 7, false],
        ['PDE', 29, 21, 5, 0x2028, 0x2028, 7, false],
        ['PTE', 20, 12, 9, 0x3048, 0x3048, 7, true],
      ],
    );
    expect(page).toEqual({
      gpa: 0x4123,
      slot: 7,
      hva: base + 0x4123,
      size: PAGE,
      rights: { write: false, user: false, execute: false },
      global: true,
    });
  });

  it('follows large pages, and a page in a hole has no slot', () => {
    poke(0, 0x1007n);
    poke(0x1000, 0x40000087n);
    poke(0x1000 + 8, 0x2007n);
    poke(0x2000, 0x200087n);
    enter('4-level');
    expect(walk(0x1234567n).page).toMatchObject({ gpa: 0x41234567, size: 2 ** 30 });
    expect(walk(0x1234567n).page?.slot).toBeUndefined();
    expect(walk(0x40012345n).page).toMatchObject({ gpa: 0x212345, size: 2 ** 21, rights: { write: true, user: true, execute: true } });
    poke(0, 0x00c6e083n, 4);
    enter('32-bit');
    // PSE-36: bits 13 to 20 of the entry are address bits 32 to 39.
    expect(walk(0x1234n).page).toMatchObject({ gpa: 0x37_00c0_1234, size: 2 ** 22 });
  });

  it('says where and why it stops', () => {
    poke(0, 0x1007n);
    poke(8, BigInt((PAGES - 1) * PAGE) | 7n);
    poke(0x1000 + 8, (1n << 50n) | 7n);
    enter('4-level');
    expect(walk(0n).stop).toEqual({ kind: 'not-present', text: 'the PDPTE is not present: an access is #PF' });
    expect(walk(0n).steps).toHaveLength(2);
    expect(walk(1n << 30n).stop?.text).toBe('reserved bits 0x4000000000000 are set in the PDPTE: an access is #PF');
    expect(walk(1n << 39n).stop?.text).toMatch(/^no memslot maps the PDPTE, so it reads as all ones: reserved bits 0x/);
    expect(walk(1n << 50n).stop?.kind).toBe('not-canonical');
  });

  it('says that paging is off, and takes 32 bits of the address', () => {
    enter('off');
    expect(walk(0x1_0000_0123n)).toMatchObject({ mode: 'off', gva: 0x123n, steps: [], page: { gpa: 0x123, slot: 7 } });
  });

  it('shows the software TLB entries of the address', () => {
    enter('off');
    // MOV EAX, [0x3000]; HLT
    for (const [i, byte] of [0x66, 0x67, 0xa1, 0x00, 0x30, 0, 0, 0xf4].entries()) host.bytes[engine.gpaToHva(0x2000) + i] = byte;
    core.invalidateCode(engine.gpaToHva(0x2000), 8);
    vcpu.setU64(abi.VCPU_CR0, 0n);
    for (const index of [abi.SEG_CS, abi.SEG_DS]) vcpu.setSegment(index, { selector: 0, base: 0, limit: 0xffff, attributes: 0x93 });
    vcpu.setCount(abi.VCPU_RIP, 0x2000);
    core.stateChanged(0);
    core.run(0, 10);
    const none = { read: false, write: false, execute: false };
    expect(walk(0x3004n).tlb).toEqual({ supervisor: { read: true, write: true, execute: true }, user: none });
    // A page with decoded code: a write to it must be detected.
    expect(walk(0x2000n).tlb.supervisor).toMatchObject({ execute: true, write: false });
    expect(walk(0x5000n).tlb).toEqual({ supervisor: none, user: none });
  });

  it('sets no accessed bit', () => {
    poke(0, 0x1007n);
    poke(0x1000, 0x2007n);
    poke(0x2000, 0x3007n);
    poke(0x3000, 0x4007n);
    enter('4-level');
    const before = host.bytes.slice(engine.gpaToHva(0), engine.gpaToHva(0) + MAPPED * PAGE);
    expect(walk(0n).page?.gpa).toBe(0x4000);
    expect(host.bytes.slice(engine.gpaToHva(0), engine.gpaToHva(0) + MAPPED * PAGE)).toEqual(before);
  });
});
