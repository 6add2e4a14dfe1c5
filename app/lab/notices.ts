/** Messages to the person: a banner stays until it is closed, a toast disappears by itself. */

export interface Banner {
  /** One banner of a kind at a time. */
  kind: 'link' | 'worker' | 'ended' | 'storage' | 'boot' | 'new-link' | 'snapshot' | 'import' | 'replay' | 'kept';
  tone: 'bad' | 'warn' | 'ok';
  title: string;
  text: string;
  action?: { label: string; run(): void };
  /** The person has closed it. */
  closed?(): void;
}

export interface Toast {
  text: string;
  action?: { label: string; run(): void };
}

/** Where notices are shown. */
export interface Notices {
  tell(banner: Banner): void;
  say(toast: Toast): void;
  dismiss(kind: Banner['kind']): void;
}
