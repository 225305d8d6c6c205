import { assertEquals, assertThrows } from "@std/assert";
import { X509Certificate } from "node:crypto";
import fs from "node:fs";
import test from "node:test";
import { rootCertificates } from "node:tls";
import { bytesOfPem, readAuthorities } from "../../../src/core/trust/authorities.ts";
import { readCertificate } from "../../../src/core/trust/certificate.ts";
import { readAll } from "../../../src/core/trust/der.ts";
import { createAuthority, createSelfSigned } from "../../support/pki.ts";
import { Random, withSeed } from "../../support/random.ts";

const authority = await createAuthority();
const names = ["a.test", "*.b.test", "127.0.0.1", "::1"];
const [leaf] = bytesOfPem([(await authority.issue({ names })).cert]);

test("readCertificate() reads names, addresses and strength from the bytes", () => {
  const read = readCertificate(leaf!);
  assertEquals(read.dnsNames, ["a.test", "*.b.test"]);
  assertEquals(read.ipAddresses.map((ip) => [...ip]), [
    [127, 0, 0, 1],
    [...new Uint8Array(15), 1],
  ]);
  assertEquals([read.weakKey, read.weakSignature, read.maySign], [null, null, false]);
  assertEquals(readCertificate(bytesOfPem([authority.cert])[0]!).maySign, true);
});

test("readCertificate() reads every authority that the runtime trusts", () => {
  const roots = readAuthorities(rootCertificates);
  assertEquals(roots.length, rootCertificates.length);
  for (const der of bytesOfPem(roots)) readCertificate(der);
});

test("readCertificate() reads when a certificate runs out, as the runtime does", () => {
  for (const pem of rootCertificates) {
    const [der] = bytesOfPem([pem]);
    assertEquals(readCertificate(der!).endsAt, Date.parse(new X509Certificate(pem).validTo), pem);
  }
});

test("readCertificate() reads every authority of the system's file", (t) => {
  const file = "/etc/ssl/certs/ca-certificates.crt";
  if (!fs.existsSync(file)) return t.skip(`the system has no ${file}`);
  for (const der of bytesOfPem(readAuthorities(fs.readFileSync(file)))) readCertificate(der);
});

test("readCertificate() reads what is damaged or refuses it, and never fails otherwise", () =>
  withSeed((seed) => {
    const random = new Random(seed);
    for (let i = 0; i < 5_000; i++) {
      const damaged = leaf!.slice(0, leaf!.length - (random.chance(0.2) ? random.below(400) : 0));
      for (let n = random.below(4); n >= 0; n--) {
        damaged[random.below(damaged.length)] = random.below(256);
      }
      try {
        readCertificate(damaged);
      } catch (error) {
        if (!(error instanceof RangeError)) throw error;
      }
    }
  }));

test("readCertificate() refuses DER that is cut off, or followed by more", async () => {
  const [der] = bytesOfPem([(await createSelfSigned({ names: ["a.test"] })).cert]);
  assertThrows(() => readCertificate(der!.subarray(0, -1)), RangeError);
  assertThrows(() => readCertificate(Uint8Array.of(...der!, 0)), RangeError);
  for (const bad of [[0x30], [0x30, 0x80], [0x30, 0x85], [0x3f, 0x00], [0x30, 0x82, 0x01]]) {
    assertThrows(() => readAll(Uint8Array.from(bad)), RangeError);
  }
});
