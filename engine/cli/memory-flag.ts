/** -m in QEMU's syntax: [size=]MEGS[,slots=N,maxmem=SIZE]. */
import { splitCommas } from '../monitor/opts';
import { parseInteger, parseSize, shortSize } from '../monitor/sizes';
import { FlagError } from './chardev-flag';

export interface MemoryFlag {
  /** bytes */
  ram: number;
  slots: number;
  /** bytes; equal to ram without hotplug */
  maxmem: number;
}

const MIB = 2 ** 20;
const SMALLEST = 2 * MIB;
const MOST_SLOTS = 32;
const SIZE_HELP = 'expects a number with an optional suffix k, M, G or T (without one: MiB)';

/** Throws a FlagError. The machine checks what the host can hold. */
export function parseMemory(text: string): MemoryFlag {
  const wrong = (reason: string): FlagError => new FlagError(`-m ${text}: ${reason}`);
  let sizeText: string | undefined;
  let slotsText: string | undefined;
  let maxmemText: string | undefined;
  for (const [index, part] of splitCommas(text).entries()) {
    const equals = part.indexOf('=');
    const name = equals < 0 ? '' : part.slice(0, equals);
    const value = part.slice(equals + 1);
    if (name === 'size' || (name === '' && index === 0)) sizeText = value;
    else if (name === 'slots') slotsText = value;
    else if (name === 'maxmem') maxmemText = value;
    else throw wrong(`Invalid parameter '${name || part}'; -m takes size, slots and maxmem`);
  }
  const ram = parseRam(sizeText ?? '', wrong);
  const slots = slotsText === undefined ? 0 : parseSlots(slotsText, wrong);
  if (maxmemText === undefined) {
    if (slots > 0) throw wrong('slots specified but no maxmem; add maxmem=SIZE');
    return { ram, slots, maxmem: ram };
  }
  const maxmem = parseSize(maxmemText);
  if (maxmem === undefined) throw wrong(`Parameter 'maxmem' expects a number with an optional suffix k, M, G or T, not '${maxmemText}'`);
  const compared = `maximum memory size (${shortSize(maxmem)})`;
  if (maxmem < ram) throw wrong(`invalid value of maxmem: ${compared} must be at least the initial memory size (${shortSize(ram)})`);
  if (slots > 0 && maxmem === ram)
    throw wrong(`invalid value of maxmem: memory slots were specified but ${compared} is the initial memory size`);
  return { ram, slots, maxmem };
}

function parseRam(text: string, wrong: (reason: string) => FlagError): number {
  const bare = /^\s*\d+$/.test(text) ? parseSize(`${text.trim()}M`) : parseSize(text);
  if (bare === undefined) throw wrong(`Parameter 'size' ${SIZE_HELP}, not '${text}'`);
  if (bare < SMALLEST) throw wrong(`${shortSize(bare)} of memory is too little; the minimum is 2M`);
  if (bare % MIB !== 0) throw wrong(`memory size must be a multiple of 1M, and ${bare} is not; ${shortSize(bare - (bare % MIB))} is`);
  return bare;
}

function parseSlots(text: string, wrong: (reason: string) => FlagError): number {
  const slots = parseInteger(text);
  if (slots === undefined) throw wrong(`Parameter 'slots' expects a number, not '${text}'`);
  if (slots < 0n || slots > BigInt(MOST_SLOTS))
    throw wrong(`unsupported amount of memory slots: ${slots}; 0 to ${MOST_SLOTS} DIMM slots are possible`);
  return Number(slots);
}
