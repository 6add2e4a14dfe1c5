/** Whether the line for newcomers is still wanted: gone for good once its offer was used or dismissed. */
const KEY = 'memslot-lab first step';

export class FirstStep {
  wanted = $state(read());

  done(): void {
    if (!this.wanted) return;
    this.wanted = false;
    try {
      localStorage.setItem(KEY, 'done');
    } catch {
      // Storage is blocked: gone as long as the page.
    }
  }
}

function read(): boolean {
  try {
    return localStorage.getItem(KEY) === null;
  } catch {
    return true;
  }
}
