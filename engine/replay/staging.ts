/** The page's edits of the change set that is being staged. */
import { HOST_BASE } from '../abi/layout';
import type { Machine, PhaseReport } from '../machine/index';
import type { CommitLog } from '../monitor/index';
import { refusalText } from './refusals';
import type { StageAction } from './types';

/** '' when it is done; throws the refusal in words. */
export async function stage(action: StageAction, machine: Machine, commits: CommitLog): Promise<string> {
  const { changeSet } = machine;
  switch (action.do) {
    case 'begin':
      changeSet.begin();
      return '';
    case 'stage':
      stageEdit(machine, action.edit);
      return '';
    case 'drop':
      changeSet.drop(action.index);
      return '';
    case 'abort':
      changeSet.abort();
      return '';
    case 'commit-stepped':
      changeSet.beginStepped();
      return '';
    case 'step':
      return ended([changeSet.step()]);
    case 'finish':
      return ended(changeSet.finish());
    case 'zap':
      machine.changeSet.setZap(action.mode);
      return '';
    case 'commit': {
      const commit = await commits.commit(action.legacy);
      if (!commit.ok) throw new Error(refusalText(commit.refusals));
      return '';
    }
  }
}

/** A phase may refuse: that ends the stepped commit, and the set stays open. */
function ended(reports: readonly PhaseReport[]): string {
  const commit = reports.at(-1)!.commit;
  if (commit && !commit.ok) throw new Error(refusalText(commit.refusals));
  return '';
}

/** An added slot without a legal hva gets host memory here, as memslot_add gives it; a refused edit gives it back. */
function stageEdit(machine: Machine, edit: Extract<StageAction, { do: 'stage' }>['edit']): void {
  if (edit.op !== 'add' || edit.hva >= HOST_BASE) {
    machine.changeSet.stage(edit);
    return;
  }
  const hva = machine.host.allocate(edit.size, `bare.${edit.slot}`);
  try {
    machine.changeSet.stage({ ...edit, hva });
  } catch (error) {
    machine.host.release(hva);
    throw error;
  }
}
