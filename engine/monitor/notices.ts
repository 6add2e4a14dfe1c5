/** Lines for the monitor about what happens in the machine without a command. Events caused by a command print nothing. */
import type { MachineEvent } from '../machine/index';
import { hex, shortSize } from './sizes';

const EJECT = 3;
const OST_IN_PROGRESS = 0x84;

export function noticeOf(event: MachineEvent): string | undefined {
  if (event.type === 'qmp') return qmpNotice(event.event, event.data);
  if (event.type === 'watch-stop') return event.text;
  if (event.type === 'break') return `Stopped at instruction count ${event.count}.`;
  if (event.type === 'dirty-ring-full')
    return `vCPU ${event.vcpu} waits: its dirty ring is full. "dirty_ring harvest", then "dirty_ring reset" resumes it.`;
  if (event.type !== 'state') return undefined;
  if (event.state === 'shutdown') return 'The guest has shut down. "info registers" shows where; system_reset restarts it.';
  if (event.state === 'internal-error')
    return 'The guest executed where no memory is mapped. "info registers" shows where; system_reset restarts it.';
  return undefined;
}

function qmpNotice(name: string, data: Record<string, unknown>): string | undefined {
  if (name === 'DEVICE_DELETED') return `${deviceOf(data)}: the guest has given it back`;
  if (name === 'DEVICE_MOVED') return `${deviceOf(data)}: given back, and plugged in again at ${hex(Number(data.addr))}`;
  if (name === 'MEM_UNPLUG_ERROR') return `${deviceOf(data)}: ${String(data.msg)}`;
  if (name === 'MEMORY_DEVICE_SIZE_CHANGE') return `${String(data.id)}: ${shortSize(Number(data.size))} of it are plugged in now`;
  if (name === 'BALLOON_CHANGE') return `balloon: the guest has ${Math.floor(Number(data.actual) / 0x100000)} MiB now`;
  if (name !== 'ACPI_DEVICE_OST') return undefined;
  const info = data.info as { device?: string; source: number; status: number; slot: string };
  // The last status after an eject arrives when the device no longer exists.
  if (info.device === undefined) return undefined;
  // MEM_UNPLUG_ERROR reports a refusal.
  if (info.source === EJECT) return info.status === OST_IN_PROGRESS ? `${info.device}: the guest is giving it back` : undefined;
  return info.status === 0 ? `${info.device}: the guest has taken it` : `${info.device}: the guest refused it (_OST status ${info.status})`;
}

const deviceOf = (data: Record<string, unknown>): string => String(data.device || data.path || 'the device');
