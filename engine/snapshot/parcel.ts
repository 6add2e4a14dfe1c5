/** The content of state and replay links: u32 length (little-endian), that many bytes of JSON (the head), then bytes that the head describes. */
import { Refused } from './container';

/** 2: hvas count from the start of host memory, and the vCPU records have a version. */
export const PARCEL_VERSION = 2;

export function packParcel(head: object, parts: readonly Uint8Array[]): Uint8Array {
  const text = new TextEncoder().encode(JSON.stringify({ v: PARCEL_VERSION, ...head }));
  const all = new Uint8Array(4 + text.length + parts.reduce((sum, part) => sum + part.length, 0));
  new DataView(all.buffer).setUint32(0, text.length, true);
  all.set(text, 4);
  let at = 4 + text.length;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  return all;
}

/** Throws Refused. The head is an object of a supported version; nothing else in it is checked. */
export function openParcel(bytes: Uint8Array): { version: number; head: Record<string, unknown>; body: Uint8Array } {
  const length = bytes.length >= 4 ? new DataView(bytes.buffer, bytes.byteOffset, 4).getUint32(0, true) : Number.POSITIVE_INFINITY;
  if (4 + length > bytes.length) throw new Refused('its head is cut off');
  const head = jsonOf(bytes.subarray(4, 4 + length));
  if (typeof head !== 'object' || head === null || Array.isArray(head)) throw new Refused('its head is not an object');
  const fields = head as Record<string, unknown>;
  if (fields.v !== 1 && fields.v !== PARCEL_VERSION)
    throw new Refused(`its version is ${JSON.stringify(fields.v)?.slice(0, 20)}, this program reads 1 and ${PARCEL_VERSION}`);
  return { version: fields.v, head: fields, body: bytes.subarray(4 + length) };
}

function jsonOf(bytes: Uint8Array): unknown {
  try {
    return JSON.parse(new TextDecoder('utf-8', { fatal: true }).decode(bytes));
  } catch {
    throw new Refused('its head is not JSON');
  }
}

export function digestIn(head: Record<string, unknown>): string {
  if (typeof head.digest !== 'string' || !/^[0-9a-f]{64}$/.test(head.digest)) throw new Refused('digest is not a SHA-256');
  return head.digest;
}
