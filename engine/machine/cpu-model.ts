/** `-cpu MODEL[,+feature][,-feature]`, in QEMU's grammar. Which processor CPUID describes: engine/cpu/system/cpuid.ts. */
import {
  CPU_MODEL_LAB64,
  CPU_MODEL_LAB64_SVM,
  CPUID_HIDDEN_WORDS,
  CPUID_SVM,
  SVM_FEATURE_DECODE_ASSISTS,
  SVM_FEATURE_FLUSH_BY_ASID,
  SVM_FEATURE_NP,
  SVM_FEATURE_NRIPS,
  VCPU_CPU_MODEL,
  VCPU_CPUID_HIDDEN,
} from '../abi/svm';
import { MachineError } from './api';
import type { Vcpu } from './vcpu';

export const DEFAULT_CPU = 'lab64';

interface Model {
  number: number;
  title: string;
}

const MODELS: Readonly<Record<string, Model>> = {
  [DEFAULT_CPU]: { number: CPU_MODEL_LAB64, title: 'x86-64-v2, an in-order Intel processor (default)' },
  'lab64-svm': { number: CPU_MODEL_LAB64_SVM, title: 'x86-64-v2, an AMD processor with SVM and nested paging: KVM runs in it' },
};

/** Word of VCPU_CPUID_HIDDEN and bits, by QEMU's name of the feature. */
const FEATURES: Readonly<Record<string, readonly [word: number, bits: number]>> = {
  sse3: [0, 1],
  ssse3: [0, 1 << 9],
  cx16: [0, 1 << 13],
  'sse4.1': [0, 1 << 19],
  'sse4.2': [0, 1 << 20],
  popcnt: [0, 1 << 23],
  'tsc-deadline': [0, 1 << 24],
  rdrand: [0, 1 << 30],
  pse: [1, 1 << 3],
  cx8: [1, 1 << 8],
  sep: [1, 1 << 11],
  pge: [1, 1 << 13],
  cmov: [1, 1 << 15],
  pat: [1, 1 << 16],
  pse36: [1, 1 << 17],
  clflush: [1, 1 << 19],
  mmx: [1, 1 << 23],
  tsc_adjust: [2, 1 << 1],
  erms: [2, 1 << 9],
  lahf_lm: [3, 1],
  svm: [3, CPUID_SVM],
  nx: [4, 1 << 20],
  pdpe1gb: [4, 1 << 26],
  rdtscp: [4, 1 << 27],
  npt: [5, SVM_FEATURE_NP],
  'nrip-save': [5, SVM_FEATURE_NRIPS],
  flushbyasid: [5, SVM_FEATURE_FLUSH_BY_ASID],
  decodeassists: [5, SVM_FEATURE_DECODE_ASSISTS],
};
/** Of lab64-svm only. */
const SVM_FEATURES = new Set(['svm', 'npt', 'nrip-save', 'flushbyasid', 'decodeassists']);

export interface CpuModel {
  /** As shown and saved: `lab64-svm,-npt`, without flags that change nothing. */
  name: string;
  number: number;
  /** CPUID bits that are hidden, CPUID_HIDDEN_WORDS words. */
  hidden: readonly number[];
}

/** Alternative spellings in QEMU: `sse4_1`, `feature=off`. */
function feature(item: string): { name: string; on: boolean } | undefined {
  const flagged = /^([+-])(.+)$/.exec(item);
  const assigned = /^([^=]+)=(on|off)$/.exec(item);
  const name = (flagged?.[2] ?? assigned?.[1])?.replace(/^sse4_/, 'sse4.').replaceAll(/^(nrip|tsc)_(save|deadline)$/g, '$1-$2');
  return name === undefined ? undefined : { name, on: flagged?.[1] === '+' || assigned?.[2] === 'on' };
}

/** Throws a MachineError that names what is wrong, and the allowed values. */
export function parseCpu(text: string = DEFAULT_CPU): CpuModel {
  const [model = '', ...items] = text.split(',');
  const found = Object.hasOwn(MODELS, model) ? MODELS[model] : undefined;
  if (!found) throw new MachineError(`unable to find CPU model '${model}'; there are ${Object.keys(MODELS).join(' and ')} (-cpu help)`);
  const off = new Set<string>();
  for (const item of items) {
    const wanted = feature(item);
    if (!wanted) throw new MachineError(`Expected key=value format, +feature or -feature: '${item}'`);
    const { name, on } = wanted;
    if (!Object.hasOwn(FEATURES, name)) throw new MachineError(`Property '${model}-cpu.${name}' not found; -cpu help lists the features`);
    if (on && found.number !== CPU_MODEL_LAB64_SVM && SVM_FEATURES.has(name))
      throw new MachineError(`CPU model '${model}' has no feature '${name}'; lab64-svm has it`);
    if (on) off.delete(name);
    else if (found.number === CPU_MODEL_LAB64_SVM || !SVM_FEATURES.has(name)) off.add(name);
  }
  const hidden = Array.from({ length: CPUID_HIDDEN_WORDS }, () => 0);
  const names = Object.keys(FEATURES).filter((name) => off.has(name));
  for (const name of names) {
    const [word, bits] = FEATURES[name]!;
    hidden[word] = (hidden[word]! | bits) >>> 0;
  }
  return { name: [model, ...names.map((name) => `-${name}`)].join(','), number: found.number, hidden };
}

/** Gives a vCPU this model. Call it before the vCPU's reset. */
export function putCpuModel(vcpu: Vcpu, { number, hidden }: CpuModel): void {
  vcpu.setU32(VCPU_CPU_MODEL, number);
  for (const [word, bits] of hidden.entries()) vcpu.setU32(VCPU_CPUID_HIDDEN + word * 4, bits);
}

/** What `-cpu help` prints. */
export function cpuHelp(): string {
  const models = Object.entries(MODELS).map(([name, { title }]) => `  ${name.padEnd(20)}  ${title}\n`);
  return `Available CPUs:\n${models.join('')}\nRecognized CPUID flags:\n  ${Object.keys(FEATURES).join(' ')}\n`;
}
