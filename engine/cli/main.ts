/** The headless `lab`: builds a machine from flags, connects it to the process's streams and runs it until something ends it. */
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
// The program is one file, with what a machine that compiles loads.
import '../jit/index';
import type { Machine, MachineEvent, Runner } from '../machine/index';
import { cpuHelp, createMachine, MachineError } from '../machine/index';
import { CommitLog, Monitor, type MonitorEnv } from '../monitor/index';
import { layoutFormat, snapshotFormat } from '../snapshot/index';
import { attachDebugcon, attachMonitor, attachQmp, attachSerial, type Desk } from './attach';
import { FlagError } from './chardev-flag';
import { type LabProcess, type Opened, openChardev } from './connection';
import { errnoText } from './errno';
import { type LabFlags, parseFlags } from './flags';
import { GdbServer } from './gdb-server';
import { chooseGuest, type GuestChoice } from './guest-files';
import { HELP } from './help';
import { layoutFolder, layoutStore } from './layout-store';
import { nodeRunner, turn } from './node-runner';
import { Recording } from './recording';
import { checkTarget } from './regular-file';
import { playReplay } from './replay';
import { snapshotStore } from './snapshot-store';
import { loadSymbols } from './symbols';
import { checkWritable } from './whole-file';

/** Where `npm start` serves the page: the base of links from `share`. */
const LINK_BASE = 'http://localhost:4173/';

/**
 * root: the project's folder. prepare: builds what is missing there (core.wasm, guest images); called if the flags are valid. Resolves to the exit
 * status, after closing everything that was opened.
 */
export async function main(argv: readonly string[], root: string, host: LabProcess, prepare: () => Promise<void>): Promise<number> {
  try {
    const flags = parseFlags(argv);
    if (flags === 'help' || flags === 'cpu-help') {
      host.stdout.write(flags === 'help' ? HELP : cpuHelp());
      return 0;
    }
    await prepare();
    const { replay } = flags;
    if (replay !== undefined) return await playReplay({ ...flags, replay }, root, host, wallClock);
    return await new Lab(flags, host).run(root);
  } catch (error) {
    if (!(error instanceof FlagError) && !(error instanceof MachineError)) throw error;
    host.stderr.write(`lab: ${error.message}\n`);
    return 1;
  }
}

/** Wall clock, ms since 1970, that never runs backwards. */
const wallClock = (): number => performance.timeOrigin + performance.now();

/** memsave and pmemsave. The message is only the reason. */
async function saveFile(name: string, bytes: Uint8Array): Promise<void> {
  await checkTarget(name);
  try {
    await writeFile(name, bytes);
  } catch (error) {
    throw new Error(errnoText(error));
  }
}

/** An opened CHARDEV and its use. */
interface Join {
  opened: Opened;
  attach: (desk: Desk, opened: Opened) => void;
}

class Lab {
  private readonly undos: (() => void)[] = [];
  private running = true;
  private failure: unknown;
  private finish: (status: number) => void = () => {};
  private readonly finished = new Promise<number>((resolve) => {
    this.finish = (status) => {
      this.running = false;
      resolve(status);
    };
  });

  constructor(
    private readonly flags: LabFlags,
    private readonly host: LabProcess,
  ) {}

  async run(root: string): Promise<number> {
    try {
      this.followSignals();
      const started = this.start(root);
      // A signal ends lab even while files are read and the machine is built.
      started.catch(() => {});
      const run = await Promise.race([started, this.finished]);
      return typeof run === 'number' ? run : await run();
    } finally {
      // A stream reports the failure of its last write one turn later.
      await turn();
      for (const undo of this.undos.reverse()) undo();
    }
  }

  /** Opens and builds everything, then runs until something ends it. */
  private async start(root: string): Promise<() => Promise<number>> {
    const { record, paused } = this.flags;
    if (record !== undefined) await checkWritable('-record', record);
    const joins = await this.openAll();
    const gdb = await this.openGdb();
    const choice = await chooseGuest(this.flags, root);
    const machine = await this.makeMachine(root, choice);
    if (this.flags.symbols !== undefined) await loadSymbols(machine, this.flags.symbols);
    const runner = this.makeRunner(machine);
    const commits = new CommitLog(machine, wallClock);
    const makeFresh = (): Promise<Machine> => this.makeMachine(root, choice);
    const tell = (text: string): void => void this.host.stderr.write(`lab: ${text}\n`);
    const recording =
      record === undefined && !this.goesBack
        ? undefined
        : new Recording({
            ...(record !== undefined && { path: record }),
            machine,
            runner,
            commits,
            makeFresh,
            linkBase: LINK_BASE,
            wallClock,
            tell,
          });
    if (this.goesBack) recording?.keepHistory();
    if (paused) (recording ?? machine.run).stop();
    const server = this.makeGdb(machine, runner, recording, () => desk);
    const desk = this.makeDesk(machine, commits, recording, server);
    await this.loadSnapshot(desk);
    for (const { opened, attach } of joins) attach(desk, opened);
    if (gdb) server.serve(gdb);
    machine.subscribe((event) => this.machineEvent(desk, event));
    await Promise.all([...joins.map(({ opened }) => opened.ready), gdb?.ready]);
    return () => this.runUntilFinished(machine, runner, recording);
  }

  private async makeMachine(root: string, { guest, memory, cpu }: GuestChoice): Promise<Machine> {
    const { smp, accel, dirtyRing, index, debugExit, objects, virtio } = this.flags;
    const core = new Uint8Array(await readFile(join(root, 'build/core.wasm')));
    return createMachine({
      ...memory,
      smp,
      ...(cpu && { cpu }),
      accel,
      core,
      guest,
      wallClock,
      ...(objects && { objects }),
      ...(virtio && { virtio }),
      ...(dirtyRing && { dirtyRing: { entries: dirtyRing } }),
      ...(index && { index }),
      ...(debugExit && { debugExitPort: debugExit.port, debugExitSize: debugExit.size }),
    });
  }

  private makeDesk(machine: Machine, commits: CommitLog, recording: Recording | undefined, gdb: GdbServer): Desk {
    const quit = (): void => this.finish(0);
    const env: MonitorEnv = {
      layouts: layoutStore(layoutFolder(this.host.env)),
      format: layoutFormat,
      ...(this.flags.snapshots !== undefined && { snapshots: snapshotStore(this.flags.snapshots) }),
      snapshotFormat,
      linkBase: LINK_BASE,
      quit,
      wallClock,
      writeFile: saveFile,
      gdbserver: (device) => gdb.command(device),
      commits,
      ...recording?.env,
    };
    return {
      machine,
      stdio: this.host,
      env,
      serial: recording?.serial ?? machine.serial,
      makeMonitor: (each) => recording?.makeMonitor(each) ?? new Monitor(machine, each),
      wallClock,
      alive: () => this.running,
      quit,
      atEnd: (undo) => this.undos.push(undo),
    };
  }

  /** Opens everything before anything is attached, so that a wrong path leaves nothing half-connected. */
  private async openAll(): Promise<Join[]> {
    const { serial, monitors, qmps, debugcon } = this.flags;
    const joins: Join[] = [];
    const open = async (flag: string, chardev: LabFlags['serial'], attach: Join['attach']): Promise<void> => {
      const opened = await openChardev(flag, chardev, this.host);
      this.undos.push(() => opened.close());
      joins.push({ opened, attach });
    };
    await open('-serial', serial, attachSerial);
    if (debugcon) await open('-debugcon', debugcon, attachDebugcon);
    for (const qmp of qmps) await open('-qmp', qmp, attachQmp);
    for (const monitor of monitors) await open('-monitor', monitor, attachMonitor);
    return joins;
  }

  /** Records everything that may reach the machine, so that gdb can go back over it. */
  private get goesBack(): boolean {
    const { gdb, qmps, monitors, dirtyRing } = this.flags;
    return gdb !== undefined && qmps.length === 0 && monitors.length <= 1 && dirtyRing === undefined;
  }

  private async openGdb(): Promise<Opened | undefined> {
    const { gdb } = this.flags;
    if (!gdb) return undefined;
    const opened = await GdbServer.open(gdb, this.host);
    this.undos.push(() => opened.close());
    return opened;
  }

  private makeGdb(machine: Machine, runner: Runner, recording: Recording | undefined, desk: () => Desk): GdbServer {
    let monitor: Monitor | undefined;
    const server = new GdbServer(
      {
        machine,
        hold: () => runner.hold(),
        stop: () => (recording ?? machine.run).stop(),
        cont: () => (recording ?? machine.run).cont(),
        changed: (what) => recording?.cut(`gdb wrote ${what}`),
        monitor: (line) => {
          monitor ??= desk().makeMonitor(desk().env);
          return monitor.execute(line);
        },
        turn,
        wallClock,
        quit: () => this.finish(0),
        get backwards() {
          return recording?.backwards;
        },
      },
      this.host,
    );
    this.undos.push(() => server.close());
    void this.finished.then((status) => server.exited(status));
    return server;
  }

  /** -loadvm. */
  private async loadSnapshot({ machine, env }: Desk): Promise<void> {
    const { loadvm } = this.flags;
    if (loadvm === undefined) return;
    const unreadable = (error: Error): never => {
      throw new FlagError(`-loadvm ${loadvm}: ${error.message}`);
    };
    const bytes = await env.snapshots?.get(loadvm).catch(unreadable);
    if (!bytes) throw new FlagError(`-loadvm ${loadvm}: Snapshot '${loadvm}' does not exist in ${this.flags.snapshots}`);
    const reason = await env.snapshotFormat?.load(machine, bytes);
    if (reason !== undefined) throw new FlagError(`-loadvm ${loadvm}: ${reason}`);
  }

  private followSignals(): void {
    const end = (): void => this.finish(0);
    for (const signal of ['SIGTERM', 'SIGINT', 'SIGHUP'] as const) {
      this.host.on(signal, end);
      this.undos.push(() => this.host.off(signal, end));
    }
    let said = false;
    const broken = (error: NodeJS.ErrnoException): void => {
      // The reader has closed the pipe (lab | head): end silently.
      if (error.code === 'EPIPE') end();
      else if (!said) {
        said = true;
        this.host.stderr.write(`lab: stdout: ${errnoText(error)}: output is dropped\n`);
      }
    };
    this.host.stdout.on('error', broken);
    this.undos.push(() => this.host.stdout.off('error', broken));
    // Failing to print a message does not end lab.
    const unread = (): void => {};
    this.host.stderr.on?.('error', unread);
    this.undos.push(() => this.host.stderr.off?.('error', unread));
  }

  private machineEvent(desk: Desk, event: MachineEvent): void {
    if (event.type === 'quit') this.finish(event.status & 0xff);
    else if (event.type === 'state' && (event.state === 'shutdown' || event.state === 'internal-error'))
      void this.guestDied(desk, event.state);
  }

  private async guestDied(desk: Desk, state: 'shutdown' | 'internal-error'): Promise<void> {
    // A power-off is also a shutdown, and is reported right after this.
    await turn();
    if (!this.running) return;
    const what = state === 'shutdown' ? 'shut down by a triple fault' : 'executed where no memory is mapped';
    const { print: _none, ...env } = desk.env;
    const registers = await new Monitor(desk.machine, env).execute('info registers');
    this.host.stderr.write(`lab: the guest ${what}; its registers:\n${registers}`);
    const reachable = [...this.flags.monitors, ...this.flags.qmps].some((chardev) => chardev.kind !== 'null');
    if (!reachable) this.finish(1);
  }

  private makeRunner(machine: Machine): Runner {
    return nodeRunner(machine, wallClock, (error) => {
      this.failure = error;
      this.finish(1);
    });
  }

  private async runUntilFinished(machine: Machine, runner: Runner, recording: Recording | undefined): Promise<number> {
    runner.start();
    let status = await this.finished;
    if (recording && this.flags.record !== undefined && !this.failure) status = (await this.writeRecording(runner, recording)) ? status : 1;
    machine.run.stop();
    await runner.end();
    if (this.failure) throw this.failure;
    return status;
  }

  /** Prints an error and returns false if there is none. */
  private async writeRecording(runner: Runner, recording: Recording): Promise<boolean> {
    const release = runner.hold();
    try {
      await recording.write();
      return true;
    } catch (error) {
      this.host.stderr.write(`lab: -record ${this.flags.record}: ${(error as Error).message}\n`);
      return false;
    } finally {
      release();
    }
  }
}
