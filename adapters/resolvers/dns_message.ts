/**
 * DNS messages: a question, and what the answer to it says.
 *
 * @module
 */

import { decode, type DecodedPacket, encode, RECURSION_DESIRED } from "dns-packet";
import type { Buffer } from "node:buffer";
import { isIp } from "../../src/core/address.ts";
import { messageOf } from "../../src/core/check.ts";
import type { SrvRecord } from "../../src/hosts/resolver.ts";

/** The data of each type of record that is asked for. */
export interface RecordData {
  /** An IPv4 address. */
  readonly A: string;
  /** An IPv6 address. */
  readonly AAAA: string;
  /** A target of a service. */
  readonly SRV: SrvRecord;
  /** A service binding as it was sent (RFC 9460 section 2.2). */
  readonly HTTPS: Uint8Array;
  /** The same for any other type. */
  readonly SVCB: Uint8Array;
}

/** A type of record. */
export type RecordType = keyof RecordData;

/** The records that a message has for a question: at least one. */
export interface Found<Type extends RecordType> {
  readonly records: readonly RecordData[Type][];
  /** The name that they are of, at the end of its aliases. */
  readonly owner: string;
  /** How long they and the aliases that lead to them hold, in milliseconds. */
  readonly ttlMs: number;
}

/** A server's statement that something does not exist, which no other server would contradict. */
export class DnsDenial extends Error {}

/** How many aliases are followed. */
const MAX_ALIASES = 16;

/** How large an answer over UDP may be: what fits everywhere (the DNS flag day of 2020). */
const UDP_BYTES = 1_232;

/** The library's names for them; it has none for service bindings. */
const TYPES = {
  A: "A",
  AAAA: "AAAA",
  SRV: "SRV",
  HTTPS: "UNKNOWN_65",
  SVCB: "UNKNOWN_64",
} as const;

/**
 * Writes a question.
 *
 * @param id 0 if the same question is always to look the same
 * @param overUdp Whether to say how large an answer may be
 */
export function encodeQuestion(name: string, type: RecordType, id = 0, overUdp = false): Buffer {
  return encode({
    type: "query",
    id,
    flags: RECURSION_DESIRED,
    questions: [{ name, type: TYPES[type] as "A", class: "IN" }],
    ...overUdp && {
      additionals: [{
        type: "OPT",
        name: ".",
        udpPayloadSize: UDP_BYTES,
        extendedRcode: 0,
        ednsVersion: 0,
        flags: 0,
        flag_do: false,
        options: [],
      }],
    },
  });
}

/** Whether a message is truncated: the whole one is available over TCP. */
export function isTruncated(bytes: Uint8Array): boolean {
  return bytes.length > 2 && (bytes[2]! & 0x02) !== 0;
}

/**
 * Reads what a message says about a name: the records at the end of its aliases.
 *
 * @throws {DnsDenial} There is no such name, or no such record of it
 * @throws {Error} It says why not
 */
export function readRecords<Type extends RecordType>(
  bytes: Buffer,
  name: string,
  type: Type,
): Found<Type> {
  const { answers = [] } = readPacket(bytes, name, TYPES[type]);
  let owner = name;
  let ttl = Infinity;
  for (let aliases = 0; aliases <= MAX_ALIASES; aliases++) {
    const records: RecordData[Type][] = [];
    let alias: string | undefined;
    let aliasTtl = Infinity;
    for (const answer of answers) {
      if (!("ttl" in answer) || answer.class !== "IN" || !isSame(answer.name, owner)) continue;
      if (answer.type as string === TYPES[type]) {
        const { data } = answer as { readonly data: unknown };
        if ((type === "A" || type === "AAAA") && !isIp(data as string)) {
          throw new Error("the message is malformed: no address");
        }
        records.push(data as RecordData[Type]);
        ttl = Math.min(ttl, ttlOf(answer.ttl));
      } else if (answer.type === "CNAME" && alias === undefined) {
        alias = answer.data;
        aliasTtl = ttlOf(answer.ttl);
      }
    }
    if (records.length > 0) return { records, owner, ttlMs: 1_000 * ttl };
    if (alias === undefined) {
      const what = type === "A" || type === "AAAA" ? "address" : "record";
      throw new DnsDenial(`NODATA, the name has no such ${what}`);
    }
    owner = alias;
    ttl = Math.min(ttl, aliasTtl);
  }
  throw new Error(`more than ${MAX_ALIASES} aliases, or a loop of them`);
}

function readPacket(bytes: Buffer, name: string, type: string): DecodedPacket {
  let packet: DecodedPacket & { readonly rcode?: string };
  try {
    packet = decode(bytes);
  } catch (error) {
    const detail = messageOf(error);
    throw new Error(`the message is malformed: ${detail}`, { cause: error });
  }
  if (!packet.flag_qr) throw new Error("the message is malformed: no response");
  if (packet.flag_tc) throw new Error("the message is truncated");
  if (packet.rcode === "NXDOMAIN") throw new DnsDenial("the server answered NXDOMAIN");
  if (packet.rcode !== "NOERROR") throw new Error(`the server answered ${packet.rcode}`);
  const [question, ...others] = packet.questions ?? [];
  if (!question || others.length > 0 || question.type !== type || !isSame(question.name, name)) {
    throw new Error("the message answers another question");
  }
  return packet;
}

/** Names are the same whatever their case (RFC 4343). */
function isSame(name: string, other: string): boolean {
  return name.toLowerCase() === other.toLowerCase();
}

/** In seconds. One with the highest bit set counts as 0 (RFC 2181 section 8). */
function ttlOf(ttl: number | undefined): number {
  return ttl === undefined || ttl > 0x7fffffff ? 0 : ttl;
}
