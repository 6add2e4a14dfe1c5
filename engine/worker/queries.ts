/**
 * The page's questions: each looks at the machine and changes nothing that the guest or a commit could notice. One entry a question;
 * what is more than a line lives in a file of its own.
 */
import type { Machine } from '../machine/api';
import type { Queries, Query } from './protocol';

export interface QueryContext {
  machine: Machine;
}

type Answers = { [Ask in keyof Queries]: (query: Queries[Ask]['query'], context: QueryContext) => Queries[Ask]['answer'] };

const answers: Answers = {
  stats: (_query, { machine }) => machine.stats(),
};

/** Throws a one-line reason. */
export function answerQuery<Ask extends keyof Queries>(query: Query & { ask: Ask }, context: QueryContext): Queries[Ask]['answer'] {
  const answer = answers[query.ask];
  if (!answer) throw new Error(`there is no question '${query.ask}'`);
  return answer(query as Queries[Ask]['query'], context);
}
