/** Breakpoints and stops as text, for monitor and page. */
import type { WatchHit } from '../../machine/index';
import type { Accesses, Breakpoint, BreakpointOptions, Place, Stop } from './types';

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

/** What was accessed, and how; `kind`: of the breakpoint that it hit. */
export function hitText({ access, address, gpa, bytes, watch }: WatchHit, kind: Place['kind'] | undefined): string {
  const size = bytes === 1 ? '1 byte' : `${bytes} bytes`;
  if (watch < 0) return `${access} of ${size} in the hole at gpa ${hex(gpa)}`;
  if (access === 'execute') return `execution at gva ${hex(address)}`;
  if (access === 'event') return `vector ${hex(address)}`;
  if (kind === 'port' || kind === 'msr') return `${access} of ${kind === 'port' ? 'port' : 'MSR'} ${hex(address)}`;
  return `${access} of ${size} at gva ${hex(address)}, gpa ${hex(gpa)}`;
}

export function stopText({ vcpu, breakpoints, hit }: Stop): string {
  const ids = breakpoints.map(({ id }) => id).join(', ');
  return `Breakpoint ${ids}, vCPU ${vcpu}: ${hitText(hit, breakpoints[0]?.place.kind)}`;
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

/** In a form that `breakpoint_add` accepts on any machine: numbers only. undefined: by host address, which differs between machines. */
export function breakpointOptions({ place, access, vcpu, condition, skip, once, afterCommit }: BreakpointOptions): string | undefined {
  const parts: string[] = [];
  const length = (bytes: number | undefined): void => {
    if (bytes !== undefined && bytes !== 1) parts.push(`len=${hex(bytes)}`);
  };
  if (place.kind === 'hva') return undefined;
  if (place.kind === 'slot') parts.push(`slot=${place.slot}`);
  else if (place.kind === 'hole' && place.first === undefined) parts.push('hole');
  else {
    parts.push(`${place.kind}=${hex(place.first!)}`);
    if (place.kind !== 'page') length(place.length);
  }
  if (place.kind !== 'vector') parts.push(`access=${accessText(access)}`);
  if (condition) parts.push(`if=${condition.text.replaceAll(',', ',,')}`);
  if (skip) parts.push(`skip=${skip}`);
  if (vcpu !== undefined) parts.push(`vcpu=${vcpu}`);
  if (once) parts.push('once=on');
  if (afterCommit) parts.push('after=commit');
  return parts.join(',');
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
