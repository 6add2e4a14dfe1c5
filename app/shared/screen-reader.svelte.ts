/** Whether the terminals announce what they print to a screen reader: off until enabled, which the browser then remembers. */
const KEY = 'memslot-lab screen reader';

class ScreenReaderMode {
  on = $state(stored());

  set(on: boolean): void {
    this.on = on;
    try {
      localStorage.setItem(KEY, on ? 'on' : 'off');
    } catch {
      // Storage is blocked: the choice lasts as long as the page.
    }
  }
}

function stored(): boolean {
  try {
    return localStorage.getItem(KEY) === 'on';
  } catch {
    return false;
  }
}

export const screenReader = new ScreenReaderMode();
