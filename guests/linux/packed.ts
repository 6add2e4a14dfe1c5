/**
 * Unpacks the compressed parts of a kernel package: the kernel's payload (LZ4 or zstd) and modules (xz, from Linux 6.12 on). Node supports neither xz
 * nor zstd, but dpkg-deb does: it unpacks the data member of any package, so the bytes are wrapped in one.
 */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { unpackLz4Legacy } from './lz4';

const XZ = [0xfd, 0x37, 0x7a, 0x58, 0x5a, 0];
const ZSTD = [0x28, 0xb5, 0x2f, 0xfd];
/** Bytes; larger sizes are refused. */
const LIMIT = 1 << 28;
/** dpkg-deb requires a control member, but does not read it. */
const NO_CONTROL = new Uint8Array(1024);

const startsWith = (bytes: Uint8Array, magic: readonly number[]): boolean => magic.every((byte, i) => bytes[i] === byte);

/** A member of an ar archive (deb(5)): a header of 60 bytes, the data, padded to an even length. */
function member(name: string, data: Uint8Array): Buffer {
  const header = `${name.padEnd(16)}${'0'.padEnd(12)}${'0'.padEnd(6)}${'0'.padEnd(6)}${'100644'.padEnd(8)}${String(data.length).padEnd(10)}\`\n`;
  return Buffer.concat([Buffer.from(header), data, Buffer.from(data.length % 2 ? '\n' : '')]);
}

/** `extension`: tells dpkg-deb the compression. Throws an Error that says what is wrong. */
function unpackByDpkg(packed: Uint8Array, extension: 'xz' | 'zst'): Uint8Array {
  const folder = mkdtempSync(join(tmpdir(), 'unpacking-'));
  try {
    const archive = join(folder, 'package.deb');
    const members = [
      member('debian-binary', Buffer.from('2.0\n')),
      member('control.tar', NO_CONTROL),
      member(`data.tar.${extension}`, packed),
    ];
    writeFileSync(archive, Buffer.concat([Buffer.from('!<arch>\n'), ...members]));
    return execFileSync('dpkg-deb', ['--fsys-tarfile', archive], { maxBuffer: LIMIT, stdio: ['ignore', 'pipe', 'pipe'] });
  } catch (error) {
    const said = error instanceof Error && 'stderr' in error ? String(error.stderr).trim().split('\n')[0] : '';
    throw new Error(`dpkg-deb does not unpack ${extension}: ${said || (error as Error).message}`);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/** `size`: bytes that the payload unpacks to. Throws an Error that says what is wrong. */
export function unpackPayload(packed: Uint8Array, size: number): Uint8Array {
  const extension = startsWith(packed, ZSTD) ? 'zst' : startsWith(packed, XZ) ? 'xz' : undefined;
  if (extension === undefined) return unpackLz4Legacy(packed, size);
  const unpacked = unpackByDpkg(packed, extension);
  if (unpacked.length !== size) throw new Error(`the payload unpacks to ${unpacked.length} bytes, and should to ${size}`);
  return unpacked;
}

/** A module as insmod takes it. */
export function unpackModule(file: Uint8Array): Uint8Array {
  return startsWith(file, XZ) ? unpackByDpkg(file, 'xz') : file;
}
