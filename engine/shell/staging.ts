/** The page's edits of the staged change set. */
import { HOST_BASE } from '../abi/layout';
import type { Machine, PhaseReport, StagedEdit } from '../machine/index';
import type { CommitLog } from '../monitor/index';
import { refusalText } from '../replay/refusals';
import type { StageAction } from './types';

/** '' if it succeeded; throws the refusal as text. */
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

/** The page and journals use hva 0 for an added slot without one. */
function stageEdit({ changeSet }: Machine, edit: StagedEdit): void {
  changeSet.stage(edit.op === 'add' && edit.hva < HOST_BASE ? { ...edit, hva: undefined } : edit);
}
