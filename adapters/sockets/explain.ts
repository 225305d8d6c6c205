/**
 * Adds to a runtime's message about what went wrong in TLS what would help.
 *
 * @module
 */

// OpenSSL's and BoringSSL's: `…:error:0A00010B:SSL routines:ssl3_get_record:wrong version number:…`.
const OPENSSL = /^(?:[0-9A-F]+:)?error:[0-9A-Fa-f]+:[^:]*:[^:]*:([^:\n]+)/;

const UNKNOWN =
  "no authority that this program trusts has signed the certificate; to trust it, set "
  + "tls.ca to its authority's certificate, or to the certificate itself";

const HINTS: readonly (readonly [pattern: RegExp, hint: string])[] = [
  [/SELF_SIGNED|UNABLE_TO_(?:GET_ISSUER|VERIFY_LEAF)|UnknownIssuer/, UNKNOWN],
  [
    /CaUsedAsEndEntity/,
    "Deno does not accept an authority's own certificate from a server; make one with CA:FALSE, or "
    + "use nodeDialer()",
  ],
  [/WRONG_VERSION_NUMBER|InvalidContentType/, "the server speaks no TLS on this port"],
];

/** Returns the message for a failed handshake, from the runtime's message and code. */
export function explain(message: string, code = ""): string {
  const reason = reasonOf(message);
  const hint = HINTS.find(([pattern]) => pattern.test(`${code} ${message}`))?.[1];
  return hint === undefined ? reason : `${reason}: ${hint}`;
}

/**
 * Returns the message for TLS that ended on an open socket. In TLS 1.3 that is how a server refuses
 * a client's certificate, or the lack of one: to the client the handshake is done by then.
 */
export function explainAlert(message: string): string {
  const reason = reasonOf(message);
  return /certificate[ _]?required/i.test(reason)
    ? `${reason}: the server wants a client certificate; set tls.clientCertificate`
    : reason;
}

function reasonOf(message: string): string {
  return OPENSSL.exec(message)?.[1] ?? message;
}
