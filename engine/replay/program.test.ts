import { expect, it } from 'vitest';
import { programId } from '../../scripts/program.mjs';
import { asReason, otherProgram } from './program';

const spec = { guest: 'memlab', append: '', image: '0'.repeat(16), ram: 2 ** 26, slots: 0, maxmem: 0, smp: 1 };

it('reports that another version made it, and only then', () => {
  expect(programId()).toMatch(/^[0-9a-f]{12}$/);
  expect(otherProgram({ ...spec, program: 'aaaaaaaaaaaa' }, 'bbbbbbbbbbbb')).toMatch(
    /another version of memslot-lab \(aaaaaaaaaaaa, this is bbbbbbbbbbbb\)/,
  );
  expect(otherProgram({ ...spec, program: 'aaaaaaaaaaaa' }, 'aaaaaaaaaaaa')).toBe('');
  // Links from before the build was recorded, and tests without a build.
  expect(otherProgram(spec, 'aaaaaaaaaaaa')).toBe('');
  expect(asReason(spec)).toBe('');
});
