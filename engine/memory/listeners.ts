/** Who listens to an engine: `subscribe` for commits, which a listener must act on, and `observe` for notes, which a trace shows. */
import type { CommitEvent, EngineNote } from './types';

export class Listeners {
  private readonly listeners = new Set<(event: CommitEvent) => void>();
  private readonly observers = new Set<(note: EngineNote) => void>();

  /** `onError` receives what a listener or a hook throws. */
  constructor(private readonly onError: (error: unknown) => void) {}

  subscribe(listener: (event: CommitEvent) => void): () => void {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }

  observe(listener: (note: EngineNote) => void): () => void {
    this.observers.add(listener);
    return () => this.observers.delete(listener);
  }

  /** Someone observes. If nobody does, no notes are made. */
  get observed(): boolean {
    return this.observers.size > 0;
  }

  emit(event: CommitEvent): void {
    for (const listener of this.listeners) this.contain(() => listener(event));
  }

  note(note: EngineNote): void {
    for (const listener of this.observers) this.contain(() => listener(note));
  }

  /** Calls a hook or listener, and reports what it throws: a commit must not break. */
  contain(hook: () => void): void {
    try {
      hook();
    } catch (error) {
      try {
        this.onError(error);
      } catch {
        // The reporter itself failed: the error cannot be reported.
      }
    }
  }
}
