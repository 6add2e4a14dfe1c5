/** Progress of a replay; the last one has the outcome. Counts are of instructions since its start. */
export type ReplayView =
  | { phase: 'running'; done: number; total: number }
  /** `other`: why the digest may differ, or ''. */
  | { phase: 'done'; expected: string; digest: string; instructions: number; other: string }
  | { phase: 'cancelled'; instructions: number }
  | { phase: 'failed'; reason: string };
