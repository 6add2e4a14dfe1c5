/** QMP, with the answers of tr-qmp of the reference and of QEMU 7.2 itself. */
import { describe, expect, it } from 'vitest';
import { QmpSession } from './qmp';
import { testMonitor } from './testing';

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

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
    qmp.receive(bytesOf(`${text}\n`));
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
    expect(machine.dimms.list()).toHaveLength(1);
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

describe('an id', () => {
  it('is returned unchanged: large numbers, fractions, any character, in ASCII', () =>
    talk(`-> {"execute": "query-name", "id": 18446744073709551615}
<- {"return": {}, "id": 18446744073709551615}
-> {"execute": "query-name", "id": -9223372036854775808}
<- {"return": {}, "id": -9223372036854775808}
-> {"execute": "query-name", "id": 9007199254740993}
<- {"return": {}, "id": 9007199254740993}
-> {"execute": "query-name", "id": 0.1}
<- {"return": {}, "id": 0.10000000000000001}
-> {"execute": "query-name", "id": 1.5e3}
<- {"return": {}, "id": 1500}
-> {"execute": "query-name", "id": 1e-7}
<- {"return": {}, "id": 9.9999999999999995e-08}
-> {"execute": "query-name", "id": 18446744073709551616}
<- {"return": {}, "id": 1.8446744073709552e+19}
-> {'execute': 'query-name', 'id': 'it\\'s'}
<- {"return": {}, "id": "it's"}
-> {"execute": "query-name", "id": "ä€𝄞\\u0000\\ud834\\udd1e"}
<- {"return": {}, "id": "\\u00E4\\u20AC\\uD834\\uDD1E\\u0000\\uD834\\uDD1E"}
-> {"execute": "query-name", "id": {"b": 1, "a": [true, null, {}], "__proto__": 3}}
<- {"return": {}, "id": {"__proto__": 3, "a": [true, null, {}], "b": 1}}
`));
});

describe('a command that is broken off', () => {
  it.each([
    ['\u00ff', 0xff],
    ['\u0001', 0x01],
  ])('ends with one error at %j, and the next is served', async (_what, byte) => {
    const { qmp, sent, ask } = await session();
    await ask('{"execute": "qmp_capabilities"}');
    sent.length = 0;
    qmp.receive(bytesOf('{"execute":"query-st'));
    qmp.receive(Uint8Array.of(byte));
    await qmp.idle();
    const shown = byte === 0xff ? '\\uFFFD' : '\\u0001';
    expect(sent).toEqual([`{"error": {"class": "GenericError", "desc": "JSON parse error, stray '\\"query-st${shown}'"}}`]);
    expect(await ask('\n{"execute": "query-name", "id": 1}')).toBe('{"return": {}, "id": 1}');
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

  it('does not report the stop caused by a quit', async () => {
    const { machine, sent } = await talk(`-> {"execute": "cont"}
<- {"timestamp": {"seconds": 1795333964, "microseconds": 572500}, "event": "RESUME"}
<- {"return": {}}
-> {"execute": "quit"}
<- {"timestamp": {"seconds": 1795333964, "microseconds": 572500}, "event": "SHUTDOWN", "data": {"guest": false, "reason": "host-qmp-quit"}}
<- {"return": {}}
`);
    sent.length = 0;
    machine.run.stop();
    expect(sent).toEqual([]);
  });
});

describe('errors', () => {
  it('come before anything is done, in the order of QEMU’s checks', () =>
    talk(`-> {"execute": "query-status", "foo": 1, "bar": 2}
<- {"error": {"class": "GenericError", "desc": "QMP input member 'bar' is unexpected"}}
-> {"exec-oob": "query-status", "execute": "query-status"}
<- {"error": {"class": "GenericError", "desc": "QMP input member 'exec-oob' is unexpected"}}
-> {"execute": "query-status", "execute": "query-name"}
<- {"error": {"class": "GenericError", "desc": "JSON parse error, duplicate key"}}
-> {"execute": "object-add", "arguments": {"qom-type": "memory-backend-ram", "id": "a", "size": 2097152.0}}
<- {"error": {"class": "GenericError", "desc": "Parameter 'size' expects uint64"}}
-> {"execute": "balloon", "arguments": {"value": 1.5}}
<- {"error": {"class": "GenericError", "desc": "Invalid parameter type for 'value', expected: integer"}}
-> {"execute": "balloon", "arguments": {"value": 1000000}}
<- {"error": {"class": "DeviceNotActive", "desc": "No balloon device has been activated"}}
-> {"execute": "query-balloon"}
<- {"error": {"class": "DeviceNotActive", "desc": "No balloon device has been activated"}}
`));

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
<- {"error": {"class": "GenericError", "desc": "address must be aligned to 0x200000 bytes (nearest address: 0x10000000)"}}
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
