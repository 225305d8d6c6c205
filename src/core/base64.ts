/**
 * Base64 (RFC 4648 section 4), and credentials written in it.
 *
 * @module
 */

/** Encodes bytes as base64. */
export function base64(bytes: Uint8Array): string {
  let binary = "";
  for (const byte of bytes) binary += String.fromCharCode(byte);
  return btoa(binary);
}

/** Makes the value of an `Authorization` header for the Basic scheme (RFC 7617), in UTF-8. */
export function basicAuthorization(username: string, password: string): string {
  return `Basic ${base64(new TextEncoder().encode(`${username}:${password}`))}`;
}
