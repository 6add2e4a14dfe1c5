// The port of `npm start`: the one given, or the first free one.
import { createServer } from 'node:net';
import { UserError } from './steps.mjs';

/** As in vite.config.ts. */
export const USUAL = 4173;
const TRIES = 10;

/** The value of `--NAME VALUE` or `--NAME=VALUE`. */
function argument(args, name) {
  const at = args.findIndex((each) => each === `--${name}` || each.startsWith(`--${name}=`));
  if (at < 0) return undefined;
  return args[at].includes('=') ? args[at].slice(args[at].indexOf('=') + 1) : args[at + 1];
}

function isFree(port, host = 'localhost') {
  return new Promise((done) => {
    const probe = createServer();
    probe.once('error', () => done(false));
    probe.listen(port, host, () => probe.close(() => done(true)));
  });
}

/** The port for these arguments of `npm start`. A given port that is in use is refused. `usual`: where the search begins if none is given. */
export async function choosePort(args, usual = USUAL) {
  const host = argument(args, 'host');
  const named = argument(args, 'port');
  if (named !== undefined) {
    const port = Number(named);
    if (!Number.isInteger(port) || port < 1 || port > 65535) throw new UserError(`--port ${named}: not a port`);
    if (await isFree(port, host)) return port;
    throw new UserError(
      `port ${port} is in use: stop the program that listens there, or choose another port with npm start -- --port PORT`,
    );
  }
  for (let port = usual; port < usual + TRIES; port++) if (await isFree(port, host)) return port;
  throw new UserError(`ports ${usual} to ${usual + TRIES - 1} are in use: choose another port with npm start -- --port PORT`);
}
