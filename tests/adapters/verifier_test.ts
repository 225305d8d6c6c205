import { assert, assertEquals, assertThrows } from "@std/assert";
import { createHash, X509Certificate } from "node:crypto";
import test from "node:test";
import { Verifier } from "../../adapters/sockets/verifier.ts";
import type { DialTarget } from "../../src/core/dialer.ts";
import { DialError } from "../../src/core/errors.ts";
import { createAuthority } from "../support/pki.ts";

const authority = await createAuthority();
const target: DialTarget = {
  host: "a.test",
  serverName: "a.test",
  address: "192.0.2.1",
  ip: "192.0.2.1",
  port: 443,
  tls: { ca: authority.cert },
};

/** Shows a certificate for a name, and counts how often it is looked at. */
async function shown(name: string, hasFingerprint: boolean) {
  const { cert } = await authority.issue({ names: [name] });
  const raw = (pem: string) => ({ raw: new Uint8Array(new X509Certificate(pem).raw) });
  const server = {
    looks: 0,
    fingerprint256: hasFingerprint ? new X509Certificate(cert).fingerprint256 : undefined,
    certificate() {
      server.looks++;
      return { ...raw(cert), issuerCertificate: raw(authority.cert) };
    },
    reader: () => X509Certificate,
  };
  return server;
}

const make = () => new Verifier({ createHash, roots: () => [] });

test("A certificate that was accepted once is not looked at again", async () => {
  const verifier = make();
  const server = await shown("a.test", true);
  const endsAt = verifier.check(server, target);
  assert(endsAt !== undefined && endsAt > Date.now());
  assertEquals(verifier.check(server, target), endsAt);
  assertEquals(server.looks, 1);
});

test("A server without a fingerprint is looked at each time, whoever was accepted before", async () => {
  const verifier = make();
  const server = await shown("a.test", false);
  for (let count = 0; count < 2; count++) verifier.check(server, target);
  assertEquals(server.looks, 2);
  const other = await shown("b.test", false);
  assertThrows(() => verifier.check(other, target), DialError);
  assertEquals(verifier.covers(other, target), false);
});
