/** Compares the shape of a machine with that of a layout or snapshot, with messages for people. */

export interface Shape {
  /** bytes */
  ram: number;
  slots: number;
  /** bytes */
  maxmem: number;
  smp: number;
}

const MIB = 2 ** 20;

/** "192 MiB", "4 GiB" */
function sizeWords(bytes: number): string {
  if (bytes >= 1024 * MIB && bytes % (1024 * MIB) === 0) return `${bytes / 2 ** 30} GiB`;
  return bytes % MIB === 0 ? `${bytes / MIB} MiB` : `${bytes} bytes`;
}

const WORDS: Record<keyof Shape, { say: (value: number) => string; option: string }> = {
  ram: { say: (value) => `${sizeWords(value)} of RAM`, option: '-m' },
  slots: { say: (value) => `${value} DIMM ${value === 1 ? 'slot' : 'slots'}`, option: '-m slots=' },
  maxmem: { say: (value) => `memory up to ${sizeWords(value)}`, option: '-m maxmem=' },
  smp: { say: (value) => `${value} ${value === 1 ? 'vCPU' : 'vCPUs'}`, option: '-smp' },
};

/** "it was saved with 192 MiB of RAM; this machine has 256 MiB of RAM (-m)", for the first difference. */
export function shapeRefusal(saved: Partial<Shape>, own: Shape): string | undefined {
  for (const name of ['ram', 'slots', 'maxmem', 'smp'] as const) {
    const value = saved[name];
    if (value === undefined || value === own[name]) continue;
    const { say, option } = WORDS[name];
    return `it was saved with ${say(value)}; this machine has ${say(own[name])} (${option})`;
  }
  return undefined;
}
