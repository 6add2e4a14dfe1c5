import { describe, expect, it } from 'vitest';
import { cpuHelp, parseCpu } from './cpu-model';

describe('-cpu', () => {
  it.each([
    [undefined, 'lab64'],
    ['lab64', 'lab64'],
    ['lab64-svm', 'lab64-svm'],
    ['lab64-svm,+npt', 'lab64-svm'],
    ['lab64-svm,-npt', 'lab64-svm,-npt'],
    ['lab64-svm,npt=off,nrip-save=on', 'lab64-svm,-npt'],
    ['lab64,-popcnt,-sse4_2', 'lab64,-sse4.2,-popcnt'],
    ['lab64,-popcnt,+popcnt', 'lab64'],
    ['lab64,-svm', 'lab64'],
  ])('%s is %s', (text, name) => {
    expect(parseCpu(text).name).toBe(name);
    expect(parseCpu(name).hidden).toEqual(parseCpu(text).hidden);
  });

  it('hides the bits of what is taken away', () => {
    expect(parseCpu('lab64,-popcnt').hidden).toEqual([1 << 23, 0, 0, 0, 0, 0]);
    expect(parseCpu('lab64-svm,-npt').hidden).toEqual([0, 0, 0, 0, 0, 1]);
  });

  it.each([
    ['qemu64', /unable to find CPU model 'qemu64'; there are lab64 and lab64-svm/],
    ['', /unable to find CPU model ''/],
    ['lab64,+svm', /'lab64' has no feature 'svm'; lab64-svm has it/],
    ['lab64,-avx', /Property 'lab64-cpu\.avx' not found/],
    ['lab64,popcnt', /Expected key=value format/],
    ['lab64,constructor=on', /not found/],
  ])('%s is refused', (text, reason) => {
    expect(() => parseCpu(text)).toThrow(reason);
  });

  it('help names every model and feature', () => {
    expect(cpuHelp()).toMatch(/^Available CPUs:\n {2}lab64 .*\n {2}lab64-svm .*\n\nRecognized CPUID flags:\n.* popcnt .* npt .*\n$/);
  });
});
