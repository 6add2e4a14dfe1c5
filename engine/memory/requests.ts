/** Requests for a commit as values, and the plan that each leads to: the regions that it names are checked against the layout as it is now. */
import type { AddressSpace } from './address-space';
import { type ChangeSet, sameRegion, staleReason } from './change-set';
import type { History } from './history';
import type { Limits } from './limits';
import { makePlan, type Plan, type PlanMode, type PlanRules } from './plan';
import type { BackingRule, MemoryRegion, Refusal, Refused } from './types';
import { mergeRegions, type Regions, resizeRegions, splitRegions } from './verbs';

/** Every way to ask for a commit, as a value; for `beginCommit`. */
export type CommitRequest =
  | { call: 'region'; region: MemoryRegion; legacy?: boolean }
  | { call: 'delta'; regions: readonly MemoryRegion[] }
  | { call: 'whole'; regions: readonly MemoryRegion[]; asId?: number }
  | { call: 'resize'; slot: number; memorySize: number; asId?: number }
  | { call: 'split'; slot: number; atGpa: number; newSlot: number; asId?: number }
  | { call: 'merge'; slots: readonly number[]; asId?: number }
  | { call: 'apply'; changes: ChangeSet }
  | { call: 'undo' | 'redo'; asId?: number; steps?: number };

export type VerbRequest = Extract<CommitRequest, { call: 'resize' | 'split' | 'merge' }>;

export class Planner {
  constructor(
    private readonly limits: Limits,
    private readonly spaces: readonly AddressSpace[],
    private readonly histories: readonly History[],
    private readonly backings: BackingRule | undefined,
  ) {}

  plan(request: CommitRequest): Plan {
    switch (request.call) {
      case 'region':
        return this.planRegions([request.region], { type: 'single' });
      case 'delta':
        return this.planRegions(request.regions, { type: 'delta' });
      case 'whole':
        return this.planRegions(request.regions, { type: 'whole', asId: request.asId === undefined ? 0 : request.asId });
      case 'resize':
      case 'split':
      case 'merge':
        return this.planVerb(this.regionsOf(request));
      case 'apply':
        return this.planChanges(request.changes);
      case 'undo':
      case 'redo':
        return this.planHistory(request.call, request.asId === undefined ? 0 : request.asId, request.steps);
    }
  }

  /** Without `rules`, the engine's backing rule is asked. */
  planRegions(regions: readonly unknown[], mode: PlanMode, rules: PlanRules = { backings: this.backings }): Plan {
    return makePlan(this.limits, this.spaces, regions, mode, rules);
  }

  private planVerb(regions: Regions): Plan {
    return regions.ok ? this.planRegions(regions.regions, { type: 'delta' }) : regions;
  }

  private planChanges(changes: ChangeSet, since?: number): Plan {
    const refusals = changes.diffs.flatMap(({ asId, slot, old }, index) => {
      const now = this.spaces[asId]?.regionById(slot);
      return sameRegion(now, old) ? [] : [{ index, errno: 'ESTALE' as const, reason: staleReason(asId, slot) }];
    });
    if (refusals.length > 0) return { ok: false, refusals };
    const rules = { backings: this.backings, ...(since === undefined ? {} : { since }) };
    return this.planRegions(changes.toRequest(), { type: 'delta' }, rules);
  }

  private planHistory(call: 'undo' | 'redo', asId: number, steps = 1): Plan {
    const history = Number.isInteger(asId) ? this.histories[asId] : undefined;
    if (!history) return refused('EINVAL', `asId is ${String(asId)}: use 0 to ${this.spaces.length - 1}`);
    const travel = history[call](steps);
    if (!travel) return refused('ENOENT', `${steps === 1 ? 'nothing' : `no ${String(steps)} commits`} to ${call} in address space ${asId}`);
    const { changes, since, mapped } = travel;
    const foreign = this.foreign(mapped, since);
    return foreign.length > 0 ? { ok: false, refusals: foreign } : this.planChanges(changes, since);
  }

  /**
   * After several commits a slot may look as it does now and yet map other memory: it was deleted, its memory was freed and handed out again, and
   * the slot was created over it. The combined change set does not show that, so this checks the regions that were mapped.
   */
  private foreign(mapped: readonly MemoryRegion[], since: number): Refusal[] {
    return mapped.flatMap(({ slot, userspaceAddr: start, memorySize }) => {
      const reason = this.backings?.refuse(slot, { start, end: start + memorySize }, { span: false, since, held: () => [] });
      return reason === undefined ? [] : [{ index: -1, errno: 'EINVAL' as const, reason }];
    });
  }

  /** The regions of one change set that do what a resize, split or merge does: to be joined with others in one delta. */
  regionsOf(request: VerbRequest): Regions {
    const { asId = 0 } = request;
    if (request.call === 'resize') return resizeRegions(this.spaces, request.slot, request.memorySize, asId);
    if (request.call === 'split') return splitRegions(this.limits, this.spaces, { ...request, asId });
    return mergeRegions(this.spaces, request.slots, asId);
  }
}

function refused(errno: 'EINVAL' | 'ENOENT', reason: string): Refused {
  return { ok: false, refusals: [{ index: -1, errno, reason }] };
}
