/** Is the page being laid out for paper? What depends on it is ready before the sheet is: neither a frame nor a task comes in between. */
const query = matchMedia('print');

class Paper {
  on = $state(query.matches);

  constructor() {
    query.addEventListener('change', ({ matches }) => {
      this.on = matches;
    });
  }
}
export const paper = new Paper();
