/**
 * A throwaway certificate authority for tests and the demo, on WebCrypto: the same on every
 * runtime. Keys are ECDSA P-256, which is quick to make.
 *
 * @module
 */

import "./reflect.ts";
import type { Extension, X509Certificate } from "@peculiar/x509";

// Imported at run time: Bun evaluates a CommonJS package ahead of the modules imported before it.
const x509 = await import("@peculiar/x509");

const algorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;
const hourMs = 3_600_000;
const dayMs = 24 * hourMs;

/** A certificate with its private key. */
export interface Credentials {
  /** The certificate, PEM. */
  readonly cert: string;
  /** The private key, PKCS#8 PEM. */
  readonly key: string;
  /** `sha256/` and the base64 SHA-256 of the certificate's SubjectPublicKeyInfo. */
  readonly pin: string;
}

/** What a certificate is issued for. */
export interface LeafRequest {
  /** DNS names and IP addresses, each told from the other by its looks. */
  readonly names?: readonly string[];
  /** The common name. */
  readonly commonName?: string;
  /** @default {an hour ago} */
  readonly notBefore?: Date;
  /** @default {in a day} */
  readonly notAfter?: Date;
  /** What the certificate may be used for. */
  readonly usage?: "server" | "client";
}

/** A certificate authority. */
export interface Authority extends Credentials {
  /** Issues a certificate. */
  issue(request: LeafRequest): Promise<Credentials>;
  /** Issues a server certificate that ran out yesterday. */
  issueExpired(request: LeafRequest): Promise<Credentials>;
  /** Issues a certificate for clients. */
  issueClient(commonName: string): Promise<Credentials>;
}

/** Makes a certificate authority. Two of them with one name are still two. */
export async function createAuthority(commonName = "Throwaway CA"): Promise<Authority> {
  const keys = await generateKeys();
  const name = `CN=${commonName}`;
  const root = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serialNumber(),
    name,
    notBefore: new Date(Date.now() - dayMs),
    notAfter: new Date(Date.now() + 30 * dayMs),
    keys,
    signingAlgorithm: algorithm,
    extensions: [
      new x509.BasicConstraintsExtension(true, 0, true),
      new x509.KeyUsagesExtension(
        x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign,
        true,
      ),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });

  async function issue(request: LeafRequest): Promise<Credentials> {
    const leafKeys = await generateKeys();
    const cert = await x509.X509CertificateGenerator.create({
      ...fields(request),
      serialNumber: serialNumber(),
      issuer: name,
      publicKey: leafKeys.publicKey,
      signingKey: keys.privateKey,
      signingAlgorithm: algorithm,
      extensions: [
        ...extensions(request),
        await x509.AuthorityKeyIdentifierExtension.create(root),
      ],
    });
    return await credentials(cert, leafKeys);
  }

  return {
    ...await credentials(root, keys),
    issue,
    issueExpired: (request) =>
      issue({
        ...request,
        notBefore: new Date(Date.now() - 3 * dayMs),
        notAfter: new Date(Date.now() - dayMs),
      }),
    issueClient: (clientName) => issue({ commonName: clientName, usage: "client" }),
  };
}

/** Makes a server certificate that vouches for itself. */
export async function createSelfSigned(request: LeafRequest): Promise<Credentials> {
  const keys = await generateKeys();
  const { subject, ...rest } = fields(request);
  const cert = await x509.X509CertificateGenerator.createSelfSigned({
    ...rest,
    name: subject,
    serialNumber: serialNumber(),
    keys,
    signingAlgorithm: algorithm,
    extensions: extensions(request),
  });
  return await credentials(cert, keys);
}

/**
 * Makes an authority's certificate whose key is of a kind that OpenSSL knows, and other libraries do
 * not: Ed448 (RFC 8410). Nobody has the key, so it is signed by another one.
 */
export async function createUnreadable(commonName = "Throwaway CA"): Promise<string> {
  const { privateKey } = await generateKeys();
  const name = `CN=${commonName}`;
  const prefix = [0x30, 0x43, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x71, 0x03, 0x3a, 0x00];
  const certificate = await x509.X509CertificateGenerator.create({
    subject: name,
    issuer: name,
    serialNumber: serialNumber(),
    notBefore: new Date(Date.now() - dayMs),
    notAfter: new Date(Date.now() + dayMs),
    publicKey: new x509.PublicKey(Uint8Array.of(...prefix, ...new Uint8Array(57))),
    signingKey: privateKey,
    signingAlgorithm: algorithm,
    extensions: [new x509.BasicConstraintsExtension(true, undefined, true)],
  });
  return certificate.toString("pem");
}

function fields(request: LeafRequest): { subject: string; notBefore: Date; notAfter: Date } {
  return {
    subject: `CN=${request.commonName ?? request.names?.[0] ?? "leaf"}`,
    notBefore: request.notBefore ?? new Date(Date.now() - hourMs),
    notAfter: request.notAfter ?? new Date(Date.now() + dayMs),
  };
}

function extensions(request: LeafRequest): Extension[] {
  const usage = request.usage === "client"
    ? x509.ExtendedKeyUsage.clientAuth
    : x509.ExtendedKeyUsage.serverAuth;
  const list: Extension[] = [
    new x509.BasicConstraintsExtension(false, undefined, true),
    new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
    new x509.ExtendedKeyUsageExtension([usage]),
  ];
  if (request.names?.length) {
    list.push(
      new x509.SubjectAlternativeNameExtension(
        request.names.map((value) => ({ type: isIp(value) ? "ip" : "dns", value }) as const),
      ),
    );
  }
  return list;
}

function isIp(name: string): boolean {
  return name.includes(":") || /^\d+\.\d+\.\d+\.\d+$/.test(name);
}

function generateKeys(): Promise<CryptoKeyPair> {
  return crypto.subtle.generateKey(algorithm, true, ["sign", "verify"]);
}

async function credentials(
  certificate: X509Certificate,
  keys: CryptoKeyPair,
): Promise<Credentials> {
  const pkcs8 = await crypto.subtle.exportKey("pkcs8", keys.privateKey);
  const digest = await crypto.subtle.digest("SHA-256", certificate.publicKey.rawData);
  return {
    cert: certificate.toString("pem"),
    key: x509.PemConverter.encode(pkcs8, "PRIVATE KEY"),
    pin: `sha256/${btoa(String.fromCharCode(...new Uint8Array(digest)))}`,
  };
}

// The first bit is kept clear: a serial number is a positive integer (RFC 5280 section 4.1.2.2).
function serialNumber(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(8));
  bytes[0] = (bytes[0]! & 0x7f) | 0x40;
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}
