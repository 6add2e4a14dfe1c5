/** info status, cpus, version, registers, irq, roms, qtree, jit, tlb-stats, digest, history. */
import type { Machine } from '../../machine/index';
import { MemFlag } from '../../memory/types';
import { dumpRegisters } from '../registers';
import { type Command, type Context, getFlag, getNumber } from '../types';
import { VERSION } from '../version';
import { infoJit } from './jit';
import { ioapicText, picText } from './pic';

const PAGE = 4096;

/** QEMU's RunState names. */
export function runStateName(context: Context): string {
  const { state, instructions } = context.machine.run;
  return state === 'paused' && instructions === 0 && !context.state.launched ? 'prelaunch' : state;
}

function status(context: Context): string {
  const name = runStateName(context);
  if (name === 'running') return 'VM status: running\n';
  return name === 'paused' ? 'VM status: paused\n' : `VM status: paused (${name})\n`;
}

function cpus(context: Context): string {
  let text = '';
  for (let cpu = 0; cpu < context.machine.config.smp; cpu++) {
    // All vCPUs run on the thread that also runs the monitor.
    text += `${cpu === context.state.vcpu ? '*' : ' '} CPU #${cpu}: thread_id=1\n`;
  }
  return text;
}

function registers(context: Context, all: boolean, wanted: number | undefined): string {
  const { smp } = context.machine.config;
  const dump = (cpu: number): string => `\nCPU#${cpu}\n${dumpRegisters(context.machine.inspect.registers(cpu))}`;
  if (all) return Array.from({ length: smp }, (_, cpu) => dump(cpu)).join('');
  const cpu = wanted ?? context.state.vcpu;
  return cpu < smp ? dump(cpu) : `CPU#${cpu} not available\n`;
}

function irq(machine: Machine): string {
  const counts = machine.inspect.irqCounts().filter((line) => line.count > 0);
  if (counts.length === 0) return '';
  return `IRQ statistics for labpc:\n${counts.map((line) => ` ${line.name}: ${line.count}\n`).join('')}`;
}

/** The board's read-only memory, then what the loader was given. */
function roms(machine: Machine): string {
  let text = '';
  for (const slot of machine.memory.memslots(0)) {
    if (!((slot.flags ?? 0) & MemFlag.ReadOnly)) continue;
    const name = machine.host.backingOf(slot.userspaceAddr)?.id ?? `memslot ${slot.slot}`;
    const addr = (slot.baseGfn * PAGE).toString(16).padStart(16, '0');
    text += `addr=${addr} size=0x${(slot.npages * PAGE).toString(16).padStart(6, '0')} mem=rom name="${name}"\n`;
  }
  const { guest } = machine;
  if (guest) {
    text += `/rom@guest/kernel size=0x${guest.kernel.length.toString(16).padStart(6, '0')} name="${guest.name}"\n`;
    if (guest.initrd) text += `/rom@guest/initrd size=0x${guest.initrd.length.toString(16).padStart(6, '0')} name="initrd"\n`;
  }
  return text;
}

function qtree(machine: Machine): string {
  let text = 'bus: main-system-bus\n  type System\n';
  for (const region of machine.inspect.mmioRegions()) {
    const at = region.start.toString(16).padStart(16, '0');
    text += `  dev: ${region.name}, id ""\n    mmio ${at}/${(region.end - region.start).toString(16).padStart(16, '0')}\n`;
  }
  return text;
}

function table(rows: Record<string, number>): string {
  const names = Object.keys(rows);
  const width = Math.max(0, ...names.map((name) => name.length));
  return names.map((name) => `${name.padEnd(width)}  ${rows[name]}\n`).join('');
}

/** QMP's version object. */
export const qmpVersion = (): Record<string, unknown> => {
  const [major, minor, micro] = VERSION.split('.').map(Number);
  // QMP clients look for "qemu" here.
  return { qemu: { micro, minor, major }, package: 'memslot-lab' };
};

export const machineInfo: Command[] = [
  {
    name: 'status',
    args: '',
    params: '',
    help: 'show the current VM status (running|paused)',
    origin: 'qemu',
    run: status,
    qmp: {
      name: 'query-status',
      members: {},
      run: (context) => {
        const name = runStateName(context);
        return { status: name, singlestep: false, running: name === 'running' };
      },
    },
  },
  {
    name: 'version',
    args: '',
    params: '',
    help: 'show the version of QEMU',
    origin: 'qemu',
    run: () => `${VERSION}memslot-lab\n`,
    qmp: { name: 'query-version', members: {}, run: qmpVersion },
  },
  { name: 'cpus', args: '', params: '', help: 'show infos for each CPU', origin: 'qemu', run: cpus },
  {
    name: 'registers',
    args: 'cpustate_all:-a,vcpu:i?',
    params: '[-a|vcpu]',
    help: "show the cpu registers (-a: show register info for all cpus; vcpu: specific vCPU to query; show the current CPU's registers if no argument is specified)",
    origin: 'qemu',
    run: (context, args) => registers(context, getFlag(args, 'cpustate_all'), getNumber(args, 'vcpu')),
  },
  {
    name: 'pic',
    args: '',
    params: '',
    help: 'show PIC state',
    origin: 'qemu',
    run: ({ machine }) => picText(machine.inspect.picState()) + ioapicText(machine.inspect.ioapicState()),
  },
  {
    name: 'irq',
    args: '',
    params: '',
    help: 'show the interrupts statistics (if available)',
    origin: 'qemu',
    run: (context) => irq(context.machine),
  },
  { name: 'roms', args: '', params: '', help: 'show roms', origin: 'qemu', run: (context) => roms(context.machine) },
  {
    name: 'qtree',
    args: '',
    params: '',
    help: 'show device tree',
    origin: 'qemu',
    run: (context) => qtree(context.machine),
  },
  {
    name: 'history',
    args: '',
    params: '',
    help: 'show the command line history',
    origin: 'qemu',
    run: (context) => context.state.history.map((line, index) => `${index}: '${line}'\n`).join(''),
  },
  {
    name: 'jit',
    args: '',
    params: '',
    help: 'show dynamic compiler info',
    origin: 'qemu',
    run: (context) => infoJit(context.machine),
  },
  {
    name: 'tlb-stats',
    args: '',
    params: '',
    help: 'show counters of the software TLB, of decoded code and of exits',
    origin: 'lab',
    run: (context) => table(context.machine.inspect.stats()),
  },
  {
    name: 'digest',
    args: '',
    params: '',
    help: 'show the SHA-256 over vCPUs, devices, layout and RAM: equal machines have equal digests',
    origin: 'lab',
    run: async (context) => `${await context.machine.digest()}\n`,
  },
];

export const cpuCommand: Command = {
  name: 'cpu',
  input: true,
  args: 'index:i',
  params: 'index',
  help: 'set the default CPU',
  origin: 'qemu',
  run(context, args) {
    const index = getNumber(args, 'index')!;
    if (index >= context.machine.config.smp) return 'invalid CPU index\n';
    context.state.vcpu = index;
    return '';
  },
};
