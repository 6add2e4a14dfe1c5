// Checks the documentation's pictures: each is shown by a text, with words for those who do not see it, and each that a text shows is there.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { dirname, join, relative, resolve, sep } from 'node:path';
import { root } from './steps.mjs';

const FOLDER = 'docs/pictures';

const textsIn = (top, folder) =>
  readdirSync(join(top, folder))
    .filter((name) => name.endsWith('.md'))
    .map((name) => join(folder, name));

/** One line for each breach in the project at `top`. */
export function checkPictures(top = root) {
  const breaches = [];
  const shown = new Set();
  for (const text of [...textsIn(top, '.'), ...textsIn(top, 'docs')]) {
    for (const [, words, path] of readFileSync(join(top, text), 'utf8').matchAll(/!\[([^\]]*)\]\(([^):]+)\)/g)) {
      const picture = relative(top, resolve(top, dirname(text), path))
        .split(sep)
        .join('/');
      shown.add(picture);
      if (words.trim() === '') breaches.push(`${text}: ${path} has no words for those who do not see it`);
      if (!existsSync(join(top, picture))) breaches.push(`${text}: ${path} is missing`);
    }
  }
  for (const name of readdirSync(join(top, FOLDER))) {
    if (!shown.has(`${FOLDER}/${name}`)) breaches.push(`${FOLDER}/${name}: no text shows it`);
  }
  return breaches;
}
