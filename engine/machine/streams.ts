/** Collects the bytes that a guest sends one by one, and passes them on in pieces. */

const PIECE = 4096;

export class ByteStream {
  private readonly buffer = new Uint8Array(PIECE);
  private length = 0;
  private readonly listeners = new Set<(bytes: Uint8Array) => void>();

  listen(listener: (bytes: Uint8Array) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  push(byte: number): void {
    this.buffer[this.length++] = byte;
    if (this.length === PIECE) this.flush();
  }

  flush(): void {
    if (this.length === 0) return;
    const bytes = this.buffer.slice(0, this.length);
    this.length = 0;
    for (const listener of this.listeners) listener(bytes);
  }
}
