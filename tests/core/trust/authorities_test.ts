import { assertEquals, assertFalse, assertStrictEquals, assertThrows } from "@std/assert";
import test from "node:test";
import {
  type Authorities,
  bytesOfPem,
  readAuthorities,
} from "../../../src/core/trust/authorities.ts";
import { createAuthority } from "../../support/pki.ts";

const [a, b] = await Promise.all([createAuthority("A"), createAuthority("B")]);
const [derA, derB] = bytesOfPem([a.cert, b.cert]) as [Uint8Array, Uint8Array];
const bytes = (text: string) => new TextEncoder().encode(text);

test("readAuthorities() takes a text, bytes, and lists of both, with one certificate or many", () => {
  const file = `# A comment\n${a.cert.replaceAll("\n", "\r\n")}\nSubject: B\n${b.cert}\n`;
  const forms: Authorities[] = [
    file,
    bytes(file),
    [file],
    [bytes(file)],
    [a.cert, b.cert],
    [bytes(a.cert), b.cert],
    [derA, derB],
    Uint8Array.of(...derA, ...derB),
  ];
  for (const form of forms) assertEquals(bytesOfPem(readAuthorities(form)), [derA, derB]);
});

test("readAuthorities() reads its own answer no second time", () => {
  const read = readAuthorities(a.cert);
  assertStrictEquals(readAuthorities(read), read);
});

test("readAuthorities() names what holds no certificate, says what it may be, and never shows it", () => {
  const secret = "c2VjcmV0";
  const cases: readonly [unknown, string][] = [
    [
      "ca.pem",
      "tls.ca has no certificate in PEM: it looks like a path; pass the file's content instead",
    ],
    [["/etc/ca"], "tls.ca[0] has no certificate in PEM: it looks like a path"],
    [[a.cert, secret], "tls.ca[1] has no certificate in PEM: certificates begin with"],
    [
      `-----BEGIN PRIVATE KEY-----\n${secret}\n-----END PRIVATE KEY-----`,
      "tls.ca has no certificate in PEM, only a private key",
    ],
    [
      `-----BEGIN CERTIFICATE-----\n${secret}\n-----END CERTIFICATE-----`,
      "tls.ca has a certificate that cannot be read",
    ],
    [[derA.subarray(0, 99)], "tls.ca[0] has a certificate that cannot be read"],
    [[], "tls.ca must hold a certificate, got an empty list"],
    ["", "tls.ca has no certificate in PEM"],
    [5, "tls.ca must be certificates in PEM, as text or bytes, got 5"],
    [[null], "tls.ca[0] must be certificates in PEM, as text or bytes, got null"],
  ];
  for (const [ca, message] of cases) {
    const error = assertThrows(() => readAuthorities(ca as Authorities), TypeError, message);
    assertFalse(error.message.includes(secret));
  }
});
