/** docs/monitor.md, generated from the command table: `LAB_UPDATE_DOCS=1 npx vitest run engine/monitor/docs.test.ts` writes it. */
import { QMP_EVENTS } from '../machine/index';
import { namesOf } from './commands/help';
import { NOTES } from './notes';
import { commands, infoCommands } from './table';
import type { Command } from './types';

const HEAD = `# The monitor

<!-- Made from the command table by engine/monitor/docs.ts: do not edit. LAB_UPDATE_DOCS=1 npx vitest run engine/monitor/docs.test.ts writes it. -->

The monitor speaks QEMU's HMP: same commands, argument grammar, output and error texts where QEMU 7.2 has the command. Its prompt is \`(lab) \`.
Success is silent. \`help\` lists the commands, \`help CMD\` shows one, Tab completes commands, sub-commands of \`info\`, ids and flags.

## Arguments

- Numbers: decimal, \`0x...\`, a leading 0 is octal. Commands of QEMU take whole expressions: \`+ - * / % & | ^ ~\`, parentheses, \`'c'\`, and registers as
  \`$rip\` (QEMU's \`$eip\`, \`$pc\`, \`$sp\` work too).
- Our own commands also take a suffix k, M, G, T, P or E: \`memslot_move 5 4G+128M\` (without blanks inside).
- \`/fmt\`: a count, one of \`x d u o c i\`, one of \`b h w g\` (1, 2, 4, 8 bytes); the last one used is the default of the next.
- A *slot* alone is a memslot, here and in the page; its number is a memslot id. A *DIMM slot* is a socket of the board: \`slot=\` of \`device_add pc-dimm\` is the
  number of one, \`slots=\` of \`-m\` says how many there are. The two numbers are unrelated.
- File names and ids may be "quoted" with \`\\n \\r \\\\ \\' \\"\` inside.
- \`object_add\` and \`device_add\` take \`key=value,key=value\`; \`,,\` is a comma in a value; the first part may leave its key out.

## Change sets

Between \`changeset_begin\` and \`changeset_commit\` the \`memslot_*\` commands are staged, at most one per memslot id; outside they commit at once, each a change
set of one. A commit is atomic for the guest: it is checked against the final layout only, so two slots can exchange addresses, and either all of it
happens or nothing. A refusal is one line per fault, \`entry 2: EEXIST: ...\`, counted as \`info changeset\` counts; the set stays open.
\`changeset_commit -l\` does the same one ioctl after another, with the guest running in between, as KVM's users must today.

`;

const QMP = `## QMP

The same table as JSON (\`lab -qmp\`): greeting, \`qmp_capabilities\`, then the commands above under their QMP names, and \`human-monitor-command\`,
\`query-commands\`, \`query-acpi-ospm-status\`, \`query-cpus-fast\`, \`query-name\`. Events: ${['STOP', 'RESUME', ...QMP_EVENTS].join(', ')}
(DEVICE_MOVED is ours). Out-of-band execution is not offered.

Input is JSON as QEMU's monitor reads it: strings in single quotes too; integers of 64 bits are exact; output is ASCII. A client that does not know
what its predecessor left half-written sends the byte 0xFF, which fits nowhere in UTF-8, and a line end: one error, and the next command is served.
Refused with a message: a member that occurs twice, half a surrogate pair, bytes that are no UTF-8, a number with a fraction or an exponent where an
integer is meant. Beyond QEMU, a number that no double holds (1e999) is refused too, and one value is at most 1 MiB.
`;

const escaped = (text: string): string => text.replaceAll('|', '\\|').replaceAll('<', '&lt;');

function row(command: Command, prefix: string): string {
  const usage = [`\`${prefix}${namesOf(command).join('`, `')}\``, command.params === '' ? '' : ` \`${command.params}\``].join('');
  const about = [command.help.replace(/\.$/, ''), NOTES[`${prefix}${command.name}`] ?? ''].filter((text) => text !== '').join('. ');
  return `| ${usage.replaceAll('|', '\\|')} | ${escaped(about)} | ${command.qmp ? `\`${command.qmp.name}\`` : ''} |`;
}

function table(list: readonly Command[], prefix = ''): string {
  const rows = [...list].sort((a, b) => (a.name < b.name ? -1 : 1)).map((command) => row(command, prefix));
  return `| command | what it does | QMP |\n|---|---|---|\n${rows.join('\n')}\n`;
}

export function monitorDocs(): string {
  const of = (origin: Command['origin']): Command[] => commands.filter((command) => command.origin === origin);
  const info = (origin: Command['origin']): Command[] => infoCommands.filter((command) => command.origin === origin);
  return [
    HEAD,
    `## Commands of QEMU\n\n${table(of('qemu'))}\n`,
    `### info\n\n${table(info('qemu'), 'info ')}\n`,
    `## Our own commands\n\n${table(of('lab'))}\n`,
    `### info\n\n${table(info('lab'), 'info ')}\n`.replace('### info', '### info, ours'),
    QMP,
  ].join('');
}
