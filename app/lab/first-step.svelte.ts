/** Whether to show the line for newcomers: not after it was used or dismissed. */
const KEY = 'memslot-lab first step';

export class FirstStep {
  wanted = $state(read());

  done(): void {
    if (!this.wanted) return;
    this.wanted = false;
    try {
      localStorage.setItem(KEY, 'done');
    } catch {
      // Storage is blocked: dismissed until the page closes.
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
