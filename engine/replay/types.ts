/** Of a replay that is being played; the last one says what came of it. Counts are of instructions since its start. */
export type ReplayView =
  | { phase: 'running'; done: number; total: number }
  /** `other`: why the digest may differ, or ''. */
  | { phase: 'done'; expected: string; digest: string; instructions: number; other: string }
  | { phase: 'cancelled'; instructions: number }
  | { phase: 'failed'; reason: string };
