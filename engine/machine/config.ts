/** Checks a machine's configuration before anything is allocated. Error texts are QEMU's where it has the check. */
import { MachineError, type MachineOptions } from './api';
import { checkRamSize } from './boot-ram';
import { checkVcpuCount } from './core';
import { parseCpu } from './cpu-model';

const MAX_DIMM_SLOTS = 32;
/** DIMMs above 4 GiB must stay within the physical address bits that the core announces. */
const MAX_MAXMEM = 2 ** 45;

export function checkConfig(options: MachineOptions): void {
  const { ram, slots, maxmem, smp, accel, cpu } = options;
  parseCpu(cpu);
  checkRamSize(ram);
  checkVcpuCount(smp);
  if (!Number.isInteger(slots) || slots < 0 || slots > MAX_DIMM_SLOTS) {
    throw new MachineError(`unsupported amount of memory slots: ${slots}, this machine has 0 to ${MAX_DIMM_SLOTS} DIMM slots`);
  }
  if (!Number.isSafeInteger(maxmem) || maxmem < ram) {
    throw new MachineError(
      `invalid value of maxmem: maximum memory size (0x${maxmem.toString(16)}) must be at least the initial memory size (0x${ram.toString(16)})`,
    );
  }
  if (maxmem > MAX_MAXMEM)
    throw new MachineError(`invalid value of maxmem: 0x${maxmem.toString(16)} is above 0x${MAX_MAXMEM.toString(16)}`);
  if (accel !== 'interp' && accel !== 'jit') throw new MachineError(`invalid accelerator ${String(accel)}`);
}
