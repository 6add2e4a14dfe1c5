/**
 * One gdb, as QEMU's stub serves it: all-stop, vCPU n is thread n + 1. Breakpoints of all kinds are the machine's (engine/debug/breakpoints):
 * guest memory is never patched. The client is not trusted: every packet is answered, a wrong one with "E..".
 * Not implemented: non-stop mode, multiprocess ids, tracepoints, files.
 */
import { breakpointsOf } from '../breakpoints/index';
import type { GdbHost } from './host';
import { readMemory, type View, writeMemory } from './memory';
import { bytesOf, fromHex, MOST_DATA, PacketReader, textOf, toHex } from './packets';
import { bytesOfRegister, REGISTERS, registerBytes, registerValueOf, TARGET_XML } from './registers';
import { type Action, type Halt, Resume } from './resume';

const OK = 'OK';
const WRONG = 'E22';
const FAULT = 'E14';
/** The protocol's empty reply: not supported. */
const UNKNOWN = '';
/** Kinds of breakpoint, by the number in the Z packet. */
const WATCHED = [
  { execute: true, read: false, write: false },
  { execute: true, read: false, write: false },
  { execute: false, read: false, write: true },
  { execute: false, read: true, write: false },
  { execute: false, read: true, write: true },
];
const SOFTWARE = 0;
const MOST_WATCHED = 2 ** 32;

export class GdbSession {
  private readonly reader: PacketReader;
  private readonly resume: Resume;
  private readonly features = { swbreak: false, hwbreak: false };
  /** Threads selected for g and c packets: vCPU numbers. */
  private general = 0;
  private running = 0;
  private physical = false;
  private readonly inserted = new Map<string, number>();
  private readonly software = new Set<number>();
  private queue: Promise<void> = Promise.resolve();
  private queued = 0;
  private over = false;
  /** What the client wrote since the machine stopped: reported once, when it continues. */
  private wrote: string | undefined;

  constructor(
    private readonly host: GdbHost,
    send: (bytes: Uint8Array) => void,
  ) {
    this.resume = new Resume(host, this.features, ({ id }) => this.software.has(id));
    this.reader = new PacketReader({
      packet: (data) => this.enqueue(() => this.packet(data)),
      tooLong: () => this.enqueue(async () => WRONG),
      interrupt: () => this.resume.interrupt(),
      send,
    });
    // As QEMU does: a debugger attaches to a stopped machine.
    if (host.machine.run.state === 'running') host.stop();
  }

  receive(bytes: Uint8Array): void {
    if (!this.over) this.reader.receive(bytes);
  }

  /** Resolves when everything received has been answered. */
  idle(): Promise<void> {
    return this.queue;
  }

  /** The client disconnected: deletes its breakpoints. Without a detach the machine stays stopped. */
  close(): void {
    if (this.over) return;
    this.over = true;
    this.sayWritten();
    this.resume.interrupt();
    breakpointsOf(this.host.machine).clear('gdb');
  }

  /** `lab` ends with this status. */
  exited(status: number): void {
    if (!this.over) this.reader.reply(bytesOf(`W${(status & 255).toString(16).padStart(2, '0')}`));
  }

  private enqueue(act: () => Promise<string | Uint8Array | undefined>): void {
    // A client that does not wait for replies is throttled; one that floods is disconnected.
    if (++this.queued > 4096) {
      this.queued--;
      return;
    }
    this.queue = this.queue.then(async () => {
      this.queued--;
      if (this.over) return;
      let reply: string | Uint8Array | undefined;
      try {
        reply = await act();
      } catch (error) {
        reply = `E.${(error as Error).message.replaceAll(/[^ -~]/g, ' ')}`;
      }
      if (reply !== undefined && !this.over) this.reader.reply(typeof reply === 'string' ? bytesOf(reply) : reply);
    });
  }

  /** The reply; undefined: send none. */
  private async packet(data: Uint8Array): Promise<string | Uint8Array | undefined> {
    const text = textOf(data);
    const rest = text.slice(1);
    switch (text[0]) {
      case '?':
        return this.haltReply(this.resume.halt(this.general));
      case 'g':
        return this.readRegisters();
      case 'G':
        return this.writeRegisters(rest);
      case 'p':
        return this.readRegister(rest);
      case 'P':
        return this.writeRegister(rest);
      case 'm':
        return this.readMemory(rest);
      case 'M':
        return this.writeMemory(rest, (body) => fromHex(body));
      case 'X':
        return this.writeMemory(rest, (body) => bytesOf(body));
      case 'Z':
        return this.insert(rest);
      case 'z':
        return this.remove(rest);
      case 'H':
        return this.selectThread(rest);
      case 'T':
        return this.vcpuOf(rest) === undefined ? WRONG : OK;
      case 'c':
      case 's':
        return this.oldResume(text[0], rest);
      case 'C':
      case 'S':
        return this.oldResume(text[0] === 'C' ? 'c' : 's', rest.replace(/^[0-9a-fA-F]*;?/, ''));
      case 'b':
        return this.backwards(rest);
      case 'v':
        return this.verbose(text);
      case 'q':
      case 'Q':
        return this.query(text);
      case 'D':
        return this.detach();
      case 'k':
        this.host.quit();
        return undefined;
      default:
        return UNKNOWN;
    }
  }

  // Registers

  private readRegisters(): string {
    const registers = this.host.machine.inspect.registers(this.general);
    return REGISTERS.map((register) => toHex(registerBytes(register, registers))).join('');
  }

  private readRegister(text: string): string {
    const number = /^[0-9a-fA-F]{1,4}$/.test(text) ? Number.parseInt(text, 16) : -1;
    const register = REGISTERS[number];
    return register ? toHex(registerBytes(register, this.host.machine.inspect.registers(this.general))) : WRONG;
  }

  private writeRegisters(text: string): string {
    const bytes = fromHex(text);
    const size = REGISTERS.reduce((sum, register) => sum + bytesOfRegister(register), 0);
    if (!bytes || bytes.length !== size) return WRONG;
    const patch: Record<string, bigint> = {};
    let at = 0;
    for (const register of REGISTERS) {
      patch[register.name] = registerValueOf(bytes.subarray(at, at + bytesOfRegister(register)));
      at += bytesOfRegister(register);
    }
    return this.patch(patch);
  }

  private writeRegister(text: string): string {
    const [number = '', value = ''] = text.split('=', 2);
    const register = /^[0-9a-fA-F]{1,4}$/.test(number) ? REGISTERS[Number.parseInt(number, 16)] : undefined;
    const bytes = fromHex(value);
    if (!register || bytes?.length !== bytesOfRegister(register)) return WRONG;
    return this.patch({ [register.name]: registerValueOf(bytes) });
  }

  /** Writes the registers that changed: all of them or none. */
  private patch(values: Record<string, bigint>): string {
    const { machine } = this.host;
    const now = machine.inspect.registers(this.general);
    const changed = REGISTERS.filter((register) => register.name in values && register.read(now) !== values[register.name]).map(
      ({ name }) => name,
    );
    if (changed.length === 0) return OK;
    if (changed.some((name) => /^(fi|fo)(seg|off)|^foo/.test(name))) return WRONG;
    this.wrote = `registers ${changed.join(', ')}`;
    machine.debug.setRegisters(this.general, Object.fromEntries(changed.map((name) => [name, values[name]!])));
    return OK;
  }

  // Memory

  private get view(): View {
    return { vcpu: this.general, physical: this.physical };
  }

  private readMemory(text: string): string {
    const range = rangeOf(text);
    if (!range || range.length * 2 > MOST_DATA) return WRONG;
    if (range.length === 0) return '';
    const bytes = readMemory(this.host.machine, this.view, range.address, range.length);
    return bytes.length === 0 ? FAULT : toHex(bytes);
  }

  private writeMemory(text: string, decode: (body: string) => Uint8Array | undefined): string {
    const colon = text.indexOf(':');
    const range = colon < 0 ? undefined : rangeOf(text.slice(0, colon));
    const bytes = decode(text.slice(colon + 1));
    if (!range || bytes?.length !== range.length) return WRONG;
    if (range.length === 0) return OK;
    if (!writeMemory(this.host.machine, this.view, range.address, bytes)) return FAULT;
    this.wrote = 'memory';
    return OK;
  }

  private sayWritten(): void {
    const { wrote } = this;
    this.wrote = undefined;
    if (wrote !== undefined) this.host.changed(wrote);
  }

  // Breakpoints

  private insert(text: string): string {
    const asked = breakpointOf(text);
    if (asked === undefined) return WRONG;
    const { key, type, address, length } = asked;
    const access = WATCHED[type];
    if (!access) return UNKNOWN;
    if (this.inserted.has(key)) return OK;
    const breakpoint = breakpointsOf(this.host.machine).add({
      place: { kind: 'gva', first: address, length: access.execute ? 1 : length },
      access,
      owner: 'gdb',
    });
    this.inserted.set(key, breakpoint.id);
    if (type === SOFTWARE) this.software.add(breakpoint.id);
    return OK;
  }

  private remove(text: string): string {
    const asked = breakpointOf(text);
    if (asked === undefined) return WRONG;
    if (!WATCHED[asked.type]) return UNKNOWN;
    const id = this.inserted.get(asked.key);
    if (id === undefined) return OK;
    this.inserted.delete(asked.key);
    this.software.delete(id);
    breakpointsOf(this.host.machine).delete(id);
    return OK;
  }

  // Threads

  /** "-1" is all, "0" any, so the first; undefined: no such thread. */
  private vcpuOf(text: string): number | undefined {
    if (text === '-1' || text === '0') return text === '0' ? 0 : -1;
    if (!/^[0-9a-fA-F]{1,8}$/.test(text)) return undefined;
    const vcpu = Number.parseInt(text, 16) - 1;
    return vcpu >= 0 && vcpu < this.host.machine.config.smp ? vcpu : undefined;
  }

  private selectThread(text: string): string {
    const vcpu = this.vcpuOf(text.slice(1));
    if (vcpu === undefined || (text[0] !== 'g' && text[0] !== 'c')) return WRONG;
    if (text[0] === 'g' && text.slice(1) !== '0') this.general = Math.max(0, vcpu);
    if (text[0] === 'c') this.running = vcpu;
    return OK;
  }

  // Running

  private async go(action: Action): Promise<string> {
    this.sayWritten();
    return this.haltReply(await this.resume.run(action, this.general));
  }

  private haltReply({ signal, vcpu, detail }: Halt): string {
    this.general = vcpu;
    return `T${signal.toString(16).padStart(2, '0')}thread:${(vcpu + 1).toString(16).padStart(2, '0')};${detail}`;
  }

  private async oldResume(how: 'c' | 's', address: string): Promise<string> {
    if (address !== '') {
      if (!/^[0-9a-fA-F]{1,16}$/.test(address)) return WRONG;
      this.patch({ rip: BigInt(`0x${address}`) });
    }
    const vcpu = this.running > 0 ? this.running : this.general;
    return this.go(how === 'c' ? { kind: 'continue' } : { kind: 'step', vcpu });
  }

  private async backwards(rest: string): Promise<string> {
    if (rest !== 's' && rest !== 'c') return UNKNOWN;
    if (!this.host.backwards) return UNKNOWN;
    return this.go(
      rest === 'c' ? { kind: 'back' } : { kind: 'back-step', vcpu: Math.max(0, this.running > 0 ? this.running : this.general) },
    );
  }

  private async verbose(text: string): Promise<string | undefined> {
    if (text === 'vCont?') return 'vCont;c;C;s;S;r';
    if (text.startsWith('vCont;')) {
      const action = this.actionOf(text.slice('vCont;'.length));
      return action === undefined ? WRONG : this.go(action);
    }
    if (text.startsWith('vKill')) {
      this.host.quit();
      return OK;
    }
    return UNKNOWN;
  }

  /** The first step action counts; the other threads run meanwhile, as under QEMU. */
  private actionOf(text: string): Action | undefined {
    const actions = text.split(';').map((part) => /^([cCsSr])([0-9a-fA-F,]*)(?::(-?[0-9a-fA-F]+))?$/.exec(part));
    if (actions.length > 64 || actions.some((match) => match === null)) return undefined;
    let chosen: Action | undefined;
    for (const match of actions) {
      const [, what = '', given = '', thread] = match!;
      const vcpu = thread === undefined ? this.general : this.vcpuOf(thread);
      if (vcpu === undefined) return undefined;
      const on = vcpu < 0 ? this.general : vcpu;
      if (what === 'r') {
        const range = /^([0-9a-fA-F]{1,16}),([0-9a-fA-F]{1,16})$/.exec(given);
        if (!range) return undefined;
        chosen ??= { kind: 'step', vcpu: on, range: { start: BigInt(`0x${range[1]}`), end: BigInt(`0x${range[2]}`) } };
      } else if (what === 's' || what === 'S') chosen ??= { kind: 'step', vcpu: on };
    }
    return chosen ?? { kind: 'continue' };
  }

  private async detach(): Promise<string> {
    this.sayWritten();
    // The guest continues from its present, not from the moment that gdb inspected last.
    await this.host.backwards?.home();
    breakpointsOf(this.host.machine).clear('gdb');
    this.inserted.clear();
    this.software.clear();
    if (this.host.machine.run.state === 'paused') this.host.cont();
    return OK;
  }

  // Queries

  private async query(text: string): Promise<string | Uint8Array | undefined> {
    const name = /^[A-Za-z.]+/.exec(text)?.[0] ?? '';
    const rest = text.slice(name.length);
    const { machine, backwards } = this.host;
    switch (name) {
      case 'qSupported':
        this.features.swbreak = rest.includes('swbreak+');
        this.features.hwbreak = rest.includes('hwbreak+');
        return (
          `PacketSize=${MOST_DATA.toString(16)};qXfer:features:read+;QStartNoAckMode+;vContSupported+;swbreak+;hwbreak+` +
          (backwards ? ';ReverseStep+;ReverseContinue+' : '')
        );
      case 'QStartNoAckMode':
        // This reply is the last one to be acknowledged.
        queueMicrotask(() => {
          this.reader.acknowledge = false;
        });
        return OK;
      case 'QNonStop':
        return rest === ':0' ? OK : 'E.non-stop mode is not supported: all vCPUs stop together';
      case 'qXfer':
        return transfer(rest);
      case 'qC':
        return `QC${(this.general + 1).toString(16).padStart(2, '0')}`;
      case 'qfThreadInfo':
        return `m${Array.from({ length: machine.config.smp }, (_unused, i) => (i + 1).toString(16).padStart(2, '0')).join(',')}`;
      case 'qsThreadInfo':
        return 'l';
      case 'qThreadExtraInfo': {
        const vcpu = this.vcpuOf(rest.slice(1));
        if (vcpu === undefined || vcpu < 0) return WRONG;
        return toHex(bytesOf(`CPU#${vcpu} [${machine.inspect.registers(vcpu).halted ? 'halted ' : 'running'}]`));
      }
      case 'qAttached':
        return '1';
      case 'qSymbol':
        return OK;
      case 'qRcmd':
        return this.command(rest);
      case 'qqemu.PhyMemMode':
        return this.physical ? '1' : '0';
      case 'Qqemu.PhyMemMode':
        if (rest !== ':0' && rest !== ':1') return WRONG;
        this.physical = rest === ':1';
        return OK;
      case 'qqemu.sstepbits':
        return 'ENABLE=1,NOIRQ=0,NOTIMER=0';
      case 'qqemu.sstep':
        return '0x1';
      default:
        return UNKNOWN;
    }
  }

  private async command(rest: string): Promise<string> {
    const bytes = rest[0] === ',' ? fromHex(rest.slice(1)) : undefined;
    if (!bytes) return WRONG;
    this.sayWritten();
    const output = new TextEncoder().encode(await this.host.monitor(new TextDecoder().decode(bytes)));
    for (let at = 0; at < output.length; at += MOST_DATA / 4)
      this.reader.reply(bytesOf(`O${toHex(output.subarray(at, at + MOST_DATA / 4))}`));
    return OK;
  }
}

function rangeOf(text: string): { address: bigint; length: number } | undefined {
  const match = /^([0-9a-fA-F]{1,16}),([0-9a-fA-F]{1,8})$/.exec(text);
  return match ? { address: BigInt(`0x${match[1]}`), length: Number.parseInt(match[2]!, 16) } : undefined;
}

function breakpointOf(text: string): { key: string; type: number; address: bigint; length: number } | undefined {
  const match = /^(\d),([0-9a-fA-F]{1,16}),([0-9a-fA-F]{1,9})(;.*)?$/s.exec(text);
  if (!match) return undefined;
  const length = Number.parseInt(match[3]!, 16);
  // The third field of a breakpoint is its kind.
  if (Number(match[1]) > 1 && (length === 0 || length > MOST_WATCHED)) return undefined;
  return { key: `${match[1]},${match[2]},${match[3]}`, type: Number(match[1]), address: BigInt(`0x${match[2]}`), length };
}

/** qXfer:features:read:ANNEX:OFFSET,LENGTH */
function transfer(rest: string): string {
  const match = /^:features:read:([^:]*):([0-9a-fA-F]{1,8}),([0-9a-fA-F]{1,8})$/.exec(rest);
  if (!match) return UNKNOWN;
  if (match[1] !== 'target.xml') return 'E00';
  const from = Number.parseInt(match[2]!, 16);
  const part = TARGET_XML.slice(from, from + Math.min(Number.parseInt(match[3]!, 16), MOST_DATA / 2));
  return `${from + part.length >= TARGET_XML.length ? 'l' : 'm'}${part}`;
}
