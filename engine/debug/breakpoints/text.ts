/** Breakpoints and stops in words, for monitor and page. */
import type { WatchHit } from '../../machine/index';
import type { Accesses, Breakpoint, Place, Stop } from './types';

const hex = (value: bigint | number): string => `0x${value.toString(16)}`;

export function placeText(place: Place): string {
  switch (place.kind) {
    case 'slot':
      return `slot ${place.slot}`;
    case 'page':
      return `page ${hex(place.first - (place.first % 4096n))}`;
    case 'hole':
      return place.first === undefined ? 'any hole' : `hole ${hex(place.first)}${lengthText(place.length ?? 1)}`;
    default:
      return `${place.kind} ${hex(place.first)}${lengthText(place.length)}`;
  }
}

const lengthText = (length: number): string => (length === 1 ? '' : `+${hex(length)}`);

export function accessText({ execute, read, write }: Accesses): string {
  return `${read ? 'r' : ''}${write ? 'w' : ''}${execute ? 'x' : ''}`;
}

/** "0x1000 (gpa 0x1000)": what was accessed, and how. */
export function hitText({ access, address, gpa, bytes, watch }: WatchHit): string {
  const size = bytes === 1 ? '1 byte' : `${bytes} bytes`;
  if (watch < 0) return `${access} of ${size} in the hole at gpa ${hex(gpa)}`;
  if (access === 'execute') return `execution at gva ${hex(address)}`;
  if (access === 'event') return `vector ${hex(address)}`;
  return gpa === 0 && address < 0x10000n ? `${access} of ${hex(address)}` : `${access} of ${size} at gva ${hex(address)}, gpa ${hex(gpa)}`;
}

export function stopText({ vcpu, breakpoints, hit }: Stop): string {
  const ids = breakpoints.map(({ id }) => id).join(', ');
  return `Breakpoint ${ids}, vCPU ${vcpu}: ${hitText(hit)}`;
}

/** Which hits count: vCPU, condition, count; '' for all. */
export function conditionText({ vcpu, condition, skip, once, afterCommit }: Breakpoint): string {
  const parts = [
    vcpu === undefined ? '' : `vCPU ${vcpu}`,
    once ? 'once' : '',
    afterCommit ? 'first after each commit' : '',
    skip ? `after ${skip} hits` : '',
    condition ? `if ${condition.text}` : '',
  ];
  return parts.filter((part) => part !== '').join(', ');
}

/** One line of `info breakpoints`. */
export function breakpointLine(breakpoint: Breakpoint): string {
  const { id, owner, place, access, enabled, hits } = breakpoint;
  const parts = [
    place.kind === 'vector' ? '' : accessText(access),
    enabled ? '' : 'disabled',
    conditionText(breakpoint),
    owner === 'gdb' ? 'set by gdb' : '',
  ].filter((part) => part !== '');
  return `${String(id).padEnd(4)} ${placeText(place).padEnd(28)} ${String(hits).padStart(6)} ${hits === 1 ? 'hit ' : 'hits'}  ${parts.join(', ')}`;
}
