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
  /** A whole packet with the right checksum, unescaped. */
  packet(data: Uint8Array): void;
  /** A packet with more data than MOST_DATA, dropped. */
  tooLong(): void;
  interrupt(): void;
  send(bytes: Uint8Array): void;
}

/** Parses bytes in pieces of any size. */
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

  /** Sends a reply and keeps it until it is acknowledged. */
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
        // The previous packet was cut off.
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
  const bytes = new Uint8Array(2 * data.length + 4);
  bytes[0] = DOLLAR;
  let length = 1;
  let sum = 0;
  for (const byte of data) {
    const escaped = byte === DOLLAR || byte === HASH || byte === ESCAPE || byte === STAR;
    if (escaped) {
      bytes[length++] = ESCAPE;
      sum += ESCAPE;
    }
    const sent = escaped ? byte ^ FLIP : byte;
    bytes[length++] = sent;
    sum += sent;
  }
  const digits = HEX[sum & 255]!;
  bytes[length++] = HASH;
  bytes[length++] = digits.charCodeAt(0);
  bytes[length++] = digits.charCodeAt(1);
  return bytes.subarray(0, length);
}

/** Of each byte, two digits. */
const HEX = Array.from({ length: 256 }, (_unused, byte) => byte.toString(16).padStart(2, '0'));
/** Characters that one call makes of bytes. */
const PIECE = 0x2000;

/** One character for each byte. */
export function textOf(bytes: Uint8Array): string {
  let text = '';
  for (let at = 0; at < bytes.length; at += PIECE) text += String.fromCharCode(...bytes.subarray(at, at + PIECE));
  return text;
}

export function bytesOf(text: string): Uint8Array {
  const bytes = new Uint8Array(text.length);
  for (let at = 0; at < text.length; at++) bytes[at] = text.charCodeAt(at);
  return bytes;
}

export function toHex(bytes: Iterable<number>): string {
  let text = '';
  for (const byte of bytes) text += HEX[byte]!;
  return text;
}

const VALUES = Int8Array.from({ length: 256 }, (_unused, code) => '0123456789abcdef'.indexOf(String.fromCharCode(code).toLowerCase()));

/** undefined if the text is not an even number of hexadecimal digits. */
export function fromHex(text: string): Uint8Array | undefined {
  if (text.length % 2 !== 0) return undefined;
  const bytes = new Uint8Array(text.length / 2);
  for (let at = 0; at < bytes.length; at++) {
    const high = VALUES[text.charCodeAt(2 * at)] ?? -1;
    const low = VALUES[text.charCodeAt(2 * at + 1)] ?? -1;
    if (high < 0 || low < 0) return undefined;
    bytes[at] = high * 16 + low;
  }
  return bytes;
}
