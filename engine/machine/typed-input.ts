/** Input that a person types or pastes for the guest. There is no flow control for a person: what the serial line does not take is dropped and reported. */
import type { SerialConsole } from './api';

export class TypedInput {
  private dropped = 0;
  private full = false;

  constructor(
    private readonly serial: Pick<SerialConsole, 'input' | 'onRoom'>,
    private readonly say: (text: string) => void,
  ) {
    serial.onRoom(() => this.hasRoom());
  }

  give(bytes: Uint8Array): void {
    const lost = bytes.length - this.serial.input(bytes);
    if (lost === 0) return;
    this.dropped += lost;
    if (this.full) return;
    this.full = true;
    this.say(`Console input: 1 MiB is waiting for the guest, which does not read it; ${amount(lost)} dropped.`);
    this.dropped = 0;
  }

  private hasRoom(): void {
    this.full = false;
    if (this.dropped > 0) this.say(`Console input: ${amount(this.dropped, 'more ')} dropped; the guest accepts input again.`);
    this.dropped = 0;
  }
}

const amount = (bytes: number, more = ''): string => (bytes === 1 ? `1 byte ${more}was` : `${bytes} bytes ${more}were`);
