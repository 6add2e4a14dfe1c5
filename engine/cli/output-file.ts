/** A file that a chardev writes to. Output that cannot be written is dropped and reported once: the guest runs on, as with QEMU. */
import { closeSync, constants, openSync, writeSync } from 'node:fs';
import { errnoText } from './errno';

/** Most bytes that wait for a FIFO's reader or a terminal; further output is dropped. */
const MOST_WAITING = 16 * 2 ** 20;
const AT_ONCE = 1 << 16;
const RETRY_MS = 10;

/** Truncated when opened. Opening never waits: a FIFO without a reader is an error (ENXIO). */
export function openForOutput(path: string): number {
  return openSync(path, constants.O_WRONLY | constants.O_CREAT | constants.O_TRUNC | constants.O_NONBLOCK, 0o666);
}

/** Collects small writes (a debug console sends single bytes) until the thread is idle. */
export class OutputFile {
  private parts: Uint8Array[] = [];
  private length = 0;
  private scheduled = false;
  private closed = false;
  private said = false;

  /** `lost`: called at most once, with the reason, when output is dropped. */
  constructor(
    private readonly file: number,
    private readonly lost: (reason: string) => void,
  ) {}

  write(data: string | Uint8Array): void {
    if (this.closed) return;
    const bytes = typeof data === 'string' ? Buffer.from(data) : data;
    if (this.length + bytes.length > MOST_WAITING) {
      this.drop('its reader is too slow');
      return;
    }
    this.parts.push(bytes);
    this.length += bytes.length;
    if (this.length >= AT_ONCE && !this.scheduled) this.flush();
    else this.schedule(() => setImmediate(() => this.again()));
  }

  close(): void {
    this.flush();
    this.closed = true;
    closeSync(this.file);
  }

  private schedule(later: () => void): void {
    if (this.scheduled) return;
    this.scheduled = true;
    later();
  }

  private again(): void {
    this.scheduled = false;
    if (!this.closed) this.flush();
  }

  private flush(): void {
    if (this.length === 0) return;
    const bytes = this.parts.length === 1 ? this.parts[0]! : Buffer.concat(this.parts);
    let done = 0;
    try {
      while (done < bytes.length) done += writeSync(this.file, bytes, done);
      this.parts = [];
      this.length = 0;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EAGAIN') {
        this.drop(errnoText(error));
        return;
      }
      this.parts = [bytes.subarray(done)];
      this.length = bytes.length - done;
      this.schedule(() => setTimeout(() => this.again(), RETRY_MS));
    }
  }

  /** The next output is tried again: the disk may have room, or a reader may be back. */
  private drop(reason: string): void {
    this.parts = [];
    this.length = 0;
    if (this.said) return;
    this.said = true;
    this.lost(reason);
  }
}
