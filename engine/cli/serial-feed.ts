/** Input for the guest's serial line from peers with flow control: input that the line does not accept makes its peer wait, and nothing is lost. */
import type { SerialConsole } from '../machine/index';
import type { Connection } from './connection';

export class SerialFeed {
  private rest: Uint8Array[] = [];
  private readonly paused = new Set<Connection>();

  constructor(private readonly serial: Pick<SerialConsole, 'input' | 'onRoom'>) {
    // `room` is called in the middle of the guest's read.
    serial.onRoom(() => setImmediate(() => this.offer()));
  }

  give(bytes: Uint8Array, from: Connection): void {
    if (bytes.length === 0) return;
    this.rest.push(bytes);
    // After input that already waits for room.
    if (this.rest.length === 1) this.offer();
    if (this.rest.length === 0) return;
    this.paused.add(from);
    from.pause();
  }

  private offer(): void {
    while (this.rest.length > 0) {
      const bytes = this.rest[0]!;
      const taken = this.serial.input(bytes);
      if (taken < bytes.length) {
        this.rest[0] = bytes.subarray(taken);
        return;
      }
      this.rest.shift();
    }
    for (const connection of this.paused) connection.resume();
    this.paused.clear();
  }
}
