/** Debian's own KVM inside the lab: it loads, and a nested guest runs, falls into the hole, and dirties pages. */
import { beforeAll, describe, expect, it } from 'vitest';
import { breakpointsOf } from '../../engine/debug/index';
import { Monitor } from '../../engine/monitor/index';
import { testEnv } from '../../engine/monitor/testing';
import { plugForShaking, shaken } from '../soak/shaken';
import { compareAnswers } from '../support/kvm-answers';
import { Random } from '../support/random';
import { GIB, Guest, MIB } from './harness';
import { Linux, linuxImage, missingKvm } from './linux';

const KVM = { ram: 256 * MIB, slots: 8, maxmem: 4 * GIB, cpu: 'lab64-svm', smp: 2 } as const;

/** The end of an exchange's output, and the prompt after it. */
const DONE = 'KVM_EXIT_MMIO)\r\nkvm# ';

if (missingKvm) console.warn(`left out: ${missingKvm}`);

describe.skipIf(missingKvm)('linux-kvm', () => {
  let linux: Linux;

  beforeAll(async () => {
    linux = await Linux.boot({ variant: 'linux-kvm', bootLimit: 3e9, smp: 2 });
  });

  /** Runs until a stretch ends while the nested guest of an exchange reads, rather than its host; returns the vCPU. */
  function untilNested(): number {
    const { guest } = linux;
    guest.type("kvm-memslots 'create 0 0x10000 64K' 'create 1 0x20000 64K' 'exchange 0 1 40'\r");
    const reads = (vcpu: number): boolean => guest.machine.inspect.registers(vcpu).gpr[6] === 0x10000n;
    for (let stretch = 0; stretch < 2000; stretch++) {
      const vcpu = [0, 1].find(reads);
      if (vcpu !== undefined) return vcpu;
      guest.machine.run.advance(20_000);
    }
    throw new Error('the nested guest never ran at the end of a stretch');
  }

  it('has loaded kvm-amd with nested paging, without a warning', () => {
    expect(linux.complaints()).toEqual([]);
    expect(linux.sh('dmesg | grep -c "kvm: Nested Paging enabled"')).toBe('1');
    expect(linux.sh('cat /sys/module/kvm_amd/parameters/npt /sys/module/kvm_amd/parameters/nrips; ls /dev/kvm')).toBe('Y\n1\n/dev/kvm');
  });

  it('has two processors whose time stamp counters Linux finds synchronized', () => {
    expect(linux.sh('nproc; grep "physical id" /proc/cpuinfo; cat /sys/devices/system/clocksource/clocksource0/current_clocksource')).toBe(
      '2\nphysical id\t: 0\nphysical id\t: 0\ntsc',
    );
  });

  it('has symbols for its modules, the same as its own kallsyms, and backtraces through them', async () => {
    const { guest } = linux;
    const monitor = new Monitor(guest.machine, testEnv());
    expect(await monitor.execute('symbol')).toMatch(/^Linux in memory: \d+ symbols\n3 modules in memory: \d{4} symbols\n$/);
    const kallsyms = linux.sh('grep -E " (svm_vcpu_run|kvm_vm_ioctl|irq_bypass_register_consumer)\\b" /proc/kallsyms').split('\n');
    expect(kallsyms).toHaveLength(3);
    for (const row of kallsyms) {
      const [, address, name, module] = /^(\w+) [tT] (\w+)\s+\[(\w+)\]$/.exec(row)!;
      expect(await monitor.execute(`symbol ${name}`)).toBe(`${name} 0x${address}\n`);
      expect(await monitor.execute(`symbol ${name}+1`)).toBe(`0x${(BigInt(`0x${address}`) + 1n).toString(16)} ${name}+0x1 [${module}]\n`);
    }
    expect(await monitor.execute('x /1i svm_vcpu_run')).toMatch(/^svm_vcpu_run \[kvm_amd\]:\n/);
    await monitor.execute('breakpoint_add gva=svm_vcpu_run,once=on');
    guest.type("kvm-memslots 'create 0 0x10000 64K' 'read 0x10000'\r");
    for (let rounds = 0; guest.machine.run.state === 'running' && rounds < 300; rounds++) guest.machine.run.advance(1e7);
    expect(guest.machine.run.state).toBe('paused');
    const { stop } = breakpointsOf(guest.machine);
    const trace = await monitor.execute(`info backtrace ${stop!.vcpu}`);
    await monitor.execute('cont');
    guest.until('kvm# ', 3e9);
    // From one module through the other into the kernel and up to its entry: no frame is a guess.
    const frames = trace.split('\n').map((line) => line.replace(/^#\d+ +0x\w+ /, '').replace(/\+0x\w+/, ''));
    expect(frames[0]).toBe('svm_vcpu_run [kvm_amd]');
    expect(frames[1]).toMatch(/^\w+ \[kvm\] \(ORC\)$/);
    for (const each of ['kvm_arch_vcpu_ioctl_run [kvm] (ORC)', 'kvm_vcpu_ioctl [kvm] (ORC)', 'do_syscall_64 (ORC)'])
      expect(frames).toContain(each);
    expect(trace).not.toContain('guess');
  });

  it('runs two virtual machines at once, one on each processor', () => {
    const command = "kvm-memslots 'create 0 0x10000 64K' 'create 1 0x20000 64K' 'exchange 0 1 25' 'read 0x10000'";
    const text = linux.sh(`taskset 1 ${command} > /tmp/1 & taskset 2 ${command} > /tmp/2; wait; cat /tmp/1 /tmp/2`, 4e9);
    expect(text.match(/25 exchanges by 100 ioctls, .* the nested guest read [1-9]\d* times .*\n0x11/g)).toHaveLength(2);
  });

  it('runs a nested guest that reads and writes through its memslots, and logs the pages that it dirties', () => {
    const commands = [
      'create 0 0x10000 64K',
      'create 1 0x20000 64K -l',
      'dirty 1',
      'read 0x10000',
      'write 0x25000',
      'dirty 1',
      'read 0x50000',
    ];
    const lines = linux.sh(`kvm-memslots ${commands.map((command) => `'${command}'`).join(' ')}`).split('\n');
    expect(lines.slice(2)).toEqual(['no page is dirty', '0x10', 'done', 'dirty: 0x25000', 'a hole: KVM_EXIT_MMIO']);
  });

  it('lets it fall into the hole that four ioctls leave', () => {
    const text = linux.sh("kvm-memslots 'create 0 0x10000 64K' 'create 1 0x20000 64K' 'exchange 0 1 21' 'read 0x10000'");
    expect(text).toMatch(/\n21 exchanges by 84 ioctls, .* fell into the hole [1-9]\d* times \(KVM_EXIT_MMIO\)\n0x11$/);
  });

  it('runs code in six modes as without nesting: ports, MMIO, interrupts, NMIs and a timer, on one vCPU and on two', () => {
    const [one, two] = [linux.sh('kvm-modes 20261130 220', 4e9), linux.sh('kvm-modes 20261131 120 2', 4e9)];
    for (const text of [one, two]) expect(text).toMatch(/\nno register differs$/);
    const count = (what: string): number => Number(new RegExp(`(\\d+) ${what}`).exec(one)?.[1]);
    for (const what of ['ports', 'MMIO']) expect(count(what), what).toBeGreaterThan(1000);
    for (const what of ['interrupts', 'NMIs', 'timer ticks']) expect(count(what), what).toBeGreaterThan(30);
  });

  it('answers random calls as the engine does', () => {
    const lines = linux.sh('kvm-fuzz 20261130 800').split('\n');
    const { calls, difference } = compareAnswers(lines, { physAddrBits: 46, index: 'btree' });
    expect(difference).toBeUndefined();
    expect(calls).toBeGreaterThan(800);
    expect(linux.complaints()).toEqual([]);
  });

  it('shows the walk through both levels of tables, and which of the machine’s memory belongs to the nested guest', () => {
    const vcpu = untilNested();
    const { inspect } = linux.machine;
    const { mode, nested, steps, page } = inspect.pageWalk(0xf000n, vcpu);
    expect({ mode, nested: nested?.mode }).toEqual({ mode: 'off', nested: '4-level' });
    expect(steps.map(({ name, nested: byHost }) => byHost && name)).toEqual(['PML4E', 'PDPTE', 'PDE', 'PTE']);
    expect(page).toMatchObject({ nestedGpa: 0xf000, gpa: inspect.translate(0xf000n, vcpu) });
    const own = inspect.nestedGuests().find((each) => each.vcpu === vcpu)!;
    expect(own).toMatchObject({ running: true, ncr3: nested?.ncr3, mode: '4-level', whole: true });
    expect(own.memory.some(({ start, end }) => page!.gpa >= start && page!.gpa < end)).toBe(true);
    // After its last exit its memory is still known, until the VM is closed.
    for (let i = 0; i < 200 && inspect.nestedGuests().some((each) => each.running); i++) linux.machine.run.advance(997);
    expect(inspect.nestedGuests()).toContainEqual({ ...own, running: false, memory: expect.anything() });
    linux.guest.until(DONE, 2e9);
    expect(inspect.nestedGuests().flatMap(({ memory }) => memory)).toEqual([]);
  });

  it('ends in the same state from a snapshot taken inside its nested guest, and in both tiers', async () => {
    const { guest } = linux;
    untilNested();
    const other = await Guest.boot({ ...KVM, accel: 'interp', guest: linuxImage(undefined, false, 'linux-kvm') });
    other.machine.snapshot.restore(guest.machine.snapshot.capture());
    for (const { machine } of [guest, other]) machine.run.advance(3_000_000);
    expect(await other.machine.digest()).toBe(await guest.machine.digest());
    guest.until(DONE, 2e9);
  });

  it('computes the same results while the machine’s own memslots change under it', async () => {
    plugForShaking(linux, 'online_movable');
    const { output, under } = await shaken(linux, 'kvm-modes 20261204 150 2', new Random(20261204), 2_000_000);
    expect(output).toMatch(/\nno register differs/);
    expect(under).toBeGreaterThan(20);
    expect(linux.complaints()).toEqual([]);
  });
});
