/**
 * The dialer contract: what is offered, verified and refused in the handshake.
 *
 * @module
 */

import {
  assert,
  assertEquals,
  assertRejects,
  assertStringIncludes,
  assertThrows,
} from "@std/assert";
import { createPrivateKey, X509Certificate } from "node:crypto";
import test from "node:test";
import type { TlsOptions } from "../../../src/core/dialer.ts";
import { DialError, UnsupportedOptionError } from "../../../src/core/errors.ts";
import { createAuthority, createSelfSigned, createUnreadable } from "../../support/pki.ts";
import {
  assertDialFails,
  ca,
  type DialerUnderTest,
  honours,
  leaf,
  leafB,
  withOrigin,
} from "./support.ts";

const otherCa = await createAuthority("Another CA");
// Named as the good one, so that only its signature tells them apart.
const impostorCa = await createAuthority();
const client = await ca.issueClient("a client");

// Each option with a value that would be valid.
const samples: Required<TlsOptions> = {
  serverName: "a.test",
  ca: [ca.cert],
  clientCertificate: client,
  alpn: ["http/1.1"],
  minVersion: "TLSv1.2",
  maxVersion: "TLSv1.3",
  ciphers: ["TLS_AES_128_GCM_SHA256", "ECDHE-ECDSA-AES128-GCM-SHA256"],
  groups: ["P-256"],
  pins: [leaf.pin],
  dangerouslyAcceptWeakCertificate: true,
  dangerouslyAcceptAnyCertificate: true,
};

/** Registers this part's tests. */
export function testHandshake(name: string, under: DialerUnderTest): void {
  test(`${name}: dial() sends the host's name and tells which protocol was agreed (trap 24)`, () =>
    withOrigin(under, { alpn: ["h2", "http/1.1"] }, async ({ origin, dial }) => {
      const { socket } = await dial({ alpn: ["http/1.1"] });
      assertEquals(socket.info.alpn, "http/1.1");
      const { connections: [seen] } = await origin.until({ handshakes: 1 });
      assertEquals(seen?.sni, "a.test");
      assertEquals(seen?.hello?.alpn, ["http/1.1"]);
      assertEquals(seen?.alpn, "http/1.1");
    }));

  test(`${name}: dial() tells null where no protocol was agreed (trap 24)`, () =>
    withOrigin(under, {}, async ({ origin, dial }) => {
      assertEquals((await dial()).socket.info.alpn, null);
      assertEquals((await dial({ alpn: ["http/1.1"] })).socket.info.alpn, null);
      const { connections } = await origin.until({ handshakes: 2 });
      assertEquals(connections.map((seen) => seen.hello?.alpn), [[], ["http/1.1"]]);
    }));

  test(`${name}: dial() refuses protocols that fit no ClientHello, and dials nothing (trap 24)`, () =>
    withOrigin(under, {}, async ({ origin, dial }) => {
      for (const protocol of ["", "x".repeat(256), "\u00e9".repeat(128)]) {
        await assertRejects(() => dial({ alpn: ["h2", protocol] }), RangeError, "1 to 255 bytes");
      }
      assertEquals((await origin.report()).accepted, 0);
      await dial({ alpn: ["x".repeat(255)] });
    }));

  test(`${name}: dial() tells both ends and how long it took`, () =>
    withOrigin(under, {}, async ({ origin, dial }) => {
      const { info } = (await dial()).socket;
      assert(info.tcpMs >= 0 && info.tlsMs > 0, JSON.stringify(info));
      if (under.isTunnelled) assert(info.remoteAddress !== `127.0.0.1:${origin.port}`);
      else if (info.remoteAddress !== undefined) {
        assertEquals(info.remoteAddress, `127.0.0.1:${origin.port}`);
      }
      if (info.localAddress !== undefined) assert(/^127\.0\.0\.1:\d+$/.test(info.localAddress));
      if (info.version !== undefined) assertEquals(info.version, "TLSv1.3");
    }));

  test(`${name}: dial() tells when the first certificate of the chain runs out, or nothing of it`, () =>
    withOrigin(under, {}, async ({ dial, dialer }) => {
      const ends = [leaf.cert, ca.cert].map((pem) => Date.parse(new X509Certificate(pem).validTo));
      const { info } = (await dial()).socket;
      assertEquals(
        info.certificateEndsAt,
        dialer.tellsCertificate ? Math.min(...ends) : undefined,
      );
      const options = { dangerouslyAcceptAnyCertificate: true } as const;
      if (!dialer.capabilities.has("dangerouslyAcceptAnyCertificate")) return;
      assertEquals((await dial(options)).socket.info.certificateEndsAt, undefined);
    }));

  test(`${name}: dial() verifies an IP literal and sends no name for it`, () =>
    withOrigin(under, {}, async ({ origin, dial }) => {
      await dial({}, "127.0.0.1");
      assertEquals((await origin.until({ handshakes: 1 })).connections[0]?.hello?.sni, null);
    }));

  test(`${name}: dial() refuses a certificate that lacks the IP literal dialled`, () =>
    withOrigin(under, { certificates: [leafB] }, async ({ origin, dial }) => {
      await assertDialFails(dial({}, "127.0.0.1"), "tls", "certificate");
      assertEquals((await origin.until({ openSockets: 0 })).bytesReceived, 0);
    }));

  test(`${name}: dial() sends and verifies the server name where one is set`, () =>
    withOrigin(under, { certificates: [leafB, leaf] }, async ({ origin, dial }) => {
      await dial({ serverName: "a.test" }, "elsewhere.test");
      assertEquals((await origin.until({ handshakes: 1 })).connections[0]?.sni, "a.test");
    }));

  test(`${name}: dial() sends a server name without the dot at its end`, () =>
    withOrigin(under, {}, async ({ origin, dial }) => {
      await dial({ serverName: "a.test." });
      assertEquals((await origin.until({ handshakes: 1 })).connections[0]?.hello?.sni, "a.test");
    }));

  test(`${name}: dial() offers no TLS session of one name to another (traps 15 and 25)`, () =>
    withOrigin(under, {
      certificates: [leaf, leafB],
      behaviour: { kind: "echo" },
    }, async ({ origin, dial }) => {
      for (const host of ["a.test", "a.test", "b.test", "a.test", "b.test"]) {
        const { socket, sink } = await dial({}, host);
        // The answer comes after the session tickets.
        socket.write(new Uint8Array(1));
        await sink.bytes(1);
        socket.close();
      }
      const { connections } = await origin.until({ openSockets: 0 });
      assertEquals(connections[2]?.sni, "b.test");
      assertEquals(connections[2]?.hello?.offersSession, false);
      assertEquals(connections[2]?.resumed, false);
    }));

  const refused = [
    ["for another name", async () => await ca.issue({ names: ["b.test"] })],
    ["for a thousand other names", async () => {
      const names = Array.from({ length: 1_000 }, (_, i) => `machine-${i}.b.test`);
      return await ca.issue({ names });
    }],
    ["whose name is its common name alone", async () => await ca.issue({ commonName: "a.test" })],
    ["that has run out", async () => await ca.issueExpired({ names: ["a.test"] })],
    ["that vouches for itself", async () => await createSelfSigned({ names: ["a.test"] })],
    ["of an unknown authority", async () => await otherCa.issue({ names: ["a.test"] })],
    ["of an impostor's authority", async () => await impostorCa.issue({ names: ["a.test"] })],
  ] as const;
  for (const [what, issue] of refused) {
    test(`${name}: dial() refuses a certificate ${what} before a byte is written (trap 22)`, async () =>
      await withOrigin(under, { certificates: [await issue()] }, async ({ origin, dial }) => {
        await assertDialFails(dial(), "tls", "certificate");
        const report = await origin.until({ openSockets: 0, accepted: 1 });
        assertEquals(report.bytesReceived, 0);
      }));
  }

  test(`${name}: dial() points at tls.ca where nobody vouches for a certificate`, async () => {
    for (const certificate of [await createSelfSigned({ names: ["a.test"] }), leaf]) {
      await withOrigin(under, { certificates: [certificate] }, async ({ dial }) => {
        const error = await assertRejects(() => dial({ ca: otherCa.cert }), DialError);
        assertStringIncludes(
          error.message,
          "to trust it, set tls.ca to its authority's certificate, or to the certificate itself",
        );
      });
    }
  });

  if (honours(under, "dangerouslyAcceptAnyCertificate")) {
    test(`${name}: dial() accepts any certificate where it is told to`, async () => {
      const certificates = [await createSelfSigned({ names: ["b.test"] })];
      await withOrigin(under, { certificates }, async ({ origin, dial }) => {
        await dial({ dangerouslyAcceptAnyCertificate: true });
        await origin.until({ handshakes: 1 });
      });
    });
  }

  if (honours(under, "pins")) testPins(name, under);

  if (honours(under, "ca")) {
    test(`${name}: dial() takes authorities as bytes, and many in a text`, () =>
      withOrigin(under, {}, async ({ origin, dial }) => {
        const text = `${otherCa.cert}\n${ca.cert}`;
        for (const form of [text, new TextEncoder().encode(text), [otherCa.cert, ca.cert]]) {
          await dial({ ca: form });
        }
        await origin.until({ handshakes: 3 });
      }));

    test(`${name}: dial() refuses an authority that is none`, () =>
      withOrigin(under, {}, async ({ origin, dial }) => {
        await assertRejects(() => dial({ ca: [ca.cert, "no certificate"] }), TypeError);
        assertEquals((await origin.until({ openSockets: 0 })).handshakes, 0);
      }));
  }

  if (honours(under, "clientCertificate")) {
    test(`${name}: dial() shows the client certificate`, () =>
      withOrigin(under, { clientCa: ca.cert }, async ({ origin, dial }) => {
        await dial({ clientCertificate: client });
        const { connections: [seen] } = await origin.until({ handshakes: 1 });
        assertEquals(seen?.clientCertificate, { commonName: "a client", trusted: true });
      }));

    test(`${name}: dial() refuses a client certificate that is none`, () =>
      withOrigin(under, { clientCa: ca.cert }, async ({ origin, dial }) => {
        const clientCertificate = { cert: "no certificate", key: "no key" };
        await assertRejects(() => dial({ clientCertificate }), TypeError);
        assertEquals((await origin.until({ openSockets: 0 })).handshakes, 0);
      }));

    test(`${name}: checkTls() says what dial() could not use, without dialling`, async () => {
      const other = await ca.issueClient("another client");
      const { cert, key } = client;
      const dialer = under.create();
      // A chain, and a key as OpenSSL writes it today.
      dialer.checkTls!({ ca: [ca.cert], clientCertificate: { cert: `${cert}\n${ca.cert}`, key } });
      const certificate = "tls.clientCertificate.cert has ";
      const itsKey = "tls.clientCertificate.key ";
      const encrypted = createPrivateKey(key)
        .export({ format: "pem", type: "pkcs8", cipher: "aes-256-cbc", passphrase: "sesame" });
      const wrong: readonly (readonly [TlsOptions, message: string])[] = [
        [{ clientCertificate: { cert: "no certificate", key } }, certificate + "no certificate in"],
        [{ clientCertificate: { cert: "/etc/client.pem", key } }, "it looks like a path"],
        [{ clientCertificate: { cert: key, key } }, "only a private key"],
        [
          { clientCertificate: { cert, key: "/etc/client-key.pem" } },
          itsKey + "has no private key",
        ],
        [{ clientCertificate: { cert, key: cert } }, itsKey + "has no private key"],
        [{ clientCertificate: { cert, key: `${encrypted}` } }, itsKey + "is encrypted: decrypt it"],
        // A file that is only half written, and one that was replaced before the other.
        [
          { clientCertificate: { cert: cert.slice(0, cert.length / 2), key } },
          certificate + "no certificate in",
        ],
        [
          { clientCertificate: { cert, key: key.replace(/\n[^-]{20}/, "\n") } },
          itsKey + "has a private key that cannot be read",
        ],
        [{ clientCertificate: { cert, key: other.key } }, itsKey + "is the key of another"],
        // What is not even DER cannot be read, and what is cannot be used.
        [{ ca: [ca.cert.replace(/\n[^-]{20}/, "\n")] }, "cannot be "],
        ...honours(under, "ciphers")
          ? [[{ ciphers: ["NO-SUCH-SUITE"] }, "cannot be used"] as const]
          : [],
        ...honours(under, "groups")
          ? [[{ groups: ["no such group"] }, "cannot be used"] as const]
          : [],
      ];
      for (const [tls, message] of wrong) {
        assertThrows(() => dialer.checkTls!(tls), TypeError, message);
      }
    });
  }

  if (honours(under, "maxVersion")) {
    test(`${name}: dial() offers no version above maxVersion`, () =>
      withOrigin(under, {}, async ({ origin, dial }) => {
        await dial({ maxVersion: "TLSv1.2" });
        const { connections: [seen] } = await origin.until({ handshakes: 1 });
        assertEquals(seen?.version, "TLSv1.2");
        assertEquals(seen?.hello?.versions.includes(0x0304), false);
      }));
  }

  if (honours(under, "minVersion")) {
    test(`${name}: dial() accepts no version below minVersion`, () =>
      withOrigin(under, { maxVersion: "TLSv1.2" }, async ({ origin, dial }) => {
        await assertDialFails(dial({ minVersion: "TLSv1.3" }), "tls", "handshake");
        assertEquals((await origin.until({ openSockets: 0, accepted: 1 })).handshakes, 0);
      }));
  }

  if (honours(under, "ciphers")) {
    test(`${name}: dial() offers the cipher suites it is given, and no others`, () =>
      withOrigin(under, {}, async ({ origin, dial }) => {
        const suitesOfTls13 = ["TLS_CHACHA20_POLY1305_SHA256", "TLS_AES_128_GCM_SHA256"];
        const expected = [[0xcca9]];
        await dial({ ciphers: ["ECDHE-ECDSA-CHACHA20-POLY1305"], maxVersion: "TLSv1.2" });
        if (under.refusesSuitesOfTls13) {
          await assertRejects(() => dial({ ciphers: suitesOfTls13 }), UnsupportedOptionError);
        } else {
          await dial({ ciphers: suitesOfTls13 });
          expected.push([0x1303, 0x1301]);
        }
        const { connections } = await origin.until({ handshakes: expected.length });
        // 255 is no suite, but says that renegotiation is safe (RFC 5746 section 3.3).
        const offers = connections.map((seen) => seen.hello?.ciphers.filter((it) => it !== 255));
        assertEquals(offers, expected);
      }));
  }

  if (honours(under, "groups")) {
    test(`${name}: dial() offers the groups it is given, and no others`, () =>
      withOrigin(under, {}, async ({ origin, dial }) => {
        await dial({ groups: ["P-384", "X25519"] });
        const { connections: [seen] } = await origin.until({ handshakes: 1 });
        assertEquals(seen?.hello?.groups, [24, 29]);
      }));
  }

  for (const option of Object.keys(samples) as (keyof TlsOptions)[]) {
    if (honours(under, option)) continue;
    test(`${name}: dial() refuses the option ${option}, which it cannot honour`, () =>
      withOrigin(under, {}, async ({ origin, dialer, dial }) => {
        const error = await assertRejects(
          () => dial({ [option]: samples[option] }),
          UnsupportedOptionError,
        );
        assertEquals(error.option, option);
        assertEquals(error.dialer, dialer.name);
        assertEquals((await origin.report()).accepted, 0);
      }));
  }
}

function testPins(name: string, under: DialerUnderTest): void {
  test(`${name}: dial() refuses a chain without a pinned key before a byte is written (trap 20)`, () =>
    withOrigin(under, {}, async ({ origin, dial }) => {
      await assertDialFails(dial({ pins: [leafB.pin, otherCa.pin] }), "tls", "pin");
      assertEquals((await origin.until({ openSockets: 0, accepted: 1 })).bytesReceived, 0);
    }));

  test(`${name}: dial() accepts a pinned key of the certificate or of its authority (trap 20)`, () =>
    withOrigin(under, {}, async ({ origin, dial }) => {
      await dial({ pins: [otherCa.pin, leaf.pin] });
      await dial({ pins: [ca.pin] });
      await origin.until({ handshakes: 2 });
    }));

  test(`${name}: dial() counts no pin of a certificate that signed nothing in the chain`, async () => {
    const certificates = [{ ...leaf, cert: `${leaf.cert}\n${impostorCa.cert}` }];
    await withOrigin(under, { certificates }, async ({ dial }) => {
      await assertDialFails(dial({ pins: [impostorCa.pin] }), "tls", "pin");
    });
  });

  test(`${name}: dial() passes over a certificate in the chain whose key cannot be read`, async () => {
    const certificates = [{ ...leaf, cert: `${leaf.cert}\n${await createUnreadable()}` }];
    await withOrigin(under, { certificates }, async ({ dial }) => {
      await dial({ pins: [leaf.pin] });
      await assertDialFails(dial({ pins: [impostorCa.pin] }), "tls", "pin");
    });
  });

  test(`${name}: dial() checks the certificate as well as the pin`, () =>
    withOrigin(under, { certificates: [leafB] }, async ({ dial }) => {
      await assertDialFails(dial({ pins: [leafB.pin] }), "tls", "certificate");
    }));
}
