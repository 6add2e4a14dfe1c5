/** Sends the guest's output in batches: a message for each byte would overload the page. */
interface Timers {
  setTimer(wake: () => void, ms: number): unknown;
}

/** ms between two batches */
const CONSOLE_MS = 16;

export class ConsoleFeed {
  private readonly decoder = new TextDecoder();
  private text = '';
  private timer = false;

  constructor(
    private readonly timers: Timers,
    private readonly post: (text: string) => void,
  ) {}

  push(bytes: Uint8Array): void {
    this.text += this.decoder.decode(bytes, { stream: true });
    if (this.timer) return;
    this.timer = true;
    this.timers.setTimer(() => {
      this.timer = false;
      this.flush();
    }, CONSOLE_MS);
  }

  flush(): void {
    if (this.text === '') return;
    const { text } = this;
    this.text = '';
    this.post(text);
  }
}
