/** info jit: what the JIT has translated, why compiled code was left, and why it was dropped; in QEMU's words for figures that QEMU has. */
import type { JitFigures } from '../../jit/index';
import type { Machine } from '../../machine/index';

/** Reasons to leave that are not names of instructions. */
const REASONS: Readonly<Record<string, string>> = {
  jump: 'jump out of the region',
  slice: 'end of a slice, or a sample',
  memory: 'memory access that is not plain RAM, or faults',
  page: 'code page not mapped as before',
  window: 'memory access outside its window, which is filled again',
  outOfLine: 'instruction that stops after itself or faults',
};
/** Lines of exits. */
const MOST = 16;

const line = (label: string, value: string | number): string => `${label.padEnd(27)}${value}\n`;
const average = (sum: number, count: number): string => (count === 0 ? '0' : (sum / count).toFixed(0));

function figures({
  regions,
  bytes,
  guestBytes,
  instructions,
  compiled,
  compileTime,
  drops,
  windows,
  ran,
  linked,
  exits,
  refused,
}: JitFigures): string {
  const ratio = guestBytes === 0 ? '0.0' : (bytes / guestBytes).toFixed(1);
  const lines = [
    ...(refused === undefined ? [] : [line('off, the interpreter runs', refused)]),
    'Translation buffer state:\n',
    line('gen code size', bytes),
    line('region count', regions),
    line('region avg target size', `${average(guestBytes, regions)} bytes, ${average(instructions, regions)} instructions`),
    line('region avg host size', `${average(bytes, regions)} bytes (expansion ratio: ${ratio})`),
    '\nStatistics:\n',
    line('instructions run', ran),
    line('jumps between regions', linked),
    line('regions compiled', compiled),
    line('compile time', `${compileTime.toFixed(0)} ms`),
    line('dropped: code written', drops.written),
    line('dropped: all code flushed', drops.flushed),
    line('dropped: little used', drops.evicted),
    line('windows', `${windows.exist}, ${windows.filled} times filled, ${windows.dropped} times dropped, ${windows.given} given up`),
    '\nExits to the interpreter:\n',
    ...exits
      .slice(0, MOST)
      .map(({ reason, count }) =>
        line(
          REASONS[reason] === undefined ? `instruction ${reason}` : reason,
          REASONS[reason] === undefined ? count : `${count} (${REASONS[reason]})`,
        ),
      ),
  ];
  return lines.join('');
}

export function infoJit(machine: Machine): string {
  const found = machine.inspect.jitFigures();
  return found === undefined ? 'JIT information is only available with accel=jit\n' : figures(found);
}
