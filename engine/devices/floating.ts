/**
 * Ports of devices that a PC has and this board lacks: reads return a constant, writes are ignored.
 * All ones is what an undriven ISA or PCI configuration bus reads; 0 at the keyboard status port says "no key, no error"
 * (all ones there would look like endless input).
 *
 * Not implemented: anything behind the ports.
 */
import { allOnes, StatelessDevice } from './state';

export class FloatingPorts extends StatelessDevice {
  constructor(
    readonly name: string,
    private readonly value: 0 | 0xffffffff,
    /** Receives writes, if the board needs them. */
    private readonly written: (value: number) => void = () => {},
  ) {
    super();
  }

  read(_offset: number, size: number): number {
    return this.value === 0 ? 0 : allOnes(size);
  }

  write(_offset = 0, _size = 1, value = 0): void {
    this.written(value);
  }

  peek(offset: number, size: number): number {
    return this.read(offset, size);
  }
}
