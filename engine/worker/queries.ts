/**
 * The page's queries: each reads the machine and changes nothing that the guest or a commit could notice. One entry per query; an answer of more than
 * a line has its own file.
 */
import type { Machine } from '../machine/index';
import { type CommitLog, readAddress } from '../monitor/index';
import { layoutFormat } from '../snapshot/index';
import { symbolsOf } from '../symbols/index';
import { perfettoBytes, traceNext, tracerOf, traceView } from '../trace/index';
import { codeView, cpuView, translate } from './cpu-view';
import { benchFlags } from './flags-bench';
import { dirtyHeat } from './heat';
import { type BenchClock, benchIndexes } from './index-bench';
import { slotViews } from './lab-state';
import { nestedMemory } from './nested-memory';
import type { Queries, Query } from './protocol';

export interface QueryContext {
  machine: Machine;
  /** Absent: there is no history yet. */
  commits?: CommitLog;
  /** For long queries, which must yield. */
  clock: BenchClock;
}

type Answer<Ask extends keyof Queries> = Queries[Ask]['answer'] | Promise<Queries[Ask]['answer']>;
type Answers = { [Ask in keyof Queries]: (query: Queries[Ask]['query'], context: QueryContext) => Answer<Ask> };

const answers: Answers = {
  stats: (_query, { machine }) => machine.inspect.stats(),
  'flags-bench': ({ slots, changes }, { clock }) => benchFlags(slots, changes, clock),
  index: ({ gpa }, context) => inspect(address(gpa), context),
  'index-bench': ({ slots }, { clock }) => benchIndexes(slots, clock),
  disassemble: (query, { machine }) => codeView(machine, query),
  cpu: (query, { machine }) => cpuView(machine, query),
  translate: (query, { machine }) => translate(machine, query),
  'page-walk': ({ address, vcpu = 0 }, { machine }) => {
    const walk = machine.inspect.pageWalk(readAddress(machine, address, vcpu), vcpu);
    const symbol = symbolsOf(machine).name(walk.gva);
    return { ...walk, ...(symbol !== undefined && { symbol }) };
  },
  trace: (query, { machine }) => traceView(machine, query),
  'trace-next': (query, { machine }) => {
    const row = traceNext(machine, query);
    return row === undefined ? {} : { row };
  },
  'trace-file': (_query, { machine }) => perfettoBytes(machine, tracerOf(machine)),
  'symbol-at': ({ gpa }, { machine }) => {
    const symbol = symbolsOf(machine).nameOfPage(address(gpa) ?? 0);
    return symbol === undefined ? {} : { symbol };
  },
  'nested-memory': (_query, { machine }) => nestedMemory(machine),
  'dirty-heat': ({ spans, asId = 0, at }, { machine }) => dirtyHeat(machine, spans, asId, at),
  unasked: ({ goTo, layout }, { machine, commits }) => {
    if (goTo !== undefined) return commits?.unaskedAt(goTo) ?? [];
    const then = layout === undefined ? undefined : layoutFormat.regions(machine, layout);
    return then ? machine.changeSet.unaskedBy(then) : [];
  },
  difference: ({ from, to }, { commits }) => commits?.difference(from, to) ?? [],
  'memslots-of': ({ asId }, { machine }) => slotViews(machine, asId),
};

/** The first query of many thousand slots builds the indexes that are not in use: it yields to the guest meanwhile. */
async function inspect(gpa: number | undefined, { machine, clock }: QueryContext): Promise<Queries['index']['answer']> {
  for (const _piece of machine.memory.prepareInspection()) await clock.yieldTurn();
  return machine.memory.inspectIndexes(gpa)!;
}

/** The page's addresses arrive unchecked. */
function address(gpa: number | undefined): number | undefined {
  if (gpa === undefined || (Number.isSafeInteger(gpa) && gpa >= 0)) return gpa;
  throw new Error(`gpa is ${String(gpa)}: use a whole number of bytes from 0`);
}

/** Throws a one-line reason. */
export function answerQuery<Ask extends keyof Queries>(query: Query & { ask: Ask }, context: QueryContext): Answer<Ask> {
  const answer = answers[query.ask];
  if (!answer) throw new Error(`there is no query '${query.ask}'`);
  return answer(query as Queries[Ask]['query'], context);
}
