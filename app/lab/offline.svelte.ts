/** The page's side of the service worker: is everything stored for use without a network, does a newer version wait? Not used in development. */
import { scriptUrl } from '../shared/script-url';

/** ms: how long to wait for the worker's answer. */
const PATIENCE = 2000;

export class Offline {
  /** The worker has checked that every file of its version is stored. */
  ready = $state(false);
  /** Why nothing is stored for use without a network, or ''. */
  impossible = $state('');
  /** A newer version is installed, and waits. */
  update = $state(false);
  #registration: ServiceWorkerRegistration | undefined;

  /** True: a newer version takes over at once, since nothing runs yet and no other tab is open; the page is loaded again. */
  async start(): Promise<boolean> {
    if (!import.meta.env.PROD) return false;
    if (!('serviceWorker' in navigator)) {
      if (!isSecureContext)
        this.impossible = 'Plain http: this page needs the network to open. https or localhost would let the browser keep it.';
      return false;
    }
    try {
      const waiting = (await navigator.serviceWorker.getRegistration(document.baseURI))?.waiting;
      if (waiting && (await this.#change(waiting, 'take over if alone'))) return true;
    } catch {
      // Storage is blocked: the page works, with a network.
      return false;
    }
    void this.#register();
    return false;
  }

  /** Ends the machine and loads the new version. */
  async applyUpdate(): Promise<void> {
    const waiting = this.#registration?.waiting;
    if (!(waiting && (await this.#change(waiting, 'take over')))) location.reload();
  }

  async #register(): Promise<void> {
    try {
      const { serviceWorker } = navigator;
      const registration = await serviceWorker.register(scriptUrl('sw.js'), { updateViaCache: 'none' });
      this.#registration = registration;
      this.#watch(registration.installing);
      this.update = registration.waiting !== null && serviceWorker.controller !== null;
      registration.addEventListener('updatefound', () => this.#watch(registration.installing));
      serviceWorker.addEventListener('controllerchange', () => void this.#look());
      document.addEventListener('visibilitychange', () => {
        if (document.visibilityState !== 'visible') return;
        void this.#look();
        registration.update().catch(() => {});
      });
      await this.#look();
    } catch {
      this.ready = false;
    }
  }

  #watch(installing: ServiceWorker | null): void {
    installing?.addEventListener('statechange', () => {
      if (installing.state === 'installed' && navigator.serviceWorker.controller) this.update = true;
    });
  }

  async #look(): Promise<void> {
    const { controller } = navigator.serviceWorker;
    this.ready = controller !== null && (await ask(controller, 'is complete'));
  }

  async #change(waiting: ServiceWorker, request: 'take over' | 'take over if alone'): Promise<boolean> {
    const changed = new Promise<void>((resolve) => {
      navigator.serviceWorker.addEventListener('controllerchange', () => resolve(), { once: true });
    });
    if (!(await ask(waiting, request))) return false;
    await Promise.race([changed, new Promise((resolve) => setTimeout(resolve, PATIENCE))]);
    location.reload();
    return true;
  }
}

function ask(worker: ServiceWorker, question: string): Promise<boolean> {
  return new Promise((resolve) => {
    const { port1, port2 } = new MessageChannel();
    const timer = setTimeout(() => resolve(false), PATIENCE);
    port1.onmessage = ({ data }) => {
      clearTimeout(timer);
      resolve(data === true);
    };
    worker.postMessage(question, [port2]);
  });
}
