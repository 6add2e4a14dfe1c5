/** gdb's memory accesses: by gva, translated as the vCPU would now, or by gpa (QEMU's PhyMemMode). Devices are never accessed. */
import type { Machine } from '../../machine/index';

const PAGE = 4096;

export interface View {
  vcpu: number;
  physical: boolean;
}

/** gpa of an address, and the bytes from there to the end of its page; undefined if not mapped. */
function place(machine: Machine, { vcpu, physical }: View, address: bigint): { gpa: number; room: number } | undefined {
  const at = BigInt.asUintN(64, address);
  if (physical && at >= 1n << 52n) return undefined;
  const gpa = physical ? Number(at) : machine.inspect.translate(at, vcpu);
  return gpa === undefined ? undefined : { gpa, room: PAGE - (gpa % PAGE) };
}

/** The bytes that can be read from the address on; empty if the first cannot. */
export function readMemory(machine: Machine, view: View, address: bigint, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  let done = 0;
  while (done < length) {
    const at = place(machine, view, address + BigInt(done));
    const part = at && machine.physical.read(at.gpa, Math.min(length - done, at.room));
    if (!part) break;
    bytes.set(part, done);
    done += part.length;
  }
  return bytes.subarray(0, done);
}

/** All of it or nothing. */
export function writeMemory(machine: Machine, view: View, address: bigint, bytes: Uint8Array): boolean {
  const pieces: { gpa: number; from: number; to: number }[] = [];
  for (let done = 0; done < bytes.length; ) {
    const at = place(machine, view, address + BigInt(done));
    if (!at) return false;
    const to = Math.min(bytes.length, done + at.room);
    if (!machine.physical.read(at.gpa, to - done)) return false;
    pieces.push({ gpa: at.gpa, from: done, to });
    done = to;
  }
  for (const { gpa, from, to } of pieces) machine.physical.write(gpa, bytes.subarray(from, to));
  return true;
}
