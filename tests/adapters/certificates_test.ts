import { assert, assertEquals, assertInstanceOf } from "@std/assert";
import process from "node:process";
import test from "node:test";
import { detectRuntime } from "../../adapters/detect.ts";
import type { Dialer, TlsOptions } from "../../src/core/dialer.ts";
import { DialError } from "../../src/core/errors.ts";
import type { ServedCase } from "../support/certificate_main.ts";
import { startNodeProgram } from "../support/node_program.ts";

const runtime = detectRuntime();
const names = { node: ["node"], deno: ["deno", "node"], bun: ["bun", "node"] }[runtime];
const served = await startNodeProgram("certificate_main.ts", {}) as ServedCase[];

const isLateNode = runtime === "node" && Number.parseInt(process.versions.node) > 20;

// Node 24 dies of curves that NIST has no name for, in its own look at the chain after a handshake.
const deadly: ReadonlySet<string> = new Set(
  isLateNode
    ? ["key brainpoolP256r1", "an intermediate of secp256k1"]
    : [],
);
const cases = served.filter(({ id }) => !deadly.has(id));
const died = isLateNode && "Node 24 dies of it";
for (const id of deadly) test(`A certificate is judged: ${id}`, { skip: died }, () => {});

// Where a column differs, as the README's table says, and why.
const differing: { readonly [id: string]: readonly string[] } = {
  // Neither rustls nor BoringSSL knows Ed448.
  "key ed448": ["deno/deno", "deno/node", "bun/bun", "bun/node"],
  "signature ed448": ["deno/deno", "deno/node", "bun/bun", "bun/node"],
  // rustls does not look at what an authority's key may be used for.
  "an intermediate that may not sign certificates": ["deno/deno"],
  // rustls takes no authority's own certificate for a server's.
  "an authority's own that is trusted, as openssl makes it": ["deno/deno"],
};

// No client offers a signature for such a key, so the server can show no certificate; and what
// BoringSSL cannot read is none to it.
const brokenOff: ReadonlySet<string> = new Set([
  "key ed448",
  "key rsa-pss",
  "key secp224r1",
  "key secp256k1",
  "key brainpoolP256r1",
  "a curve that is spelled out",
]);

test("the certificate matrix has its cases", () => {
  assert(cases.length >= 100, `${cases.length} cases`);
  assertEquals(new Set(cases.map(({ id }) => id)).size, cases.length);
});

for (const name of names) {
  const module = await import(`../../adapters/${name}.ts`);
  const dialer: Dialer = module[`${name}Dialer`]();
  const column = `${runtime}/${name}`;

  test(`${column}: dial() takes and refuses certificates as on every other runtime`, async () => {
    const wrong: string[] = [];
    for (const one of cases) {
      const { id, verdict } = one;
      const isOther = differing[id]?.includes(column) ?? false;
      const wanted = (verdict === "take") === isOther ? "refuse" : "take";
      const got = await verdictOf(dialer, one);
      const fits = wanted === "take"
        ? got === "take"
        : got === "certificate" || (got === "handshake" && brokenOff.has(id));
      if (!fits) wrong.push(`${id}: ${got}, should be ${wanted}`);
    }
    assertEquals(wrong, []);
  });

  if (!dialer.capabilities.has("dangerouslyAcceptWeakCertificate")) continue;
  test(`${column}: dial() takes weak certificates where it is told to, and no others`, async () => {
    const relaxed = { dangerouslyAcceptWeakCertificate: true };
    const verdict = (id: string) => {
      const one = cases.find((other) => other.id === id);
      assert(one, id);
      return verdictOf(dialer, one, relaxed);
    };
    assertEquals(await verdict("a common name alone"), "take");
    assertEquals(await verdict("another name"), "certificate");
    assertEquals(await verdict("an unknown authority"), "certificate");
    assertEquals(await verdict("run out"), "certificate");
    // The own rules of Deno and of Node 24 are as strict.
    const isStrict = runtime === "deno" || isLateNode;
    assertEquals(await verdict("key rsa1024"), isStrict ? "certificate" : "take");
  });
}

async function verdictOf(dialer: Dialer, one: ServedCase, tls: TlsOptions = {}): Promise<string> {
  const { ca, port, serverName = "a.test" } = one;
  const target = {
    host: serverName,
    serverName,
    address: `127.0.0.1:${port}`,
    ip: "127.0.0.1",
    port,
    tls: { ca, ...tls },
  };
  try {
    (await dialer.dial(target, new AbortController().signal)).destroy();
    return "take";
  } catch (error) {
    assertInstanceOf(error, DialError);
    return error.failure;
  }
}
