/** V and E: what KVM_SET_USER_MEMORY_REGION refuses, with which errno, and that a refusal changes nothing. */
import { expect, it } from 'vitest';
import { accepted, expectRefused, gone, LOG, M, MAX, onEachIndex, P, RO, region } from './support';

onEachIndex('V: EINVAL', (make) => {
  it.each([1, P - 1, P + 1])('V1 size %i is no page multiple', (size) => {
    const engine = make();
    expectRefused(engine, () => engine.setUserMemoryRegion(region(0, 0, 0, size, 0)), 'EINVAL');
  });

  it.each([1, P / 2])('V2 gpa %i is not aligned', (gpa) => {
    const engine = make();
    expectRefused(engine, () => engine.setUserMemoryRegion(region(0, 0, gpa, P, 0)), 'EINVAL');
  });

  it('V3 hva 1 is not aligned', () => {
    const engine = make();
    expectRefused(engine, () => engine.setUserMemoryRegion(region(0, 0, 0, P, 1)), 'EINVAL');
  });

  it.each([2 * P, P])('V4 gpa 2^64-4096 with size %i', (size) => {
    const engine = make();
    expectRefused(engine, () => engine.setUserMemoryRegion(region(0, 0, 2 ** 64 - P, size, 0)), 'EINVAL');
    expectRefused(engine, () => engine.setUserMemoryRegion(region(0, 0, 2 ** 53 - P, size, 0)), 'EINVAL');
  });

  it('V5 2^31 pages are too many, 2^31-1 are not', () => {
    const engine = make();
    expectRefused(engine, () => engine.setUserMemoryRegion(region(0, 0, 0, 2 ** 31 * P, 0)), 'EINVAL');
    accepted(engine.setUserMemoryRegion(region(0, 0, 0, (2 ** 31 - 1) * P, 0)));
    expect(engine.memslotAt(2 ** 31 - 2)?.npages).toBe(2 ** 31 - 1);
  });

  it.each([MAX, 0xffff])('V6 slot id %i', (id) => {
    const engine = make();
    expectRefused(engine, () => engine.setUserMemoryRegion(region(id, 0, 0, P, 0)), 'EINVAL');
  });

  it('V7 address space 2 of 2; 0 and 1 exist', () => {
    const engine = make();
    expectRefused(engine, () => engine.setUserMemoryRegion(region(0, 0, 0, P, 0, 2)), 'EINVAL');
    accepted(engine.setUserMemoryRegion(region(0, 0, 0, P, 0, 0)));
    accepted(engine.setUserMemoryRegion(region(0, 0, 0, P, 0, 1)));
  });

  it('V8 each flag bit 2..31 alone', () => {
    const engine = make();
    for (let bit = 2; bit < 32; bit++) expectRefused(engine, () => engine.setUserMemoryRegion(region(0, 2 ** bit, 0, M, 0)), 'EINVAL');
  });

  it('V9 READONLY where the machine lacks it', () => {
    const engine = make({ readOnlySlots: false });
    expectRefused(engine, () => engine.setUserMemoryRegion(region(0, RO, 0, P, 0)), 'EINVAL');
    accepted(engine.setUserMemoryRegion(region(0, LOG, 0, P, 0)));
  });

  it('V10 delete of an absent id is EINVAL, not ENOENT', () => {
    const engine = make();
    expectRefused(engine, () => engine.setUserMemoryRegion(gone(3)), 'EINVAL');
  });

  it('V11 a delete is checked like any region: the slot survives', () => {
    const engine = make();
    accepted(engine.setUserMemoryRegion(region(0, 0, 0, P, 0)));
    expectRefused(engine, () => engine.setUserMemoryRegion(region(0, 0, 1, 0, 0)), 'EINVAL');
    expectRefused(engine, () => engine.setUserMemoryRegion(region(0, 0, 0, 0, 1)), 'EINVAL');
    expectRefused(engine, () => engine.setUserMemoryRegion(region(0, 4, 0, 0, 0)), 'EINVAL');
    expect(engine.memslotById(0)).toBeDefined();
  });

  it('V12 a live slot keeps hva, size and READONLY', () => {
    const engine = make();
    accepted(engine.setUserMemoryRegion(region(0, 0, 0, 4 * P, 16 * P)));
    accepted(engine.setUserMemoryRegion(region(1, RO, 8 * P, 4 * P, 16 * P)));
    for (const next of [
      region(0, 0, 0, 4 * P, 17 * P),
      region(0, 0, 0, 5 * P, 16 * P),
      region(0, 0, 0, 3 * P, 16 * P),
      region(0, RO, 0, 4 * P, 16 * P),
      region(1, 0, 8 * P, 4 * P, 16 * P),
    ])
      expectRefused(engine, () => engine.setUserMemoryRegion(next), 'EINVAL');
  });

  it('V13 several errors at once change nothing', () => {
    const engine = make();
    expectRefused(engine, () => engine.setUserMemoryRegion(region(MAX, 0, 0, 1, 0)), 'EINVAL');
  });

  it('V14 hva ranges must lie inside host memory', () => {
    const engine = make({ hostBase: 0x2000000, hostSize: 0x3000000 });
    expectRefused(engine, () => engine.setUserMemoryRegion(region(0, 0, 0, P, 0x1fff000)), 'EINVAL');
    expectRefused(engine, () => engine.setUserMemoryRegion(region(0, 0, 0, 2 * P, 0x2fff000)), 'EINVAL');
    accepted(engine.setUserMemoryRegion(region(0, 0, 0, P, 0x2fff000)));
    accepted(engine.setUserMemoryRegion(gone(0)));
  });

  it('V15 create and move must end inside physical memory, which is checked after overlap', () => {
    const engine = make({ physAddrBits: 32 });
    accepted(engine.setUserMemoryRegion(region(0, 0, 2 ** 32 - P, P, 0)));
    expectRefused(engine, () => engine.setUserMemoryRegion(region(1, 0, 2 ** 32, P, 0)), 'EINVAL');
    expectRefused(engine, () => engine.setUserMemoryRegion(region(0, 0, 2 ** 32, P, 0)), 'EINVAL');
    expectRefused(engine, () => engine.setUserMemoryRegion(region(1, 0, 2 ** 32 - P, 2 * P, 0)), 'EEXIST');
  });
});

onEachIndex('E: EEXIST', (make) => {
  const withSlot = () => {
    const engine = make();
    accepted(engine.setUserMemoryRegion(region(0, 0, 16 * P, 16 * P, 0)));
    return engine;
  };

  it('E1 an identical range under another id', () => {
    const engine = withSlot();
    expectRefused(engine, () => engine.setUserMemoryRegion(region(1, 0, 16 * P, 16 * P, 0)), 'EEXIST');
  });

  it.each([
    ['front', 15, 2],
    ['back', 31, 2],
    ['inside', 20, 1],
    ['enclosing', 8, 32],
  ])('E2 overlap at the %s', (_, gfn, pages) => {
    const engine = withSlot();
    expectRefused(engine, () => engine.setUserMemoryRegion(region(1, 0, gfn * P, pages * P, 0)), 'EEXIST');
  });

  it('E3 touching ranges', () => {
    const engine = make();
    accepted(engine.setUserMemoryRegion(region(0, 0, 0, P, 0)));
    accepted(engine.setUserMemoryRegion(region(1, 0, P, P, 0)));
    expect(engine.memslotAt(0)?.slot).toBe(0);
    expect(engine.memslotAt(1)?.slot).toBe(1);
  });

  it('E4 the same gpa in two address spaces', () => {
    const engine = make();
    accepted(engine.setUserMemoryRegion(region(0, 0, 0, P, 4 * P, 0)));
    accepted(engine.setUserMemoryRegion(region(0, 0, 0, P, 8 * P, 1)));
    expect([engine.gpaToHva(5, 0), engine.gpaToHva(5, 1)]).toEqual([4 * P + 5, 8 * P + 5]);
  });

  it('E5 a move onto another slot leaves the old one usable', () => {
    const engine = withSlot();
    accepted(engine.setUserMemoryRegion(region(1, 0, 64 * P, P, 100 * P)));
    expectRefused(engine, () => engine.setUserMemoryRegion(region(1, 0, 20 * P, P, 100 * P)), 'EEXIST');
    expect(engine.gpaToHva(64 * P)).toBe(100 * P);
  });

  it('E6 a move onto its own old range', () => {
    const engine = withSlot();
    accepted(engine.setUserMemoryRegion(region(0, 0, 17 * P, 16 * P, 0)));
    expect([engine.gpaToHva(16 * P), engine.gpaToHva(17 * P), engine.gpaToHva(32 * P)]).toEqual([-1, 0, 15 * P]);
  });
});
