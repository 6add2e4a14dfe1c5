/** IN and OUT. In protected mode above IOPL the TSS's I/O permission bitmap decides (SDM 1, 19.5.2). */
import {
  SEG_ATTR,
  SEG_BASE,
  SEG_LIMIT,
  SEG_TR,
  STAT_PIO,
  VCPU_GPR,
  VCPU_RAX,
  VCPU_RDX,
  VCPU_STATS,
  WATCH_READ,
  WATCH_WRITE,
} from '../abi/index';
import { F_IOPL, sysFlags } from './flags';
import { ioRead, ioWrite } from './imports';
import { exactCount, leaveAfter, operandSize, writeReg } from './mem';
import { slowValue, sysRead } from './mmu';
import { cpl, isProt, segRecord } from './mmu-mode';
import { R_PORT } from './record';
import { cpu, raise, VEC_GP, vcpuIndex } from './state';
import { ARM_PORT, armed, notePort } from './watch';

/** #GP(0) unless all `size` ports from `port` on are allowed. */
export function checkPort(port: u32, size: i32): i32 {
  if (!isProt() || cpl <= (sysFlags() & F_IOPL) >> 12) return 1;
  const tr = segRecord(SEG_TR);
  const limit = load<u32>(tr, SEG_LIMIT);
  // Only 32- and 64-bit TSSs have a bitmap.
  if ((load<u16>(tr, SEG_ATTR) & 0x8d) != 0x89 || limit < 103) return raise(VEC_GP, 0);
  const base = load<u64>(tr, SEG_BASE);
  if (!sysRead(base + 102, 2)) return 0;
  const at = <u32>slowValue + (port >> 3);
  if (at + 1 > limit) return raise(VEC_GP, 0);
  if (!sysRead(base + at, 2)) return 0;
  const bits = ((1 << size) - 1) << (port & 7);
  return <u32>slowValue & bits ? raise(VEC_GP, 0) : 1;
}

export function countPio(): void {
  store<u64>(cpu, load<u64>(cpu, VCPU_STATS + STAT_PIO) + 1, VCPU_STATS + STAT_PIO);
}

/** R_PORT: the port, -1: DX. */
@inline
function portOf(p: usize): u32 {
  const given = load<i64>(p, R_PORT);
  return given < 0 ? <u32>load<u16>(cpu, VCPU_RDX) : <u32>given;
}

export function opIn(p: usize): i32 {
  const size = operandSize(p);
  const port = portOf(p);
  exactCount(p);
  if (!checkPort(port, size)) return 0;
  countPio();
  writeReg(VCPU_GPR, size, <u64>(<u32>ioRead(vcpuIndex(), port, size)));
  if (armed & ARM_PORT) notePort(port, size, WATCH_READ);
  return leaveAfter(p);
}
export function opOut(p: usize): i32 {
  const size = operandSize(p);
  const port = portOf(p);
  exactCount(p);
  if (!checkPort(port, size)) return 0;
  countPio();
  const value = load<u32>(cpu, VCPU_RAX);
  ioWrite(vcpuIndex(), port, size, size == 4 ? value : value & ((1 << (size << 3)) - 1));
  if (armed & ARM_PORT) notePort(port, size, WATCH_WRITE);
  return leaveAfter(p);
}
