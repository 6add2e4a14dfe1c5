/** Boots a guest headless and talks to its serial console in instruction counts, never in wall time. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Machine, MachineEvent, MachineOptions } from '../../engine/machine/index';
import { createMachine } from '../../engine/machine/index';

const ROOT = join(import.meta.dirname, '../..');
const STEP = 500_000;

export const MIB = 0x100000;
export const GIB = 0x40000000;

export function rootFile(path: string): Uint8Array {
  return readFileSync(join(ROOT, path));
}

export const hasFile = (path: string): boolean => existsSync(join(ROOT, path));

let core: WebAssembly.Module | undefined;

export class Guest {
  text = '';
  readonly events: MachineEvent[] = [];
  private read = 0;

  static async boot(options: Partial<MachineOptions> = {}): Promise<Guest> {
    core ??= new WebAssembly.Module(readFileSync(process.env.LAB_CORE ?? join(ROOT, 'build/core.wasm')) as Uint8Array<ArrayBuffer>);
    const machine = await createMachine({
      ram: 32 * MIB,
      slots: 4,
      maxmem: 2 * GIB,
      smp: 1,
      accel: process.env.LAB_ACCEL === 'interp' ? 'interp' : 'jit',
      core,
      wallClock: () => 0,
      ...options,
    });
    return new Guest(machine);
  }

  constructor(readonly machine: Machine) {
    const decoder = new TextDecoder();
    machine.serial.onOutput((bytes) => {
      this.text += decoder.decode(bytes, { stream: true });
    });
    machine.subscribe((event) => this.events.push(event));
  }

  /** Output since the last call. */
  since(): string {
    const text = this.text.slice(this.read);
    this.read = this.text.length;
    return text;
  }

  /** Runs until the new output contains `what`; throws with the output when `limit` instructions did not bring it. */
  until(what: string, limit = 100_000_000): string {
    const end = this.machine.run.instructions + limit;
    for (;;) {
      if (this.text.indexOf(what, this.read) >= 0) return this.since();
      const before = this.machine.run.instructions;
      this.machine.run.advance(STEP);
      const stuck = this.machine.run.instructions === before && this.text.indexOf(what, this.read) < 0;
      if (this.machine.run.instructions >= end || stuck) {
        const shown = this.text.slice(this.read).slice(-2000);
        const why = stuck ? `nothing more to run (${this.machine.run.state})` : `${limit} instructions`;
        const logs = this.events.flatMap((event) => (event.type === 'log' ? [event.text] : []));
        throw new Error(`no ${JSON.stringify(what)} after ${why}; output: ${JSON.stringify(shown)}; log: ${logs.slice(-5).join('; ')}`);
      }
    }
  }

  type(text: string): void {
    this.machine.serial.input(new TextEncoder().encode(text));
  }

  /** Types a line and returns the output up to the prompt. */
  command(line: string, prompt = 'lab> ', limit?: number): string {
    this.since();
    this.type(`${line}\r`);
    return this.until(`\n${prompt}`, limit);
  }
}
