/** Tab completion from the command table. */
import { findCommand, namesOf } from './commands/help';
import { REGISTER_NAMES } from './registers';
import type { Command, Context } from './types';

/** Candidates for the word at the end of `line`, sorted, without duplicates. */
export function complete(context: Context, line: string): string[] {
  const words = line.trimStart().split(/\s+/);
  const word = words.pop() ?? '';
  let table: readonly Command[] = context.commands;
  let command: Command | undefined;
  let used = 0;
  for (; used < words.length; used++) {
    command = findCommand(table, words[used]!);
    if (!command) return [];
    if (!command.sub) {
      used++;
      break;
    }
    table = command.sub;
    command = undefined;
  }
  const candidates = command ? argumentCandidates(context, command, word, words.slice(used)) : table.flatMap(namesOf);
  return [...new Set(candidates)].filter((candidate) => candidate.startsWith(word)).sort();
}

function argumentCandidates(context: Context, command: Command, word: string, before: readonly string[]): string[] {
  if (word.startsWith('$') && /[ilz]/.test(command.args)) return REGISTER_NAMES.map((name) => `$${name}`);
  if (word.startsWith('-')) return [...command.args.matchAll(/:-(\w)/g)].map((match) => `-${match[1]}`);
  const candidates = command.complete?.(context, word, before) ?? [];
  return candidates;
}
