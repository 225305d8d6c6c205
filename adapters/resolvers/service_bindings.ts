/**
 * HTTPS and SVCB records: the machines and ports of a service, from DNS (RFC 9460).
 *
 * @module
 */

import { ipPort, isIp, parseAddress } from "../../src/core/address.ts";
import { messageOf } from "../../src/core/check.ts";
import { setDeadline, systemClock } from "../../src/core/clock.ts";
import { ResolveError } from "../../src/core/errors.ts";
import type { Resolution, ResolvedAddress } from "../../src/hosts/resolver.ts";
import { type Family, RESOLUTION_DELAY_MS } from "./address_families.ts";
import type { Found } from "./dns_message.ts";

/** One service binding. */
export interface ServiceBinding {
  /** 0 for an alias; else the lower, the earlier. */
  readonly priority: number;
  /** Whose addresses to use: `.` for the owner's own. */
  readonly target: string;
  /** The protocols that the machines there speak. */
  readonly protocols: readonly string[];
  /** Whether it says so: many do not, although their machines speak more than the default. */
  readonly tellsProtocols: boolean;
  /** The TCP port, if it differs from the URL's. */
  readonly port: number | undefined;
  /** Addresses to use if the target's own cannot be found. */
  readonly hints: readonly string[];
  /** Whether all of its mandatory parameters are known here. */
  readonly isKnown: boolean;
}

/** What it takes to find an origin's machines. */
export interface OriginQuestion {
  readonly name: string;
  /** @default {443} */
  readonly port: number | undefined;
  readonly families: readonly Family[];
  readonly signal: AbortSignal;
  /** Asks for a name's addresses. */
  readonly addresses: (name: string, signal: AbortSignal) => Promise<Resolution>;
  /** Asks for records. */
  readonly ask: <Type extends "HTTPS" | "SVCB">(
    name: string,
    type: Type,
    signal: AbortSignal,
  ) => Promise<Found<Type>>;
}

const KEY = { mandatory: 0, alpn: 1, noDefaultAlpn: 2, port: 3, ipv4hint: 4, ipv6hint: 6 };
const KNOWN_KEYS: readonly number[] = Object.values(KEY);

/** The default protocol of a record, and the one that it must speak to be of use. */
const DEFAULT_PROTOCOL = "http/1.1";

/** How many aliases are followed, from record to record. */
const MAX_ALIASES = 8;

/** How many records are looked up. */
const MAX_BINDINGS = 16;

/** After every record comes the origin as if there were none. */
const LAST_PRIORITY = 65_536;

/**
 * Finds the addresses of an origin by its HTTPS records, and those of its name, which serve where
 * the records lead nowhere. Records are waited for no longer than 50 ms after the addresses.
 *
 * @throws {ResolveError} Neither leads to an address
 * @throws The signal's reason, when it aborts first
 */
export async function resolveOrigin(question: OriginQuestion): Promise<Resolution> {
  const { addresses, name, port = 443, signal } = question;
  const own = addresses(name, signal);
  // The first failure must not be reported before the other one is asked.
  own.catch(() => {});
  const owner = port === 443 ? name : `_${port}._https.${name}`;
  // Most records lead back to the name itself, whose addresses are asked for already.
  const onward: OriginQuestion = {
    ...question,
    addresses: (target, signal) => target === name ? own : addresses(target, signal),
  };
  const bound = followBindings(onward, "HTTPS", owner).catch(() => {
    signal.throwIfAborted();
    return undefined;
  });
  const late = Symbol("late");
  const found = await Promise.race([
    bound,
    own.then(() => delay(RESOLUTION_DELAY_MS), () => bound).then((given) => given ?? late),
  ]);
  if (found === late) {
    bound.catch(() => {});
    return { ...await own, ttlMs: 0, partial: true };
  }
  const bindings = found as Resolution | undefined;
  if (!bindings || bindings.addresses.length === 0) return await own;
  const rest = await own.catch(() => undefined);
  const ttls = [bindings.ttlMs, rest?.ttlMs].filter((ttl) => ttl !== undefined);
  const last = (rest?.addresses ?? []).map((address) => ({
    ...asObject(address),
    priority: LAST_PRIORITY,
  }));
  const partial = bindings.partial === true || rest?.partial === true;
  return {
    addresses: [...bindings.addresses, ...last],
    ...ttls.length > 0 && { ttlMs: Math.min(...ttls) },
    ...partial && { partial },
  };
}

/**
 * Finds the addresses that the SVCB records of a name lead to. Those who name the records know which
 * protocol is spoken there, so none is skipped for its protocols.
 *
 * @throws {ResolveError} They lead to none
 * @throws The signal's reason, when it aborts first
 */
export async function resolveBindings(question: OriginQuestion): Promise<Resolution> {
  const { name, signal } = question;
  let found: Resolution;
  try {
    found = await followBindings(question, "SVCB", name);
  } catch (error) {
    signal.throwIfAborted();
    const detail = messageOf(error);
    throw new ResolveError(name, `SVCB: ${detail}`, { cause: error });
  }
  if (found.addresses.length > 0) return found;
  throw new ResolveError(name, "SVCB: none of its records leads to an address");
}

/** The addresses that records lead to; none if no record is of use. */
async function followBindings(
  question: OriginQuestion,
  type: "HTTPS" | "SVCB",
  first: string,
): Promise<Resolution> {
  const { ask, name, signal } = question;
  let asked = first;
  let ttlMs = Infinity;
  for (let aliases = 0; aliases <= MAX_ALIASES; aliases++) {
    const found = await ask(asked, type, signal).catch((error) => {
      // The target of an alias need not have such records.
      if (aliases === 0) throw error;
      return undefined;
    });
    if (!found) return await addressesOf(question, { target: asked }, ttlMs);
    ttlMs = Math.min(ttlMs, found.ttlMs);
    const bindings = found.records.map(readBinding);
    const alias = bindings.find(({ priority }) => priority === 0);
    if (!alias) {
      // A record of a port's own name describes the machines of the name that was asked for.
      const owner = asked === first && found.owner === asked ? name : found.owner;
      const usable = bindings.filter(({ isKnown, protocols }) =>
        isKnown && (type === "SVCB" || protocols.includes(DEFAULT_PROTOCOL))
      );
      return await bindAll(question, usable, owner, ttlMs);
    }
    if (alias.target === ".") return { addresses: [] };
    asked = alias.target;
  }
  throw new Error(`more than ${MAX_ALIASES} aliases, or a loop of them`);
}

async function bindAll(
  question: OriginQuestion,
  bindings: readonly ServiceBinding[],
  owner: string,
  ttlMs: number,
): Promise<Resolution> {
  const first = [...bindings].sort((a, b) => a.priority - b.priority).slice(0, MAX_BINDINGS);
  const found = await Promise.all(first.map((binding) =>
    addressesOf(
      question,
      { ...binding, target: binding.target === "." ? owner : binding.target },
      ttlMs,
    )
      .catch(() => ({ addresses: [], ttlMs, partial: true }))
  ));
  return {
    addresses: found.flatMap(({ addresses }) => addresses),
    ttlMs: Math.min(ttlMs, ...found.map(({ ttlMs: ttl }) => ttl ?? Infinity)),
    partial: found.some(({ partial }) => partial === true),
  };
}

async function addressesOf(
  { addresses, families, signal }: OriginQuestion,
  binding: Partial<ServiceBinding> & { readonly target: string },
  ttlMs: number,
): Promise<Resolution> {
  const { hints = [], port, priority = 1, protocols, target, tellsProtocols } = binding;
  const wanted = hints.filter((hint) => families.includes(parseAddress(hint).family));
  const found = await addresses(target, signal).catch((error): Resolution => {
    signal.throwIfAborted();
    if (wanted.length === 0) throw error;
    return { addresses: wanted, ttlMs, partial: true };
  });
  return {
    addresses: found.addresses.map((item) => {
      const { address } = asObject(item);
      return {
        address: port === undefined ? address : ipPort(address, port),
        priority,
        ...tellsProtocols && { protocols },
      };
    }),
    ttlMs: Math.min(ttlMs, found.ttlMs ?? Infinity),
    partial: found.partial,
  };
}

function asObject(address: string | ResolvedAddress): ResolvedAddress {
  return typeof address === "string" ? { address } : address;
}

function delay(ms: number): Promise<undefined> {
  return new Promise((resolve) => setDeadline(systemClock, () => resolve(undefined), ms));
}

/**
 * Reads a service binding.
 *
 * @throws {Error} It is malformed (RFC 9460 section 2.2): none of its message is of use then
 */
export function readBinding(data: Uint8Array): ServiceBinding {
  const reader = new Reader(data);
  const priority = reader.number16();
  const labels: string[] = [];
  for (let length = reader.number8(); length > 0; length = reader.number8()) {
    labels.push(text(reader.take(length)));
  }
  const target = labels.length === 0 ? "." : labels.join(".").toLowerCase();
  const values = new Map<number, Reader>();
  let last = -1;
  while (reader.left > 0) {
    const key = reader.number16();
    if (key <= last) throw new Error("the record is malformed: its keys are not in order");
    last = key;
    values.set(key, new Reader(reader.take(reader.number16())));
  }
  const mandatory = listOf(values.get(KEY.mandatory), (value) => value.number16());
  const alpn = listOf(values.get(KEY.alpn), (value) => text(value.take(value.number8())));
  const hints = [
    ...listOf(values.get(KEY.ipv4hint), (value) => [...value.take(4)].join(".")),
    ...listOf(
      values.get(KEY.ipv6hint),
      (value) => [...Array(8)].map(() => value.number16().toString(16)).join(":"),
    ),
  ];
  return {
    priority,
    target,
    protocols: values.has(KEY.noDefaultAlpn) ? alpn : [...new Set([...alpn, DEFAULT_PROTOCOL])],
    tellsProtocols: values.has(KEY.alpn),
    port: values.get(KEY.port)?.number16(),
    hints: hints.filter(isIp),
    isKnown: mandatory.every((key) => KNOWN_KEYS.includes(key) && values.has(key)),
  };
}

function listOf<T>(value: Reader | undefined, read: (value: Reader) => T): T[] {
  const items: T[] = [];
  while (value && value.left > 0) items.push(read(value));
  return items;
}

/** Reads bytes in order; too few are an error. */
class Reader {
  readonly #bytes: Uint8Array;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  number8(): number {
    return this.take(1)[0]!;
  }

  number16(): number {
    const [high = 0, low = 0] = this.take(2);
    return high << 8 | low;
  }

  take(length: number): Uint8Array {
    if (length > this.left) throw new Error("the record is malformed: it is cut short");
    return this.#bytes.subarray(this.#at, this.#at += length);
  }
}

function text(bytes: Uint8Array): string {
  return String.fromCharCode(...bytes);
}
