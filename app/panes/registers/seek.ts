/** Steps over calls and runs to lines, with progress and result as text. */
import type { Lab } from '../../lab/lab.svelte';
import { count, sentence } from '../../shared/format';

type Goal = Parameters<Lab['seek']>[0];

/** Instructions that return to the following line with the same stack. */
const COMES_BACK = /^(?:l?call|rep|int|syscall|sysenter|hlt)/;

/** Reports where it stopped if that is not the target. */
export async function seekIn(lab: Lab, goal: Goal): Promise<void> {
  if (lab.refuses()) return;
  try {
    const { how, instructions } = await lab.seek(goal);
    if (how !== 'asleep' && how !== 'most') return;
    const { rip } = await lab.query({ ask: 'disassemble', vcpu: goal.vcpu, count: 1 });
    const where = goal.to ?? 'its next instruction';
    const why = how === 'asleep' ? 'all vCPUs sleep and nothing will wake one' : `${count(instructions)} instructions were not enough`;
    lab.say({
      text: `vCPU ${goal.vcpu} did not come to ${where}: ${why}. Stopped at ${rip}.`,
      ...(how === 'most' ? { action: { label: 'Go on', run: () => void seekIn(lab, goal) } } : {}),
    });
  } catch (error) {
    lab.say({ text: sentence((error as Error).message) });
  }
}

/** Runs to the line after a call, an interrupt, a repeated instruction or a halt; steps one instruction otherwise. */
export async function stepOver(lab: Lab, vcpu: number): Promise<void> {
  if (lab.refuses()) return;
  try {
    const { code, groups } = await lab.query({ ask: 'cpu', vcpu, before: 0, count: 2 });
    const [line, behind] = code.lines;
    const stack = groups.flatMap(({ registers }) => registers).find(({ name }) => name === 'rsp' || name === 'esp')?.value;
    const over = line && behind && stack !== undefined && COMES_BACK.test(line.mnemonic);
    await seekIn(lab, over ? { vcpu, to: behind.gva, stack: `0x${stack}` } : { vcpu });
  } catch (error) {
    lab.say({ text: sentence((error as Error).message) });
  }
}
