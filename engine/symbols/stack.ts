/** Input of a stack walk: registers and memory of one vCPU, and the names of code. Without side effects. */
import type { Machine, VcpuRegisters } from '../machine/index';
import type { ReadBytes } from './orc';
import { readVirtual } from './virtual-memory';

/** How a frame was found. ORC and a compiler's frame pointer are certain; a stack word that only looks like a return address is a guess. */
export type FoundBy = 'registers' | 'ORC' | 'frame pointer' | 'guess';

export interface Frame {
  /** Linear address at which it continues. */
  address: bigint;
  by: FoundBy;
  /** "schedule+0x5f" */
  symbol?: string;
}

const SP = 4;
const BP = 5;
const CS = 1;
const EFER_LMA = 0x400n;

export class Stack {
  readonly registers: VcpuRegisters;
  readonly bits: 16 | 32 | 64;
  readonly read: ReadBytes;

  constructor(machine: Machine, vcpu: number) {
    this.registers = machine.inspect.registers(vcpu);
    this.read = (gva, length) => readVirtual(machine, vcpu, gva, length);
    const { attributes } = this.registers.segments[CS]!;
    const wide = (this.registers.efer & EFER_LMA) !== 0n && (attributes & 0x200) !== 0;
    this.bits = wide ? 64 : (attributes & 0x400) !== 0 ? 32 : 16;
  }

  get wordBytes(): number {
    return this.bits === 64 ? 8 : 4;
  }

  get ip(): bigint {
    const { segments, rip } = this.registers;
    return this.bits === 64 ? rip : BigInt.asUintN(32, segments[CS]!.base + rip);
  }

  get sp(): bigint {
    return this.cut(this.registers.gpr[SP]!);
  }

  get bp(): bigint {
    return this.cut(this.registers.gpr[BP]!);
  }

  word(at: bigint): bigint | undefined {
    const bytes = this.read(at, this.wordBytes);
    if (!bytes) return undefined;
    const view = new DataView(bytes.buffer, bytes.byteOffset);
    return this.bits === 64 ? view.getBigUint64(0, true) : BigInt(view.getUint32(0, true));
  }

  /** Does a call instruction end at this address? */
  isBehindCall(address: bigint): boolean {
    const bytes = this.read(BigInt.asUintN(64, address - 7n), 7);
    if (!bytes) return false;
    if (bytes[2] === 0xe8) return true;
    // FF /2 with any form of ModRM: two to seven bytes.
    for (let length = 2; length <= 7; length++) {
      const modrm = bytes[7 - length + 1]!;
      if (bytes[7 - length] === 0xff && ((modrm >> 3) & 7) === 2 && formLength(modrm, bytes[7 - length + 2]) === length) return true;
    }
    return false;
  }

  private cut(value: bigint): bigint {
    return this.bits === 64 ? value : BigInt.asUintN(32, value);
  }
}

function formLength(modrm: number, sib: number | undefined): number {
  const mod = modrm >> 6;
  if (mod === 3) return 2;
  const hasSib = (modrm & 7) === 4;
  const base = hasSib ? (sib ?? 0) & 7 : modrm & 7;
  const displacement = mod === 1 ? 1 : mod === 2 || base === 5 ? 4 : 0;
  return 2 + (hasSib ? 1 : 0) + displacement;
}
