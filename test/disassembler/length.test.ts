/**
 * Compares lengths with the core's own decoder. An instruction is placed at the very end of memory: if it is complete the core can fetch it, and if
 * its last byte is missing the fetch exits for a gpa that nothing backs.
 */
import { expect, test } from 'vitest';
import { EXIT_INTERNAL_ERROR } from '../../engine/abi/exits';
import * as abi from '../../engine/abi/vcpu';
import { type Bits, disassemble } from '../../engine/monitor/disasm';
import { allForms } from '../differential/forms';
import { makeCase } from '../differential/generate';
import { Random } from '../differential/random';
import { TestCore } from '../support/core';

const SIZE = 0x400000;
const core = new TestCore(SIZE);

/** In real mode the end of memory is reached through a segment's base. */
const ENTER: Record<Bits, (address: number) => void> = {
  64: (address) => core.longMode(address),
  32: (address) => core.flat32(address),
  16: (address) => {
    core.real(0);
    core.segment(abi.SEG_CS, 0, BigInt(address), 0xffff, 0x93);
    core.core.stateChanged(0);
  },
};

/** Does the core fetch a complete instruction from these bytes, the last of memory? */
function fetched(bytes: Uint8Array, bits: Bits): boolean {
  core.core.resetVcpu(0);
  const address = SIZE - bytes.length;
  core.poke(address, bytes);
  ENTER[bits](address);
  const [rip, before] = [core.rip, core.icount];
  const exit = core.run(1);
  // After a complete instruction the core may fetch the next one.
  return exit !== EXIT_INTERNAL_ERROR || core.icount !== before || core.rip !== rip;
}

function check(bytes: Uint8Array, bits: Bits): string | undefined {
  const found = disassemble(bytes, 0n, bits);
  if (!found || found.mnemonic === '.byte') return undefined;
  const whole = fetched(bytes.subarray(0, found.length), bits);
  const cut = found.length > 1 && fetched(bytes.subarray(0, found.length - 1), bits);
  if (whole && !cut) return undefined;
  const text = `${found.mnemonic} ${found.operands}`;
  return `${bits} ${Buffer.from(bytes.subarray(0, found.length)).toString('hex')} ${text}: the core takes ${whole ? 'less' : 'more'} than ${found.length}`;
}

test('the core fetches as many bytes of each form of the differential tester as the disassembler counts', () => {
  const random = new Random(20210204);
  const wrong: string[] = [];
  for (const form of allForms) {
    for (let n = 0; n < 6; n++) {
      const made = makeCase(form, random);
      if (!made) continue;
      for (const bits of [64, 32, 16] as const) {
        const problem = check(made.code.subarray(0, 15), bits);
        if (problem) wrong.push(problem);
      }
    }
  }
  expect(wrong).toEqual([]);
});
