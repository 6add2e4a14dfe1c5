/** The guest linux-kvm under QEMU's TCG, on a processor with SVM: the same kernel and programs on an independent machine. */
import { type ChildProcessWithoutNullStreams, spawn, spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const QEMU = 'qemu-system-x86_64';
const PROMPT = '\nkvm# ';
/** ms for one command, or a boot */
const LIMIT = 600_000;

export const qemuInstalled = (): boolean => !spawnSync(QEMU, ['--version']).error;

export class QemuLinux {
  private text = '';
  private wake: (() => void) | undefined;

  private constructor(
    private readonly qemu: ChildProcessWithoutNullStreams,
    private readonly folder: string,
  ) {
    const more = (bytes?: Buffer): void => {
      this.text += bytes?.toString('latin1') ?? '';
      this.wake?.();
    };
    qemu.stdout.on('data', more);
    qemu.stderr.on('data', more);
    qemu.on('exit', () => more());
  }

  /** Boots to the prompt. */
  static async boot(bzImage: Uint8Array, initrd: Uint8Array, append: string): Promise<QemuLinux> {
    const folder = mkdtempSync(join(tmpdir(), 'qemu-linux-'));
    const [kernel, ram] = [join(folder, 'kernel'), join(folder, 'initrd')];
    writeFileSync(kernel, bzImage);
    writeFileSync(ram, initrd);
    const machine = '-accel tcg -cpu qemu64,+svm,+npt -m 512 -nodefaults -display none -no-reboot -serial stdio'.split(' ');
    const linux = new QemuLinux(spawn(QEMU, [...machine, '-kernel', kernel, '-initrd', ram, '-append', `${append} quiet`]), folder);
    await linux.prompt('boot');
    await linux.command('stty -echo');
    return linux;
  }

  /**
   * The output of a command. Nothing may be typed before the first prompt: firmware and kernel reset the serial port, and pending input is lost.
   */
  async command(line: string): Promise<string> {
    this.text = '';
    this.qemu.stdin.write(`${line}\n`);
    return await this.prompt(line);
  }

  private async prompt(what: string): Promise<string> {
    const end = Date.now() + LIMIT;
    while (!this.text.slice(-20).includes(PROMPT)) {
      if (this.qemu.exitCode !== null || Date.now() > end) throw new Error(`QEMU, ${what}: no prompt: ${this.text.slice(-300)}`);
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, LIMIT);
        this.wake = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return this.text.replaceAll('\r', '');
  }

  close(): void {
    this.qemu.kill('SIGKILL');
    rmSync(this.folder, { recursive: true, force: true });
  }
}
