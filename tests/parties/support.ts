/**
 * What the tests against parties share.
 *
 * @module
 */

import { assertEquals } from "@std/assert";
import { createHash } from "node:crypto";
import test from "node:test";
import {
  createPool,
  type CreatePoolOptions,
  type HttpPool,
  type RequestOptions,
  staticResolver,
} from "../../mod.ts";
import type { Party, PartyKind, PartySettings } from "../support/party.ts";
import { type Authority, createAuthority, type Credentials } from "../support/pki.ts";
import { testSideBySide } from "../support/side_by_side.ts";

/** The authority that the tests trust. */
export const ca: Authority = await createAuthority();

/** The certificate of every party. */
export const credentials: Credentials = await ca.issue({ names: ["a.test"] });

/** A party, and a pool that leads to it. */
export interface Scene {
  readonly party: Party;
  readonly pool: HttpPool;
}

/** How a scene is set. */
export interface SceneOptions extends Partial<PartySettings> {
  /** More options of the pool. */
  readonly pool?: CreatePoolOptions;
  /** The addresses of the host. @default {["127.0.0.1"]} */
  readonly addresses?: readonly string[];
}

/** Makes a pool that leads to a port. */
export function poolTo(
  port: number,
  options: CreatePoolOptions = {},
  addresses: readonly string[] = ["127.0.0.1"],
): HttpPool {
  return createPool({
    resolver: staticResolver({ "a.test": addresses.map((address) => `${address}:${port}`) }),
    tls: { ca: [ca.cert] },
    ...options,
  });
}

/** Declares a test with its own party, skipped where that party is not installed. */
export function testWith(
  kind: PartyKind,
  name: string,
  options: SceneOptions,
  body: (scene: Scene) => Promise<void>,
): void {
  test(titleOf(kind, name, options), { skip: skipOf(kind) }, () => run(kind, options, body));
}

/** Declares a test for each of some options, which mostly waits: they wait together. */
export function testTogether(
  kind: PartyKind,
  name: string,
  options: readonly SceneOptions[],
  body: (scene: Scene, options: SceneOptions) => Promise<void>,
): void {
  const tests = options.map((one) =>
    [titleOf(kind, name, one), () => run(kind, one, (scene) => body(scene, one))] as const
  );
  testSideBySide(Object.fromEntries(tests), { skip: skipOf(kind) });
}

function skipOf({ name, program }: PartyKind): string | false {
  return program === undefined && `${name} is not installed`;
}

function titleOf(kind: PartyKind, name: string, { protocol }: SceneOptions): string {
  return `${kind.name}${protocol === "h2" ? " over HTTP/2" : ""} ${name}`;
}

async function run(
  kind: PartyKind,
  { addresses, pool: poolOptions, ...settings }: SceneOptions,
  body: (scene: Scene) => Promise<void>,
): Promise<void> {
  const { protocol = "http/1.1" } = settings;
  await using party = await kind.start({ credentials, ...settings });
  await using pool = poolTo(party.port, { protocols: [protocol], ...poolOptions }, addresses);
  await body({ party, pool });
}

/** An answer, read to its end: what `request()` and `fetch()` have in common. */
export interface Answer {
  readonly status: number;
  readonly headers: { get(name: string): string | null };
  readonly bytes: Uint8Array;
}

/** A way to ask a pool for a path. */
export type Ask = (pool: HttpPool, path: string, options?: RequestOptions) => Promise<Answer>;

/** Asks by `request()`. */
export const ask: Ask = async (pool, path, options) => {
  const response = await pool.request(`https://a.test/${path}`, options);
  const { headers, status } = response;
  return { status, headers, bytes: await response.bytes() };
};

/** Asks by `fetch()`. */
export const askByFetch: Ask = async (pool, path, options) => {
  const init = { duplex: "half", ...options } as RequestInit;
  const response = await pool.fetch(`https://a.test/${path}`, init);
  const { headers, status } = response;
  return { status, headers, bytes: new Uint8Array(await response.arrayBuffer()) };
};

/** Both ways, by name. */
export const ways: readonly (readonly [name: string, ask: Ask])[] = [
  ["request()", ask],
  ["fetch()", askByFetch],
];

/** Which connection an answer came over, as the server numbers them. */
export function clientPort(answer: Answer): string {
  const port = answer.headers.get("x-client-port");
  if (port === null) throw new Error(`No client port came with status ${answer.status}`);
  return port;
}

/** Asks so many times, so many at once, and gives all answers. */
export async function askOften(
  scene: Scene,
  path: string,
  { times, atOnce }: { readonly times: number; readonly atOnce: number },
  options?: RequestOptions,
): Promise<Answer[]> {
  const answers: Answer[] = [];
  let left = times;
  await Promise.all(Array.from({ length: atOnce }, async () => {
    while (left-- > 0) answers.push(await ask(scene.pool, path, options));
  }));
  assertEquals(answers.length, times);
  return answers;
}

/** The SHA-256 of some bytes, in hexadecimal digits. */
export function sha256(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** A stream of some bytes, in parts. */
export function streamOf(bytes: Uint8Array, partBytes: number): ReadableStream<Uint8Array> {
  let at = 0;
  return new ReadableStream({
    pull(controller) {
      if (at >= bytes.length) return controller.close();
      controller.enqueue(bytes.slice(at, at += partBytes));
    },
  });
}

/** An error and all that caused it, in words. */
export function explain(error: unknown): string {
  return error instanceof Error && error.cause !== undefined
    ? `${error.message}, because ${explain(error.cause)}`
    : `${error}`;
}
