import { assertEquals } from "@std/assert";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import os from "node:os";
import path from "node:path";
import process from "node:process";
import test from "node:test";
import { detectRuntime } from "../../adapters/detect.ts";
import { RUN_ARGUMENTS } from "../support/child_program.ts";
import { startRemoteOrigin } from "../support/origin_process.ts";
import { createAuthority } from "../support/pki.ts";
import { run } from "../support/programs.ts";

const runtime = detectRuntime();
const dialers = { node: ["node"], deno: ["deno", "node"], bun: ["bun", "node"] }[runtime];

interface Settings {
  readonly environment: { readonly [name: string]: string };
  readonly flags?: readonly string[];
}

// As docs/tls-and-pins.md tells. `FILE` is a file with the authority's certificate.
const trusting: Record<typeof runtime, readonly Settings[]> = {
  node: [
    { environment: { NODE_EXTRA_CA_CERTS: "FILE" } },
    { environment: { SSL_CERT_FILE: "FILE" }, flags: ["--use-openssl-ca"] },
  ],
  deno: [
    { environment: { DENO_CERT: "FILE" } },
    { environment: { NODE_EXTRA_CA_CERTS: "FILE" } },
    { environment: { SSL_CERT_FILE: "FILE", DENO_TLS_CA_STORE: "system" } },
  ],
  bun: [
    { environment: { NODE_EXTRA_CA_CERTS: "FILE" } },
    { environment: { SSL_CERT_FILE: "FILE" } },
  ],
};

const authority = await createAuthority();
const certificate = await authority.issue({ names: ["a.test"] });

async function dialWith(settings: Settings, authorityFile: string): Promise<string> {
  await using origin = await startRemoteOrigin({ certificates: [certificate] });
  const named = Object.entries(settings.environment).map(([name, value]) => [
    name,
    value === "FILE" ? authorityFile : value,
  ]);
  const { output, stdout } = await run(process.execPath, [
    ...settings.flags ?? [],
    ...RUN_ARGUMENTS,
    "tests/support/trust_main.ts",
    String(origin.port),
    ...dialers,
  ], { environment: Object.fromEntries(named), timeoutMs: 30_000 });
  if (stdout === "") throw new Error(output);
  return stdout.trim();
}

for (const settings of trusting[runtime]) {
  const words = [...Object.keys(settings.environment), ...settings.flags ?? []].join(" with ");
  test(`${words} says whom every dialer trusts`, async () => {
    const folder = mkdtempSync(path.join(os.tmpdir(), "hotconn-trust-"));
    const file = path.join(folder, "ca.pem");
    writeFileSync(file, authority.cert);
    try {
      assertEquals(await dialWith(settings, file), dialers.map(() => "taken").join());
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
}

test("NODE_TLS_REJECT_UNAUTHORIZED=0 makes no dialer take what nobody vouches for", async () => {
  const settings = { environment: { NODE_TLS_REJECT_UNAUTHORIZED: "0" } };
  assertEquals(await dialWith(settings, ""), dialers.map(() => "certificate").join());
});
