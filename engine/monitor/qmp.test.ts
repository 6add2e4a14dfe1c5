/** QMP as tr-qmp of the reference and QEMU 7.2 itself answer. */
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { JsonStream } from './json-stream';
import { QmpSession } from './qmp';
import { testMonitor } from './testing';

async function session() {
  const all = await testMonitor();
  const sent: string[] = [];
  const qmp = new QmpSession(
    all.machine,
    all.monitor,
    (text) => sent.push(text.trimEnd()),
    () => 1_795_333_964_572.5,
  );
  qmp.start();
  const ask = async (text: string): Promise<string> => {
    sent.length = 0;
    qmp.receive(`${text}\n`);
    await qmp.idle();
    return sent.join('\n');
  };
  return { ...all, qmp, sent, ask };
}

async function talk(text: string) {
  const all = await session();
  await all.ask('{"execute": "qmp_capabilities"}');
  let answer = '';
  for (const line of text.split('\n')) {
    if (line.startsWith('-> ')) answer += `${line}\n${(await all.ask(line.slice(3))).replace(/^/gm, '<- ')}\n`;
  }
  expect(answer).toBe(text);
  return all;
}

describe('negotiation', () => {
  it('greets, insists on qmp_capabilities, and takes it once', async () => {
    const { sent, ask } = await session();
    expect(JSON.parse(sent[0]!)).toEqual({
      QMP: { version: { qemu: { micro: 0, minor: 1, major: 0 }, package: 'memslot-lab' }, capabilities: [] },
    });
    expect(await ask('{"execute": "query-status"}')).toBe(
      `{"error": {"class": "CommandNotFound", "desc": "Expecting capabilities negotiation with 'qmp_capabilities'"}}`,
    );
    expect(await ask('{"execute": "qmp_capabilities"}')).toBe('{"return": {}}');
    expect(await ask('{"execute": "qmp_capabilities"}')).toBe(
      '{"error": {"class": "CommandNotFound", "desc": "Capabilities negotiation is already complete, command ignored"}}',
    );
  });
});

describe('queries and hotplug', () => {
  it('answer as QEMU does', async () => {
    const { machine } = await talk(`-> {"execute": "query-status"}
<- {"return": {"status": "prelaunch", "singlestep": false, "running": false}}
-> {"execute": "query-memory-devices"}
<- {"return": []}
-> {"execute": "query-memory-size-summary"}
<- {"return": {"base-memory": 268435456, "plugged-memory": 0}}
-> {"execute": "object-add", "arguments": {"qom-type": "memory-backend-ram", "id": "mem1", "size": 268435456}}
<- {"return": {}}
-> {"execute": "device_add", "arguments": {"driver": "pc-dimm", "id": "dimm1", "memdev": "mem1", "addr": 4294967296}}
<- {"return": {}}
-> {"execute": "query-memory-devices"}
<- {"return": [{"type": "dimm", "data": {"memdev": "/objects/mem1", "hotplugged": true, "addr": 4294967296, "hotpluggable": true, "size": 268435456, "slot": 0, "node": 0, "id": "dimm1"}}]}
-> {"execute": "query-memory-size-summary"}
<- {"return": {"base-memory": 268435456, "plugged-memory": 268435456}}
-> {"execute": "qom-get", "arguments": {"path": "/machine/peripheral/dimm1", "property": "addr"}}
<- {"return": 4294967296}
-> {"execute": "human-monitor-command", "arguments": {"command-line": "info memory-devices"}}
<- {"return": "Memory device [dimm]: \\"dimm1\\"\\r\\n  addr: 0x100000000\\r\\n  slot: 0\\r\\n  node: 0\\r\\n  size: 268435456\\r\\n  memdev: /objects/mem1\\r\\n  hotplugged: true\\r\\n  hotpluggable: true\\r\\n"}
`);
    expect(machine.dimms()).toHaveLength(1);
  });

  it('list the slots’ _OST and the backends', async () => {
    const { ask } = await talk('');
    const status = JSON.parse(await ask('{"execute": "query-acpi-ospm-status"}')).return;
    expect(status).toHaveLength(8);
    expect(status[7]).toEqual({ source: 0, status: 0, slot: '7', 'slot-type': 'DIMM' });
    const backends = JSON.parse(await ask('{"execute": "query-memdev"}')).return as { id: string }[];
    expect(backends.map((backend) => backend.id)).toContain('ram.a');
    const names = (JSON.parse(await ask('{"execute": "query-commands"}')).return as { name: string }[]).map((each) => each.name);
    for (const name of ['query-status', 'object-add', 'device_del', 'stop', 'quit', 'qom-get', 'human-monitor-command', 'query-version']) {
      expect(names).toContain(name);
    }
  });
});

describe('run state', () => {
  it('sends events before the answer, with the injected time', () =>
    talk(`-> {"execute": "cont"}
<- {"timestamp": {"seconds": 1795333964, "microseconds": 572500}, "event": "RESUME"}
<- {"return": {}}
-> {"execute": "cont"}
<- {"return": {}}
-> {"execute": "stop"}
<- {"timestamp": {"seconds": 1795333964, "microseconds": 572500}, "event": "STOP"}
<- {"return": {}}
-> {"execute": "stop"}
<- {"return": {}}
-> {"execute": "system_powerdown"}
<- {"timestamp": {"seconds": 1795333964, "microseconds": 572500}, "event": "POWERDOWN"}
<- {"return": {}}
-> {"execute": "system_reset"}
<- {"timestamp": {"seconds": 1795333964, "microseconds": 572500}, "event": "RESET", "data": {"guest": false, "reason": "host-qmp-system-reset"}}
<- {"return": {}}
`));

  it('quits after the answer', async () => {
    const { ask, env } = await talk('');
    const text = await ask('{"execute": "quit"}');
    expect(text).toContain('"event": "SHUTDOWN", "data": {"guest": false, "reason": "host-qmp-quit"}}\n{"return": {}}');
    expect(env.quits).toBe(1);
  });
});

describe('errors', () => {
  it('are QEMU’s, word for word', () =>
    talk(`-> {"execute": "query-status", "id": 5}
<- {"return": {"status": "prelaunch", "singlestep": false, "running": false}, "id": 5}
-> {"id": {"a": 1}, "execute": "foo"}
<- {"id": {"a": 1}, "error": {"class": "CommandNotFound", "desc": "The command foo has not been found"}}
-> {"execute": 5}
<- {"error": {"class": "GenericError", "desc": "QMP input member 'execute' must be a string"}}
-> {"execute": "query-status", "arguments": 5}
<- {"error": {"class": "GenericError", "desc": "QMP input member 'arguments' must be an object"}}
-> {"execute": "query-status", "arguments": {"a": 1}}
<- {"error": {"class": "GenericError", "desc": "Parameter 'a' is unexpected"}}
-> {"exec": "query-status"}
<- {"error": {"class": "GenericError", "desc": "QMP input member 'exec' is unexpected"}}
-> {"arguments": {}}
<- {"error": {"class": "GenericError", "desc": "QMP input lacks member 'execute'"}}
-> [1]
<- {"error": {"class": "GenericError", "desc": "QMP input must be a JSON object"}}
-> {bad}
<- {"error": {"class": "GenericError", "desc": "JSON parse error, invalid keyword 'bad'"}}
-> {"execute": "object-add"}
<- {"error": {"class": "GenericError", "desc": "Parameter 'qom-type' is missing"}}
-> {"execute": "object-add", "arguments": {"qom-type": 5}}
<- {"error": {"class": "GenericError", "desc": "Invalid parameter type for 'qom-type', expected: string"}}
-> {"execute": "object-add", "arguments": {"qom-type": "memory-backend-ram", "id": "m2"}}
<- {"error": {"class": "GenericError", "desc": "Parameter 'size' is missing"}}
-> {"execute": "object-add", "arguments": {"qom-type": "nope", "id": "m2"}}
<- {"error": {"class": "GenericError", "desc": "Parameter 'qom-type' does not accept value 'nope'"}}
-> {"execute": "object-add", "arguments": {"qom-type": "memory-backend-ram", "id": "a", "size": "1M"}}
<- {"error": {"class": "GenericError", "desc": "Parameter 'size' expects uint64"}}
-> {"execute": "object-add", "arguments": {"qom-type": "memory-backend-ram", "id": "1a", "size": 2097152}}
<- {"error": {"class": "GenericError", "desc": "Parameter 'id' expects an identifier"}}
-> {"execute": "object-del", "arguments": {"id": "nope"}}
<- {"error": {"class": "GenericError", "desc": "object 'nope' not found"}}
-> {"execute": "object-del"}
<- {"error": {"class": "GenericError", "desc": "Parameter 'id' is missing"}}
-> {"execute": "device_add"}
<- {"error": {"class": "GenericError", "desc": "Parameter 'driver' is missing"}}
-> {"execute": "device_add", "arguments": {"driver": "nope"}}
<- {"error": {"class": "GenericError", "desc": "'nope' is not a valid device model name"}}
-> {"execute": "device_add", "arguments": {"driver": "pc-dimm"}}
<- {"error": {"class": "GenericError", "desc": "'memdev' property must be set"}}
-> {"execute": "device_add", "arguments": {"driver": "pc-dimm", "memdev": "nope", "id": "d1"}}
<- {"error": {"class": "DeviceNotFound", "desc": "Device 'nope' not found"}}
-> {"execute": "object-add", "arguments": {"qom-type": "memory-backend-ram", "id": "a", "size": 2097152}}
<- {"return": {}}
-> {"execute": "device_add", "arguments": {"driver": "pc-dimm", "memdev": "a", "addr": "0x1000"}}
<- {"error": {"class": "GenericError", "desc": "address must be aligned to 0x200000 bytes"}}
-> {"execute": "device_add", "arguments": {"driver": "pc-dimm", "memdev": "a", "slot": "zz", "id": "d1"}}
<- {"error": {"class": "GenericError", "desc": "Parameter 'slot' expects integer"}}
-> {"execute": "device_del", "arguments": {"id": "nope"}}
<- {"error": {"class": "DeviceNotFound", "desc": "Device 'nope' not found"}}
-> {"execute": "qom-get", "arguments": {"path": "/machine/nope", "property": "x"}}
<- {"error": {"class": "DeviceNotFound", "desc": "Device '/machine/nope' not found"}}
-> {"execute": "human-monitor-command", "arguments": {"command-line": "foo"}}
<- {"return": "unknown command: 'foo'\\r\\n"}
-> {"execute": "human-monitor-command", "arguments": {"command-line": "info status", "cpu-index": 3}}
<- {"error": {"class": "GenericError", "desc": "Parameter 'cpu-index' expects a CPU number"}}
`));
});

describe('the stream', () => {
  it('takes values cut anywhere, several at once, and braces in strings', () => {
    const stream = new JsonStream(1000);
    expect(stream.push('{"a": "}{')).toEqual([]);
    expect(stream.push('\\"", "b": [1]} {"c": 2}{')).toEqual([{ value: { a: '}{"', b: [1] } }, { value: { c: 2 } }]);
    expect(stream.push('"d": 3}')).toEqual([{ value: { d: 3 } }]);
  });

  it('survives anything', () => {
    fc.assert(
      fc.property(
        fc.array(fc.string({ unit: fc.constantFrom('{', '}', '[', ']', '"', '\\', ':', ',', '1', 'a', '\n', ' ') })),
        (pieces) => {
          const stream = new JsonStream(1000);
          for (const piece of pieces) for (const item of stream.push(piece)) expect('value' in item || 'error' in item).toBe(true);
          // Whatever came before, a client that ends its line and closes every brace is understood again.
          stream.push(`\n${'}'.repeat(500)}\n`);
          expect(stream.push('{"a": 1}\n')).toEqual([{ value: { a: 1 } }]);
        },
      ),
      { seed: 20210202, numRuns: 300 },
    );
  });

  it('goes on after garbage and bounds its memory', () => {
    const stream = new JsonStream(1000);
    expect(stream.push('garbage\n{"a": 1}\n')).toEqual([{ error: "JSON parse error, invalid keyword 'garbage'" }, { value: { a: 1 } }]);
    expect(stream.push('}\n')).toHaveLength(1);
    expect(stream.push(`{"a": "${'x'.repeat(2000)}`)).toHaveLength(1);
    expect(stream.push('{"b": 2}')).toEqual([{ value: { b: 2 } }]);
  });
});
