/**
 * Reads the output of guests/linux/kvm/kvm-fuzz.c and makes the same calls to the engine; finds the first call with a different answer. The program
 * documents its lines.
 */
import { type Errno, MemFlag, MemslotEngine } from '../../engine/memory/index';

const PAGE = 4096;
/** Backings of kvm-fuzz: its pool, and the page of the nested guest's code. Elsewhere nothing is mapped, and a nested access is EFAULT. */
const POOL_HVA = 0x200000000;
const POOL_SIZE = 512 * PAGE;
const CODE = { slot: 32763, guestPhysAddr: 0xf000, memorySize: PAGE, userspaceAddr: 0x100000000 };

export interface KvmMachine {
  /** of the processor that KVM ran on */
  physAddrBits: number;
  index: 'array' | 'rbtree' | 'btree';
}

const answerOf = (result: { ok: true } | { ok: false; errno: Errno } | { ok: false; refusals: { errno: Errno }[] }): string => {
  if (result.ok) return '0';
  return 'errno' in result ? result.errno : result.refusals[0]!.errno;
};

/** 64-bit words, as kvm-fuzz prints them. */
function wordsOf(bitmap: Uint8Array): string {
  const padded = new Uint8Array(Math.ceil(bitmap.length / 8) * 8);
  padded.set(bitmap);
  const words = new BigUint64Array(padded.buffer);
  return Array.from(words, (word) => ` ${word.toString(16)}`).join('');
}

class Player {
  private engine!: MemslotEngine;
  /** Entries that KVM's ring had at the last harvest. */
  private inRing = 0;

  constructor(private readonly machine: KvmMachine) {}

  /** The answer that the line should have. `fields`: its words after the call's letter. `given`: KVM's answer. */
  answer(call: string, fields: readonly string[], given: string): string {
    // Addresses beyond 2^53 are not exact numbers, but they are out of range and refused in any case.
    const at = (i: number): number => Number(BigInt(`0x${fields[i]}`));
    const slot = fields[0] === undefined ? 0 : at(0);
    const id = { slot: slot & 0xffff, asId: slot >>> 16 };
    switch (call) {
      case 'n': {
        const { physAddrBits, index } = this.machine;
        this.engine = new MemslotEngine({ index, addressSpaces: 2, maxSlots: 32764, physAddrBits, hostSize: 2 ** 47 - PAGE });
        return '';
      }
      case 'q':
        // No answer shows which slots lose their translations; kernels before 6.12 do not know the quirk.
        return given === 'EINVAL' ? given : '0';
      case 'b':
        return answerOf(this.engine.dirtyLog.enableRing(at(0)));
      case 'v':
        this.engine.dirtyLog.newVcpu();
        this.engine.setUserMemoryRegion(CODE);
        return '';
      case 'h':
        return this.harvest(given);
      case 'z':
        return this.resetRings(given);
      case 's':
        return answerOf(
          this.engine.setUserMemoryRegion({ ...id, flags: at(1), guestPhysAddr: at(2), memorySize: at(3), userspaceAddr: at(4) }),
        );
      case 'g': {
        const log = this.engine.getDirtyLog(id.slot, id.asId);
        return log.ok ? `0${wordsOf(log.bitmap)}` : log.errno;
      }
      case 'c':
        return answerOf(this.engine.clearDirtyLog({ ...id, firstPage: at(1), numPages: at(2), bitmap: this.repeated(fields[3]!, at(2)) }));
      case 'm':
        return answerOf(this.engine.dirtyLog.setManualProtect(at(0)));
      case 'r':
      case 'w':
        return this.touch(at(0), call === 'w');
      default:
        throw new Error(`kvm-fuzz prints no call '${call}'`);
    }
  }

  /**
   * The same pages, each once. KVM pushes a zapped page again on its next write fault even if it is still in the ring; the engine keeps it there once
   * until the reset.
   */
  private harvest(given: string): string {
    const theirs = given === '' ? [] : given.split(' ');
    this.inRing = theirs.length;
    const ours = this.engine.dirtyLog
      .harvestRings()
      .map(({ asId, slot, offset }) => `${(asId * 0x10000 + slot).toString(16)}:${offset.toString(16)}`);
    // With INITIALLY_SET, KVM protects nothing when logging comes on: pages that the guest could write before escape its ring.
    const escaped = this.engine.dirtyLog.initiallySet;
    const pages = [...new Set(escaped ? ours.filter((page) => theirs.includes(page)) : ours)].toSorted();
    return [...new Set(theirs)].toSorted().join(' ') === pages.join(' ') ? given : pages.join(' ');
  }

  private resetRings(given: string): string {
    const reset = this.engine.dirtyLog.resetRings();
    if (!reset.ok) return reset.errno;
    return given === this.inRing.toString(16) ? given : `${this.inRing.toString(16)}, what was harvested`;
  }

  private repeated(word: string, pages: number): Uint8Array {
    return new Uint8Array(new BigUint64Array(Math.ceil(pages / 64)).fill(BigInt(`0x${word}`)).buffer);
  }

  private touch(gpa: number, write: boolean): string {
    const gfn = Math.floor(gpa / PAGE);
    const slot = this.engine.memslotAt(gfn, 0);
    if (!slot || (write && slot.flags & MemFlag.ReadOnly)) return 'mmio';
    const hva = slot.userspaceAddr + (gfn - slot.baseGfn) * PAGE;
    if (hva < POOL_HVA || hva >= POOL_HVA + POOL_SIZE) return 'fault';
    if (write) this.engine.markDirty(gfn, 0);
    return 'ok';
  }
}

/** The number of words of a line before its answer. */
const ARGUMENTS: Readonly<Record<string, number>> = { n: 0, q: 0, b: 1, v: 0, s: 5, g: 1, c: 4, m: 1, r: 1, w: 1, h: 0, z: 0 };

export interface Compared {
  calls: number;
  /** How often each kind of answer was given. */
  answers: Map<string, number>;
  /** The first call that the engine answers differently. */
  difference?: string;
}

/** `lines`: the output of kvm-fuzz; other lines in it are ignored. */
export function compareAnswers(lines: Iterable<string>, machine: KvmMachine): Compared {
  const player = new Player(machine);
  const compared: Compared = { calls: 0, answers: new Map() };
  for (const raw of lines) {
    const line = raw.trim();
    if (!/^([nv]|h( [0-9a-f]+:[0-9a-f]+)*|[qz] \w+|[bsgcmrw] [0-9a-f]+ .*)$/.test(line)) continue;
    const [call = '', ...words] = line.split(' ');
    const count = ARGUMENTS[call]!;
    const given = words.slice(count).join(' ');
    const ours = player.answer(call, words.slice(0, count), given);
    const kind = `${call} ${given.split(' ')[0]}`;
    compared.calls += 1;
    compared.answers.set(kind, (compared.answers.get(kind) ?? 0) + 1);
    // ENOMEM depends on the machine, not on the interface.
    if (given === ours || given === 'ENOMEM') continue;
    compared.difference = `call ${compared.calls}: ${line}\n  KVM answers '${given}', the engine (${machine.index}) '${ours}'`;
    break;
  }
  return compared;
}
