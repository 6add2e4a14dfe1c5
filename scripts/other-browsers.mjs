// Firefox and WebKitGTK for the page's stories in other engines: LAB_FIREFOX and LAB_WEBKIT, the PATH, otherwise Debian's packages. Each may be
// missing.
import { readdirSync } from 'node:fs';
import { canInstallPackages, installPackages, output, say, UserError } from './steps.mjs';

const LIBRARIES = ['/usr/lib/x86_64-linux-gnu', '/usr/lib/aarch64-linux-gnu', '/usr/lib64', '/usr/lib'];
const PACKAGES = { firefox: ['firefox-esr'], webkit: ['webkit2gtk-driver', 'xvfb'] };

/** Does the program start and print its version? */
async function answers(path) {
  return /\d+\.\d+/.test((await output(path, ['--version'])) ?? '');
}

/** The path of a Firefox that starts, or undefined. */
export async function findFirefox() {
  const chosen = process.env.LAB_FIREFOX;
  if (chosen) {
    if (await answers(chosen)) return chosen;
    throw new UserError(`LAB_FIREFOX=${chosen} does not start; name a Firefox that does, or unset it`);
  }
  for (const name of ['firefox-esr', 'firefox']) if (await answers(name)) return name;
  return undefined;
}

/** The browser that WebKitGTK's packages install for automation; it is not on the PATH. */
function miniBrowser() {
  for (const folder of LIBRARIES) {
    let names = [];
    try {
      names = readdirSync(folder).filter((name) => /^webkit(2)?gtk-[\d.]+$/.test(name));
    } catch {
      continue;
    }
    for (const name of names.sort().reverse()) {
      if (readdirSync(`${folder}/${name}`).includes('MiniBrowser')) return `${folder}/${name}/MiniBrowser`;
    }
  }
  return undefined;
}

/** WebKitGTK: its WebDriver, its browser, and the X server for machines without a screen. Undefined if one is missing. */
export async function findWebKit() {
  const browser = process.env.LAB_WEBKIT ?? miniBrowser();
  if (!browser || !(await output('which', ['WebKitWebDriver']))) return undefined;
  if (!process.env.DISPLAY && !(await output('which', ['Xvfb']))) return undefined;
  return { driver: 'WebKitWebDriver', browser };
}

/** Installs what apt-get can install. Anything else is left out and reported in one line. */
export async function bringOtherBrowsers() {
  const missing = async () => ({ firefox: !(await findFirefox()), webkit: !(await findWebKit()) });
  let wanted = await missing();
  if ((wanted.firefox || wanted.webkit) && (await canInstallPackages())) {
    const packages = Object.entries(PACKAGES).flatMap(([name, names]) => (wanted[name] ? names : []));
    try {
      await installPackages(packages);
    } catch (error) {
      if (!(error instanceof UserError)) throw error;
    }
    wanted = await missing();
  }
  const left = [wanted.firefox && 'Firefox (Debian: firefox-esr)', wanted.webkit && 'WebKitGTK (Debian: webkit2gtk-driver, xvfb)'].filter(
    Boolean,
  );
  if (left.length) say(`the page's stories are left out in ${left.join(' and ')}: not installed here`);
}
