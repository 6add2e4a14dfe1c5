/** Stepping over calls and running to lines, on memlab in its loops; and a replay that does the same. */
import { afterEach, describe, expect, it } from 'vitest';
import type { CodeView, CpuView, ReplayView, SeekAnswer } from './protocol';
import { config, type Of, Page } from './testing';

const pages: Page[] = [];
afterEach(async () => {
  for (const page of pages.splice(0)) await page.session.end();
});

async function started(more: Parameters<Page['boot']>[0] = {}): Promise<Page> {
  const page = new Page();
  pages.push(page);
  page.boot(more);
  await page.first('booted');
  return page;
}

const cpu = async (page: Page, vcpu = 0): Promise<CpuView> =>
  (await page.ask({ type: 'query', query: { ask: 'cpu', vcpu, before: 0, count: 8 } })).value as CpuView;

/** memlab, stopped in a loop that calls. */
async function watching(more: Parameters<Page['boot']>[0] = {}): Promise<Page> {
  const page = await started(more);
  await page.until(() => (/lab> $/.test(page.console) ? true : undefined));
  page.session.receive({ type: 'console', text: 'watch 0x2000000\r' });
  await page.until(() => (/any key ends\)/.test(page.console) ? true : undefined));
  page.session.receive({ type: 'run', action: 'stop' });
  return page;
}

const seek = async (page: Page, goal: { vcpu?: number; to?: string; stack?: string }): Promise<SeekAnswer> => {
  const { value, error } = await page.ask({ type: 'seek', vcpu: 0, ...goal });
  expect(error).toBeUndefined();
  return value as SeekAnswer;
};

const state = (page: Page) => page.machine!.run.state;

describe('seeking', () => {
  it('goes to a line of code and stops exactly there', async () => {
    const page = await watching();
    for (let n = 0; n < 20; n++) {
      const { code } = await cpu(page);
      const to = code.lines[1]!.gva;
      const branches = /^(j|call|ret|loop)/.test(code.lines[0]!.mnemonic);
      if (branches) await seek(page, {});
      else expect(await seek(page, { to })).toEqual({ how: 'there', instructions: 1 });
      if (!branches) expect((await cpu(page)).code.rip).toBe(to);
      expect(state(page)).toBe('paused');
    }
  });

  it('steps over a call: to the following line, at the same stack height', async () => {
    const page = await watching();
    // The nearest call in the loop.
    const { value } = await page.ask({ type: 'query', query: { ask: 'disassemble', before: 30, count: 60 } });
    const calls = (value as CodeView).lines.filter(({ mnemonic }) => mnemonic.startsWith('call'));
    let at: string | undefined;
    for (const { gva } of calls) {
      if ((await seek(page, { to: gva })).how !== 'there') continue;
      at = gva;
      break;
    }
    const view = await cpu(page);
    expect(view.code.rip).toBe(at);
    const rsp = (each: CpuView) => each.groups[0]!.registers.find(({ name }) => name === 'rsp')!.value;
    const answer = await seek(page, { to: view.code.lines[1]!.gva, stack: `0x${rsp(view)}` });
    expect(answer.how).toBe('there');
    expect(answer.instructions).toBeGreaterThan(1);
    const after = await cpu(page);
    expect(after.code.rip).toBe(view.code.lines[1]!.gva);
    expect(rsp(after)).toBe(rsp(view));
  });

  it('reports that it was not reached after the given number of instructions, and ends on Stop; messages are handled meanwhile', async () => {
    const page = await watching();
    expect(await seek(page, { to: '0x7fffffff' })).toMatchObject({ how: 'most' });
    expect(state(page)).toBe('paused');
    const going = page.ask({ type: 'seek', vcpu: 0, to: '0x7fffffff' });
    const before = page.machine!.run.instructions;
    await page.holds(() => page.machine!.run.instructions > before + 1000);
    page.session.receive({ type: 'run', action: 'stop' });
    const { value } = await going;
    expect(value).toMatchObject({ how: 'stopped' });
    expect((value as SeekAnswer).instructions).toBeLessThan(5_000_000);
  });

  it('of a vCPU that sleeps forever is reported', async () => {
    const page = await started({ config: { ...config, smp: 2 } });
    await page.until(() => (/lab> $/.test(page.console) ? true : undefined));
    await page.monitor('stop');
    expect((await seek(page, { vcpu: 1 })).how).toMatch(/asleep|most/);
    expect((await page.ask({ type: 'seek', vcpu: 2 })).error).toContain('invalid CPU index');
  });

  it('is refused while the guest runs, and for what is not an address', async () => {
    const page = await watching();
    expect((await page.ask({ type: 'seek', vcpu: 0, to: 'rip' })).error).toContain("'rip' is not an address");
    await page.monitor('cont');
    expect((await page.ask({ type: 'seek', vcpu: 0 })).error).toContain('not stopped');
  });

  it('is in the journal as Run and Stop: a replay ends in the same digest', async () => {
    const page = await watching({ config: { ...config, smp: 2 } });
    for (let n = 0; n < 50; n++) await seek(page, {});
    await seek(page, { to: (await cpu(page)).code.lines[2]!.gva });
    page.session.receive({ type: 'run', action: 'cont' });
    await page.monitor('stop');
    const { value: link } = await page.ask({ type: 'share', what: 'replay' });
    const other = await started({ link: String(link).slice(String(link).indexOf('#')) });
    const view = await other.until(
      () => other.heard.findLast((said): said is Of<'replay'> => said.type === 'replay' && said.view.phase !== 'running')?.view,
    );
    expect(view).toMatchObject({ phase: 'done' } satisfies Partial<ReplayView>);
    if (view.phase === 'done') expect(view.digest).toBe(view.expected);
  });
});
