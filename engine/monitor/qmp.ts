/**
 * QMP: the command table as JSON, with QEMU's greeting, negotiation, events and error texts. One session per connection. Out-of-band execution is not
 * offered. Not implemented: QEMU's commands outside the table (query-qmp-schema, jobs, migration, block devices).
 */
import { type Machine, MachineError, type MachineEvent } from '../machine/index';
import { qmpVersion } from './info/machine';
import { JsonFloat, type JsonValue } from './json/parse';
import { echo, inOrder, stringify } from './json/print';
import { JsonStream, type Message } from './json/stream';
import type { Monitor } from './monitor';
import { commands, infoCommands } from './table';
import { CommandError, type Context, type QmpBinding } from './types';

/** Guest's last _OST per DIMM slot: query-acpi-ospm-status. */
interface OstInfo {
  device?: string;
  source: number;
  status: number;
}

const INPUT_LIMIT = 1024 * 1024;

export class QmpSession {
  private readonly stream = new JsonStream(INPUT_LIMIT);
  private readonly bindings = new Map<string, QmpBinding>();
  private readonly context: Context;
  private readonly unsubscribe: () => void;
  private readonly ost = new Map<number, OstInfo>();
  private negotiated = false;
  /** The machine stops because it ends: no event for that. */
  private quitting = false;
  private wasRunning: boolean;
  /** Answers are in the order of the requests. */
  private queue: Promise<void> = Promise.resolve();

  constructor(
    private readonly machine: Machine,
    /** Human commands run here, and its state is shared. */
    private readonly monitor: Monitor,
    /** Called with one JSON text and "\r\n" at its end. */
    private readonly send: (text: string) => void,
    private readonly wallClock: () => number,
  ) {
    this.context = monitor.commandContext;
    this.wasRunning = machine.run.state === 'running';
    for (const command of [...commands, ...infoCommands]) if (command.qmp) this.bindings.set(command.qmp.name, command.qmp);
    for (const binding of this.own()) this.bindings.set(binding.name, binding);
    this.unsubscribe = machine.subscribe((event) => this.event(event));
  }

  /** The greeting. */
  start(): void {
    this.write({ QMP: { version: qmpVersion(), capabilities: [] } });
  }

  /** Bytes from the socket, split anywhere. */
  receive(bytes: Uint8Array): void {
    for (const item of this.stream.push(bytes)) {
      this.queue = this.queue.then(() => this.answer(item)).catch(() => {});
    }
  }

  /** Resolves when everything received so far is answered. */
  idle(): Promise<void> {
    return this.queue;
  }

  close(): void {
    this.unsubscribe();
  }

  private async answer(item: Message): Promise<void> {
    if ('error' in item) return this.write({ error: { class: 'GenericError', desc: item.error } });
    const id = isObject(item.value) && Object.hasOwn(item.value, 'id') ? { id: echo(item.value.id as JsonValue) } : {};
    try {
      const value = await this.execute(item.value);
      this.write({ return: value ?? {}, ...id });
      if (this.quitting) this.context.env.quit();
    } catch (error) {
      const known = error instanceof CommandError;
      const message =
        known || error instanceof MachineError ? error.message : `internal error: ${(error as Error)?.message ?? String(error)}`;
      // QMP sends only the first line; HMP's hint follows it there.
      this.write({ ...id, error: { class: known ? error.errorClass : 'GenericError', desc: message.split('\n')[0] } });
    }
  }

  private execute(input: unknown): unknown {
    const { name, members } = envelope(input);
    if (!this.negotiated && name !== 'qmp_capabilities') {
      throw new CommandError("Expecting capabilities negotiation with 'qmp_capabilities'", 'CommandNotFound');
    }
    const binding = this.bindings.get(name);
    if (!binding) throw new CommandError(`The command ${name} has not been found`, 'CommandNotFound');
    checkMembers(binding, members);
    if (name === 'quit') {
      this.emit('SHUTDOWN', { guest: false, reason: 'host-qmp-quit' });
      this.quitting = true;
    }
    return binding.run(this.context, members);
  }

  /** Commands that only make sense in a session. */
  private own(): QmpBinding[] {
    return [
      { name: 'qmp_capabilities', members: { enable: { type: 'any' } }, run: (_context, members) => this.negotiate(members.enable) },
      {
        name: 'human-monitor-command',
        members: { 'command-line': { type: 'str', required: true }, 'cpu-index': { type: 'int' } },
        run: (context, members) => this.human(context, members),
      },
      { name: 'query-commands', members: {}, run: () => [...this.bindings.keys()].sort().map((name) => ({ name })) },
      { name: 'query-acpi-ospm-status', members: {}, run: () => this.ospmStatus() },
      { name: 'query-name', members: {}, run: () => ({}) },
      {
        name: 'query-cpus-fast',
        members: {},
        run: ({ machine }) =>
          Array.from({ length: machine.config.smp }, (_, cpu) => ({
            'thread-id': 1,
            props: { 'core-id': 0, 'thread-id': 0, 'node-id': 0, 'socket-id': cpu },
            'qom-path': `/machine/unattached/device[${cpu}]`,
            'cpu-index': cpu,
            target: 'x86_64',
          })),
      },
    ];
  }

  private negotiate(enable: unknown): undefined {
    if (enable !== undefined && !(Array.isArray(enable) && enable.every((each) => typeof each === 'string'))) {
      throw new CommandError("Invalid parameter type for 'enable', expected: array");
    }
    if (this.negotiated) throw new CommandError('Capabilities negotiation is already complete, command ignored', 'CommandNotFound');
    if (enable !== undefined && enable.length > 0) throw new CommandError(`Capability '${enable[0]}' not available`);
    this.negotiated = true;
    return undefined;
  }

  private async human(context: Context, members: Record<string, unknown>): Promise<string> {
    const index = members['cpu-index'] as number | undefined;
    const { state } = context;
    const before = state.vcpu;
    if (index !== undefined) {
      if (index < 0 || index >= context.machine.config.smp) throw new CommandError("Parameter 'cpu-index' expects a CPU number");
      state.vcpu = index;
    }
    try {
      return (await this.monitor.execute(String(members['command-line']))).replaceAll('\n', '\r\n');
    } finally {
      if (index !== undefined) state.vcpu = before;
    }
  }

  private ospmStatus(): unknown[] {
    const dimms = this.machine.dimms.list();
    return Array.from({ length: this.machine.config.slots }, (_, slot) => {
      const dimm = dimms.find((each) => each.slot === slot);
      const last = this.ost.get(slot) ?? { source: 0, status: 0 };
      return {
        ...(dimm && dimm.id !== '' ? { device: dimm.id } : {}),
        source: last.source,
        status: last.status,
        slot: String(slot),
        'slot-type': 'DIMM',
      };
    });
  }

  private event(event: MachineEvent): void {
    if (event.type === 'qmp') {
      if (event.event === 'ACPI_DEVICE_OST') this.noteOst(event.data.info as OstInfo & { slot: string });
      this.emit(event.event, event.data);
      return;
    }
    if (event.type !== 'state') return;
    const running = event.state === 'running';
    if (running !== this.wasRunning && !this.quitting) this.emit(running ? 'RESUME' : 'STOP');
    this.wasRunning = running;
  }

  private noteOst(info: OstInfo & { slot: string }): void {
    this.ost.set(Number(info.slot), { source: info.source, status: info.status });
  }

  /** Events are not sent before the negotiation. */
  private emit(name: string, data?: Record<string, unknown>): void {
    if (!this.negotiated) return;
    const now = this.wallClock();
    const seconds = Math.floor(now / 1000);
    const microseconds = Math.floor((now - seconds * 1000) * 1000);
    const hasData = data !== undefined && Object.keys(data).length > 0;
    this.write({ timestamp: { seconds, microseconds }, event: name, ...(hasData ? { data } : {}) });
  }

  private write(value: unknown): void {
    this.send(`${stringify(value)}\r\n`);
  }
}

const isObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value) && !(value instanceof JsonFloat);

/** Signed 64 bits. Far above 2^53 the nearest number is good enough: no count or address is that large. */
const isInteger = (value: unknown): boolean =>
  Number.isSafeInteger(value) || (typeof value === 'bigint' && BigInt.asIntN(64, value) === value);

/** {"execute": NAME, "arguments": {...}, "id": ANY} and nothing else. */
function envelope(input: unknown): { name: string; members: Record<string, unknown> } {
  if (!isObject(input)) throw new CommandError('QMP input must be a JSON object');
  for (const [member, value] of inOrder(input)) {
    if (member === 'execute') {
      if (typeof value !== 'string') throw new CommandError("QMP input member 'execute' must be a string");
    } else if (member === 'arguments') {
      if (!isObject(value)) throw new CommandError("QMP input member 'arguments' must be an object");
    } else if (member !== 'id') {
      throw new CommandError(`QMP input member '${member}' is unexpected`);
    }
  }
  if (typeof input.execute !== 'string') throw new CommandError("QMP input lacks member 'execute'");
  return { name: input.execute, members: (input.arguments as Record<string, unknown> | undefined) ?? {} };
}

const TYPE_NAMES = { str: 'string', bool: 'boolean', int: 'integer' } as const;

function checkMembers(binding: QmpBinding, given: Record<string, unknown>): void {
  const has = (name: string): boolean => Object.hasOwn(given, name);
  for (const [name, { type, required }] of Object.entries(binding.members)) {
    if (!has(name)) {
      if (required) throw new CommandError(`Parameter '${name}' is missing`);
      continue;
    }
    const value = given[name];
    const right =
      type === 'any' || (type === 'str' ? typeof value === 'string' : type === 'bool' ? typeof value === 'boolean' : isInteger(value));
    if (!right) throw new CommandError(`Invalid parameter type for '${name}', expected: ${TYPE_NAMES[type as keyof typeof TYPE_NAMES]}`);
  }
  if (binding.open) return;
  for (const [name] of inOrder(given)) {
    if (!Object.hasOwn(binding.members, name)) throw new CommandError(`Parameter '${name}' is unexpected`);
  }
}
