/** The host's reads of guest-virtual memory. No side effect on the guest: no accessed bits, no faults. */
import type { Machine } from '../machine/index';

const PAGE = 4096;

/** Bytes at a gva through the vCPU's page tables; undefined if one of the pages is unmapped or in no slot. */
export function readVirtual(machine: Machine, vcpu: number, gva: bigint, length: number): Uint8Array | undefined {
  const bytes = new Uint8Array(length);
  for (let done = 0; done < length; ) {
    const at = BigInt.asUintN(64, gva + BigInt(done));
    const piece = Math.min(length - done, PAGE - Number(at % BigInt(PAGE)));
    const gpa = machine.inspect.translate(at, vcpu);
    const part = gpa === undefined ? undefined : machine.physical.read(gpa, piece);
    if (!part) return undefined;
    bytes.set(part, done);
    done += piece;
  }
  return bytes;
}
