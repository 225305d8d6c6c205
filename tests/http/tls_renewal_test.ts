/**
 * TLS options that are replaced while a pool runs, over real sockets.
 *
 * @module
 */

import {
  assertEquals,
  assertInstanceOf,
  assertMatch,
  assertRejects,
  assertThrows,
} from "@std/assert";
import { test } from "node:test";
import { type CreatePoolOptions, detectRuntime } from "../../adapters/detect.ts";
import { nodeDialer } from "../../adapters/node.ts";
import { createPool, RequestError, staticResolver } from "../../mod.ts";
import { startRemoteOrigin } from "../support/origin_process.ts";
import { createAuthority } from "../support/pki.ts";

test("After setTls() servers see the new client certificate, and no request fails", async () => {
  const ca = await createAuthority();
  const certificates = [{ ...await ca.issue({ names: ["a.test"] }), names: ["a.test"] }];
  await using origin = await startRemoteOrigin({
    certificates,
    clientCa: ca.cert,
    behaviour: { kind: "http" },
  });
  const tls = async (name: string) => {
    const { cert, key } = await ca.issueClient(name);
    return { ca: [ca.cert], clientCertificate: { cert, key } };
  };
  await using pool = createPool({
    dialer: nodeDialer(),
    resolver: staticResolver({ "a.test": [`127.0.0.1:${origin.port}`] }),
    tls: await tls("the old one"),
  });
  const underWay = await pool.request("https://a.test/bytes/100000");
  pool.setTls(await tls("the new one"));
  const answers = await Promise.all([underWay, pool.request("https://a.test/bytes/1")]);
  for (const answer of answers) await answer.bytes();
  const { connections } = await origin.until({ openSockets: 1 });
  assertEquals(
    connections.map(({ clientCertificate, open }) => [clientCertificate?.commonName, open]),
    [
      ["the old one", false],
      ["the new one", true],
    ],
  );
  pool.manager.checkInvariants();
});

test("An error says that the server wants a client certificate, though TLS 1.3 tells only after the handshake", async () => {
  const ca = await createAuthority();
  const certificates = [{ ...await ca.issue({ names: ["a.test"] }), names: ["a.test"] }];
  await using origin = await startRemoteOrigin({
    certificates,
    clientCa: ca.cert,
    requiresClientCertificate: true,
    minVersion: "TLSv1.3",
  });
  // Deno's own sockets can show none, but are asked for one all the same.
  for (const dialer of [undefined, nodeDialer()]) {
    await using pool = createPool({
      ...dialer && { dialer },
      resolver: staticResolver({ "a.test": [`127.0.0.1:${origin.port}`] }),
      tls: { ca: [ca.cert] },
    });
    for (const method of ["GET", "POST"]) {
      const error = await assertRejects(
        () => pool.request("https://a.test/bytes/1", { method }),
        RequestError,
      );
      assertMatch(
        error.message,
        /: Socket ended \(tls\): .*certificate.?required: the server wants a client certificate; set tls\.clientCertificate$/i,
      );
    }
  }
});

test("A client certificate that cannot be used is refused when the pool is made, and later", async () => {
  const ca = await createAuthority();
  const { cert, key } = await ca.issueClient("one");
  const other = await ca.issueClient("other");
  const right = { clientCertificate: { cert, key } };
  const wrong = { clientCertificate: { cert, key: other.key } };
  const message = "tls.clientCertificate.key is the key of another certificate than "
    + "tls.clientCertificate.cert";
  // The runtime's own is not loaded yet when the pool is made. Deno's takes no client certificates.
  const own = detectRuntime() === "deno" ? [] : [undefined];
  for (const dialer of [...own, nodeDialer()]) {
    const make = (options: CreatePoolOptions) => () => createPool({ dialer, ...options });
    assertEquals(assertThrows(make({ tls: wrong }), TypeError).message, message);
    assertThrows(
      make({ tls: right, hosts: { "a.test": { tls: wrong } } }),
      TypeError,
      `hosts["a.test"]: ${message}`,
    );
    await using pool = make({ tls: right, hosts: { "a.test": { tls: right } } })();
    for (const host of [undefined, "a.test", "b.test"]) {
      assertEquals(assertThrows(() => pool.setTls(wrong, host), TypeError).message, message);
    }
    const encrypted = { cert, key: "-----BEGIN ENCRYPTED PRIVATE KEY-----\n" };
    const refused = assertThrows(() => pool.setTls({ clientCertificate: encrypted }), TypeError);
    assertMatch(refused.message, /^tls\.clientCertificate\.key is encrypted: /);
    // OpenSSL's own words.
    assertInstanceOf(refused.cause, Error);
    assertEquals(pool.options().options["tls"]?.value, ["clientCertificate"]);
  }
});
