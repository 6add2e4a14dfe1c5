import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { KVM_MODULES, kvmInitramfs } from './initramfs';
import { PROGRAMS } from './programs';

const root = fileURLToPath(new URL('../../..', import.meta.url));

describe('our programs in linux-kvm', () => {
  it('are what their sources build, byte for byte', () => {
    const text = execFileSync(process.execPath, ['node_modules/tsx/dist/cli.mjs', 'guests/linux/kvm/build.ts', '--check'], {
      cwd: root,
      encoding: 'utf8',
    });
    // Another compiler, or none, cannot make these bytes: the script then says so and the check is left out.
    expect(text).toMatch(/^kvm programs: (.*, \d+ bytes, is what its sources build\n){3}$|^kvm programs: not built: /m);
  });

  it.each(PROGRAMS)('%s is a small static program that names no path of the machine that built it', (name) => {
    const image = readFileSync(new URL(name, import.meta.url));
    expect(image.length).toBeLessThan(32 * 1024);
    expect(image.subarray(0, 4).toString('latin1')).toBe('\x7fELF');
    const text = image.toString('latin1');
    expect(text).not.toMatch(/\/(home|work|tmp|root|usr)\//);
    expect(text).not.toContain('GCC:');
  });

  it('lie in the initramfs with the modules, which a shell lists in the order of loading', () => {
    const nothing = new Uint8Array();
    const archive = Buffer.from(
      kvmInitramfs(
        nothing,
        KVM_MODULES.map(() => nothing),
      ),
    ).toString('latin1');
    for (const name of PROGRAMS) expect(archive).toContain(`bin/${name}\0`);
    const modules = [...archive.matchAll(/lib\/kvm\/(\S+?\.ko)\0/g)].map(([, name]) => name!);
    expect(modules.toSorted()).toEqual(['0-irqbypass.ko', '1-kvm.ko', '2-kvm-amd.ko']);
  });
});
