/** The remote protocol's framing: $data#checksum, acknowledgements, escapes, and the byte of Ctrl-C. GDB manual, appendix E. */

/** Bytes of data in one packet, in either direction (PacketSize). */
export const MOST_DATA = 0x10000;

const DOLLAR = 0x24;
const HASH = 0x23;
const ESCAPE = 0x7d;
const STAR = 0x2a;
const INTERRUPT = 0x03;
const PLUS = 0x2b;
const MINUS = 0x2d;
const FLIP = 0x20;

export interface PacketHandler {
  /** A whole packet with the right sum, escapes undone. */
  packet(data: Uint8Array): void;
  /** A packet with more data than MOST_DATA; it is dropped. */
  tooLong(): void;
  interrupt(): void;
  send(bytes: Uint8Array): void;
}

/** Takes bytes as they come, in pieces of any size. */
export class PacketReader {
  acknowledge = true;
  private state: 'between' | 'data' | 'sum1' | 'sum2' = 'between';
  private readonly data = new Uint8Array(MOST_DATA);
  private length = 0;
  private sum = 0;
  private sent = '';
  private over = false;
  private last: Uint8Array | undefined;

  constructor(private readonly handler: PacketHandler) {}

  receive(bytes: Uint8Array): void {
    for (const byte of bytes) this.byte(byte);
  }

  /** A reply; kept until it is acknowledged. */
  reply(data: Uint8Array): void {
    const bytes = frame(data);
    this.last = this.acknowledge ? bytes : undefined;
    this.handler.send(bytes);
  }

  private byte(byte: number): void {
    switch (this.state) {
      case 'between':
        if (byte === DOLLAR) this.begin();
        else if (byte === INTERRUPT) this.handler.interrupt();
        else if (byte === MINUS && this.last) this.handler.send(this.last);
        else if (byte === PLUS) this.last = undefined;
        return;
      case 'data':
        if (byte === HASH) this.state = 'sum1';
        // The packet before was cut off.
        else if (byte === DOLLAR) this.begin();
        else {
          this.sum = (this.sum + byte) & 255;
          if (this.length < MOST_DATA) this.data[this.length++] = byte;
          else this.over = true;
        }
        return;
      case 'sum1':
        this.sent = String.fromCharCode(byte);
        this.state = 'sum2';
        return;
      case 'sum2':
        this.state = 'between';
        this.end(this.sent + String.fromCharCode(byte));
    }
  }

  private begin(): void {
    this.state = 'data';
    this.length = 0;
    this.sum = 0;
    this.over = false;
  }

  private end(sent: string): void {
    const right = /^[0-9a-fA-F]{2}$/.test(sent) && Number.parseInt(sent, 16) === this.sum;
    if (this.acknowledge) this.handler.send(Uint8Array.of(right ? PLUS : MINUS));
    if (!right) return;
    if (this.over) this.handler.tooLong();
    else this.handler.packet(unescaped(this.data.subarray(0, this.length)));
  }
}

function unescaped(data: Uint8Array): Uint8Array {
  const result = new Uint8Array(data.length);
  let length = 0;
  for (let at = 0; at < data.length; at++) {
    const byte = data[at]!;
    result[length++] = byte === ESCAPE && at + 1 < data.length ? data[++at]! ^ FLIP : byte;
  }
  return result.slice(0, length);
}

function frame(data: Uint8Array): Uint8Array {
  const bytes: number[] = [DOLLAR];
  let sum = 0;
  const put = (byte: number): void => {
    sum = (sum + byte) & 255;
    bytes.push(byte);
  };
  for (const byte of data) {
    if (byte !== DOLLAR && byte !== HASH && byte !== ESCAPE && byte !== STAR) put(byte);
    else {
      put(ESCAPE);
      put(byte ^ FLIP);
    }
  }
  const digits = sum.toString(16).padStart(2, '0');
  bytes.push(HASH, digits.charCodeAt(0), digits.charCodeAt(1));
  return Uint8Array.from(bytes);
}

export const textOf = (bytes: Uint8Array): string => Array.from(bytes, (byte) => String.fromCharCode(byte)).join('');
export const bytesOf = (text: string): Uint8Array => Uint8Array.from(text, (letter) => letter.charCodeAt(0) & 255);

export function toHex(bytes: Iterable<number>): string {
  let text = '';
  for (const byte of bytes) text += byte.toString(16).padStart(2, '0');
  return text;
}
/** undefined: it is not an even number of hexadecimal digits. */
export function fromHex(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0 || /[^0-9a-fA-F]/.test(text)) return undefined;
  return Uint8Array.from({ length: text.length / 2 }, (_unused, i) => Number.parseInt(text.slice(2 * i, 2 * i + 2), 16));
}
