/**
 * Says of a handshake that failed what the runtime's words leave open.
 *
 * @module
 */

// OpenSSL's and BoringSSL's: `…:error:0A00010B:SSL routines:ssl3_get_record:wrong version number:…`.
const OPENSSL = /^(?:[0-9A-F]+:)?error:[0-9A-Fa-f]+:[^:]*:[^:]*:([^:\n]+)/;

const UNKNOWN = "nobody whom this program trusts vouches for the certificate; where that is right, "
  + "trust its authority, or the certificate itself, with tls.ca";

const HINTS: readonly (readonly [pattern: RegExp, hint: string])[] = [
  [/SELF_SIGNED|UNABLE_TO_(?:GET_ISSUER|VERIFY_LEAF)|UnknownIssuer/, UNKNOWN],
  [
    /CaUsedAsEndEntity/,
    "Deno takes no authority's own certificate for a server's; make one with CA:FALSE, or take "
    + "nodeDialer()",
  ],
  [/WRONG_VERSION_NUMBER|InvalidContentType/, "the server speaks no TLS on this port"],
];

/** What a failed handshake is told with, from the runtime's message and code. */
export function explain(message: string, code = ""): string {
  const reason = OPENSSL.exec(message)?.[1] ?? message;
  const hint = HINTS.find(([pattern]) => pattern.test(`${code} ${message}`))?.[1];
  return hint === undefined ? reason : `${reason}: ${hint}`;
}
