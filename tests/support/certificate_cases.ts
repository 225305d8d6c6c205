/**
 * Servers' certificates of every kind, good and bad, each with the verdict that a client should
 * give. Node only.
 *
 * @module
 */

import { createPublicKey, generateKeyPairSync, type KeyObject } from "node:crypto";
import {
  type CertificateRequest,
  der,
  extension,
  extensions as ext,
  oid,
  pemOf,
  seq,
  type SignatureKind,
  writeCertificate,
} from "./certificate_writer.ts";

/** One server's certificates, and how they should be taken. */
export interface CertificateCase {
  readonly id: string;
  readonly verdict: "take" | "refuse";
  /** What the client trusts, PEM. */
  readonly ca: string;
  /** Who the client asks for. @default {"a.test"} */
  readonly serverName?: string;
  /** What the server shows, PEM, its own certificate first. */
  readonly chain: string;
  readonly key: string;
}

const keys = new Map<string, KeyObject>();

/** A private key of a kind, such as `rsa2048`, `prime256v1` or `ed25519`; `#2` is another of it. */
function keyOf(name: string): KeyObject {
  let key = keys.get(name);
  if (key === undefined) {
    const kind = name.split("#")[0]!;
    const bits = Number(/\d+$/.exec(kind)?.[0]);
    if (/^rsa\d/.test(kind)) {
      key = generateKeyPairSync("rsa", { modulusLength: bits }).privateKey;
    } else if (kind === "rsa-pss") {
      key = generateKeyPairSync("rsa-pss", { modulusLength: 2048 }).privateKey;
    } else if (kind === "ed25519") key = generateKeyPairSync("ed25519").privateKey;
    else if (kind === "ed448") key = generateKeyPairSync("ed448").privateKey;
    else key = generateKeyPairSync("ec", { namedCurve: kind }).privateKey;
    keys.set(name, key);
  }
  return key;
}

interface Party {
  readonly name: string;
  readonly key: KeyObject;
  readonly signature: SignatureKind;
  readonly der: Buffer;
}

const authorityExtensions = [ext.authority(), ext.keyUsage(0x06)];

/** A root, or what is vouched for by another authority. */
function authority(
  name: string,
  key: string,
  signature: SignatureKind,
  by?: Party,
  more: Partial<CertificateRequest> = {},
): Party {
  const own = keyOf(key);
  const bytes = writeCertificate({
    subject: name,
    issuer: by?.name ?? name,
    key: own,
    signingKey: by?.key ?? own,
    signature: by?.signature ?? signature,
    extensions: authorityExtensions,
    ...more,
  });
  return { name, key: own, signature, der: bytes };
}

const serverAuth = "1.3.6.1.5.5.7.3.1";
const clientAuth = "1.3.6.1.5.5.7.3.2";
const leafExtensions = [
  ext.noAuthority(),
  ext.keyUsage(0x80),
  ext.extendedKeyUsage(serverAuth),
];
const goodNames = ext.names([ext.dns("a.test")]);

/** Makes the cases. It takes some seconds: keys of RSA are slow to find. */
export function certificateCases(): CertificateCase[] {
  const root = authority("Root", "prime256v1#root", "ecdsa-sha256");
  const rsaRoot = authority("RSA root", "rsa2048#root", "rsa-sha256");
  const list: CertificateCase[] = [];

  function add(
    verdict: "take" | "refuse",
    id: string,
    how: Partial<CertificateRequest> & {
      readonly by?: Party;
      readonly own?: string;
      readonly names?: Buffer;
      readonly more?: readonly Buffer[];
      readonly shown?: readonly Buffer[];
      readonly ca?: readonly Buffer[];
      readonly serverName?: string;
      readonly alter?: (bytes: Buffer) => Buffer;
    },
  ): void {
    const { by = root, own = "prime256v1#leaf", names = goodNames, more = [], alter } = how;
    const key = keyOf(own);
    const written = writeCertificate({
      subject: "leaf",
      issuer: by.name,
      key,
      signingKey: by.key,
      signature: by.signature,
      extensions: [...leafExtensions, names, ...more],
      ...how,
    });
    const leaf = alter?.(written) ?? written;
    list.push({
      id,
      verdict,
      ca: (how.ca ?? [by.der]).map(pemOf).join(""),
      chain: [leaf, ...how.shown ?? []].map(pemOf).join(""),
      key: key.export({ type: "pkcs8", format: "pem" }) as string,
      ...how.serverName !== undefined && { serverName: how.serverName },
    });
  }

  // The server's key.
  for (const own of ["rsa2048", "rsa3072", "prime256v1", "secp384r1", "secp521r1"]) {
    add("take", `key ${own}`, { own });
  }
  for (const own of ["ed25519", "ed448"]) add("take", `key ${own}`, { own });
  for (
    const own of [
      "rsa512",
      "rsa1024",
      "rsa1536",
      "rsa2047",
      "rsa-pss",
      "secp224r1",
      "secp256k1",
      "brainpoolP256r1",
    ]
  ) add("refuse", `key ${own}`, { own });

  // How the authority has signed.
  for (const hash of ["sha256", "sha384", "sha512"] as const) {
    add("take", `signature rsa-${hash}`, { by: rsaRoot, signature: `rsa-${hash}` });
  }
  add("take", "signature pss-sha256", { by: rsaRoot, signature: "pss-sha256" });
  for (const signature of ["rsa-md5", "rsa-sha1", "rsa-sha224", "pss-sha1"] as const) {
    add("refuse", `signature ${signature}`, { by: rsaRoot, signature });
  }
  const p384 = authority("P-384 root", "secp384r1#root", "ecdsa-sha384");
  add("take", "signature ecdsa-sha384", { by: p384 });
  const p521 = authority("P-521 root", "secp521r1#root", "ecdsa-sha512");
  add("take", "signature ecdsa-sha512", { by: p521 });
  for (const signature of ["ecdsa-sha1", "ecdsa-sha224"] as const) {
    add("refuse", `signature ${signature}`, { signature });
  }
  for (const kind of ["ed25519", "ed448"] as const) {
    add("take", `signature ${kind}`, { by: authority(`${kind} root`, `${kind}#root`, kind) });
  }

  // The authorities.
  const good = authority("Good", "prime256v1#good", "ecdsa-sha256", root);
  add("take", "an intermediate", { by: good, shown: [good.der], ca: [root.der] });
  add("refuse", "an intermediate that is not shown", { by: good, ca: [root.der] });
  add("take", "an intermediate and the root shown", {
    by: good,
    shown: [good.der, root.der],
    ca: [root.der],
  });
  add("take", "an intermediate that is trusted itself", { by: good, ca: [good.der] });
  add("take", "a stray certificate shown with the chain", {
    by: good,
    shown: [rsaRoot.der, good.der],
    ca: [root.der],
  });
  const sha1Root = authority("Old root", "rsa2048#old", "rsa-sha256", undefined, {
    signature: "rsa-sha1",
  });
  add("take", "a root that vouches for itself with SHA-1", { by: sha1Root });
  const under = authority("Under the old root", "prime256v1#under", "ecdsa-sha256", sha1Root);
  add("take", "a root that vouches for itself with SHA-1, shown behind what is trusted itself", {
    by: under,
    shown: [under.der, sha1Root.der],
    ca: [under.der],
  });
  const small = authority("Small root", "rsa1024#root", "rsa-sha256");
  add("refuse", "a root of RSA 1,024", { by: small });
  const weak: [string, Party][] = [
    ["RSA 1,024", authority("I", "rsa1024#i", "rsa-sha256", root)],
    ["secp256k1", authority("I", "secp256k1#i", "ecdsa-sha256", root)],
    ["P-224", authority("I", "secp224r1#i", "ecdsa-sha256", root)],
  ];
  for (const [what, by] of weak) {
    add("refuse", `an intermediate of ${what}`, { by, shown: [by.der], ca: [root.der] });
  }
  for (const signature of ["rsa-sha1", "rsa-md5"] as const) {
    const by = authority("I", "prime256v1#i", "ecdsa-sha256", rsaRoot, { signature });
    add("refuse", `an intermediate signed by ${signature}`, {
      by,
      shown: [by.der],
      ca: [rsaRoot.der],
    });
  }
  // The same authority, trusted by itself and, for who is old, vouched for by another with SHA-1.
  const crossed = authority("Root", "prime256v1#root", "ecdsa-sha256", rsaRoot, {
    signature: "rsa-sha1",
  });
  add("take", "a trusted root with a weak cross-signature shown", {
    by: good,
    shown: [good.der, crossed.der],
    ca: [root.der],
  });
  const chained = (id: string, verdict: "take" | "refuse", more: Partial<CertificateRequest>) => {
    const by = authority("I", "prime256v1#i", "ecdsa-sha256", root, more);
    add(verdict, id, { by, shown: [by.der], ca: [root.der] });
  };
  const long = Date.now() - 60 * 86_400_000;
  chained("an intermediate that has run out", "refuse", {
    notBefore: new Date(long),
    notAfter: new Date(long + 86_400_000),
  });
  chained("an intermediate that is no authority", "refuse", {
    extensions: [ext.noAuthority(), ext.keyUsage(0x80)],
  });
  chained("an intermediate without basic constraints", "refuse", {
    extensions: [ext.keyUsage(0x06)],
  });
  chained("an intermediate that may not sign certificates", "refuse", {
    extensions: [ext.authority(), ext.keyUsage(0x80)],
  });
  chained("an intermediate for clients alone", "refuse", {
    extensions: [...authorityExtensions, ext.extendedKeyUsage(clientAuth)],
  });
  const dnsBase = (name: string) => der(0x82, name);
  chained("an intermediate for names of test", "take", {
    extensions: [...authorityExtensions, ext.nameConstraints([dnsBase("test")])],
  });
  chained("an intermediate for other names", "refuse", {
    extensions: [...authorityExtensions, ext.nameConstraints([dnsBase("other.test")])],
  });
  chained("an intermediate for all names but this", "refuse", {
    extensions: [...authorityExtensions, ext.nameConstraints([], [dnsBase("a.test")])],
  });
  const narrow = authority("Narrow", "prime256v1#narrow", "ecdsa-sha256", root, {
    extensions: [ext.authority(0), ext.keyUsage(0x06)],
  });
  const below = authority("Below", "prime256v1#below", "ecdsa-sha256", narrow);
  add("refuse", "a path longer than allowed", {
    by: below,
    shown: [below.der, narrow.der],
    ca: [root.der],
  });
  add("refuse", "an unknown authority", { ca: [rsaRoot.der] });
  const impostor = authority("Root", "prime256v1#impostor", "ecdsa-sha256");
  add("refuse", "an impostor of the authority's name", { ca: [impostor.der] });
  const itself: Party = { ...root, name: "leaf", key: keyOf("prime256v1#leaf") };
  add("refuse", "a certificate that vouches for itself", { by: itself, ca: [root.der] });
  const alone: [string, readonly Buffer[]][] = [
    ["a certificate that vouches for itself, and is trusted", [ext.extendedKeyUsage(serverAuth)]],
    ["an authority's own that is trusted, as openssl makes it", [ext.authority()]],
  ];
  for (const [id, more] of alone) {
    const bytes = writeCertificate({
      subject: "leaf",
      issuer: "leaf",
      key: itself.key,
      signingKey: itself.key,
      signature: "ecdsa-sha256",
      extensions: [goodNames, ...more],
    });
    list.push({
      id,
      verdict: "take",
      ca: pemOf(bytes),
      chain: pemOf(bytes),
      key: itself.key.export({ type: "pkcs8", format: "pem" }) as string,
    });
  }

  // The names.
  const names = (verdict: "take" | "refuse", id: string, entries: readonly Buffer[], more = {}) =>
    add(verdict, id, { names: ext.names(entries), ...more });
  names("take", "a name in upper case", [ext.dns("A.TEST")]);
  names("take", "the second of two names", [ext.dns("b.test"), ext.dns("a.test")]);
  names("take", "the last of a thousand names", [
    ...Array.from({ length: 999 }, (_, i) => ext.dns(`machine-${i}.b.test`)),
    ext.dns("a.test"),
  ]);
  names("refuse", "another name", [ext.dns("b.test")]);
  names("take", "a dot at the end of the name that is asked", [ext.dns("a.test")], {
    serverName: "a.test.",
  });
  names("take", "a name with an underscore", [ext.dns("a_b.test")], { serverName: "a_b.test" });
  names("take", "a star for one label", [ext.dns("*.a.test")], { serverName: "www.a.test" });
  names("refuse", "a star for two labels", [ext.dns("*.a.test")], { serverName: "x.www.a.test" });
  names("refuse", "a star for none", [ext.dns("*.a.test")]);
  names("refuse", "a star over a top-level domain", [ext.dns("*.test")]);
  names("refuse", "a star alone", [ext.dns("*")]);
  names("refuse", "a star in part of a label", [ext.dns("w*.a.test")], {
    serverName: "www.a.test",
  });
  names("refuse", "a star in the second label", [ext.dns("www.*.test")], {
    serverName: "www.a.test",
  });
  names("refuse", "a dot at the end of the certificate's name", [ext.dns("a.test.")]);
  names("refuse", "a dot before the certificate's name", [ext.dns(".test")]);
  names("refuse", "a NUL in the name", [ext.dns("a.test\0.b.test")]);
  names("refuse", "a name smuggled into another", [ext.dns("b.test, DNS:a.test")]);
  names("refuse", "a name smuggled into a quoted one", [ext.dns("b.test\", \"DNS:a.test")]);
  names("refuse", "a name smuggled into a URI", [ext.uri("https://b.test/, DNS:a.test")]);
  names("refuse", "an e-mail address of the name", [ext.email("a.test")]);
  names("refuse", "a URI of the name", [ext.uri("https://a.test/")]);
  const cn = { subject: "a.test" };
  add("refuse", "a common name alone", { ...cn, extensions: leafExtensions });
  names("refuse", "a common name beside another name", [ext.dns("b.test")], cn);
  names("refuse", "a common name beside an e-mail address", [ext.email("x@b.test")], cn);
  names("refuse", "a common name beside an IP address", [ext.ip(127, 0, 0, 2)], cn);
  names("refuse", "a common name beside a URI", [ext.uri("https://b.test/")], cn);
  names("refuse", "a common name beside no names", [], cn);
  add("take", "no subject, and the name critical", {
    subject: null,
    names: ext.names([ext.dns("a.test")], true),
  });
  const byIp = { serverName: "127.0.0.1" };
  names("take", "an IP address", [ext.ip(127, 0, 0, 1)], byIp);
  names("refuse", "another IP address", [ext.ip(127, 0, 0, 2)], byIp);
  names("refuse", "an IP address as a name", [ext.dns("127.0.0.1")], byIp);
  names("refuse", "an IP address in IPv6", [
    ext.ip(0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 255, 255, 127, 0, 0, 1),
  ], byIp);
  add("refuse", "an IP address as a common name", {
    ...byIp,
    subject: "127.0.0.1",
    extensions: leafExtensions,
  });

  // The time, and what it may be used for.
  const day = 86_400_000;
  add("refuse", "run out", {
    notBefore: new Date(Date.now() - 3 * day),
    notAfter: new Date(Date.now() - day),
  });
  add("refuse", "not in force yet", { notBefore: new Date(Date.now() + day) });
  add("take", "in force until 2060", { notAfter: new Date(Date.UTC(2060, 0, 1)) });
  const uses = (verdict: "take" | "refuse", id: string, list: readonly Buffer[]) =>
    add(verdict, id, { extensions: [...list, goodNames] });
  uses("take", "no extension but its name", []);
  uses("refuse", "for clients alone", [ext.noAuthority(), ext.extendedKeyUsage(clientAuth)]);
  uses("take", "for clients and servers", [ext.extendedKeyUsage(clientAuth, serverAuth)]);
  uses("refuse", "for signing code", [ext.extendedKeyUsage("1.3.6.1.5.5.7.3.3")]);
  uses("refuse", "for any purpose, without saying servers", [ext.extendedKeyUsage("2.5.29.37.0")]);
  uses("refuse", "an authority's own certificate", authorityExtensions);
  add("refuse", "an extension that nobody knows, and that is critical", {
    more: [extension("1.2.3.4.5", Buffer.from([5, 0]), true)],
  });
  add("take", "an extension that nobody knows", {
    more: [extension("1.2.3.4.5", Buffer.from([5, 0]))],
  });
  add("refuse", "version 1", { subject: "a.test", extensions: null });

  // What is broken.
  add("refuse", "a signature with one bit changed", {
    alter: (bytes) => {
      bytes[bytes.length - 3]! ^= 1;
      return bytes;
    },
  });
  add("refuse", "two ways to sign that differ", {
    by: rsaRoot,
    innerSignature: "rsa-sha512",
  });
  add("refuse", "names that are no sequence", {
    names: extension("2.5.29.17", Buffer.from([0x04, 0x02, 0x61, 0x62])),
  });
  const spki = createPublicKey(keyOf("prime256v1#leaf")).export({ type: "spki", format: "der" });
  add("refuse", "a curve that is spelled out", { key: spelledOut(spki), own: "prime256v1#leaf" });
  return list;
}

// P-256 with all of its parameters in place of its name (RFC 5480 forbids it).
function spelledOut(spki: Buffer): Buffer {
  const hex = (text: string) => Buffer.from(text, "hex");
  const p = "ffffffff00000001000000000000000000000000ffffffffffffffffffffffff";
  const a = "ffffffff00000001000000000000000000000000fffffffffffffffffffffffc";
  const b = "5ac635d8aa3a93e7b3ebbd55769886bc651d06b0cc53b0f63bce3c3e27d2604b";
  const g = "046b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c2964fe342e2fe1a7f9b"
    + "8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5";
  const n = "ffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551";
  const integer = (text: string) => der(0x02, hex(`00${text}`));
  const parameters = seq(
    der(0x02, Buffer.from([1])),
    seq(oid("1.2.840.10045.1.1"), integer(p)),
    seq(der(0x04, hex(a)), der(0x04, hex(b))),
    der(0x04, hex(g)),
    integer(n),
    der(0x02, Buffer.from([1])),
  );
  const point = spki.subarray(spki.length - 65);
  return seq(seq(oid("1.2.840.10045.2.1"), parameters), der(0x03, Buffer.from([0]), point));
}
