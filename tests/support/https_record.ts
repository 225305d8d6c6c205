/**
 * The data of HTTPS records, as RFC 9460 section 2.2 has it.
 *
 * @module
 */

/** What a record says. */
export interface HttpsRecord {
  readonly priority: number;
  readonly target: string;
  /** Parameters by their key, in order. */
  readonly values?: readonly (readonly [key: number, value: readonly number[]])[];
}

/** Encodes a record. */
export function httpsRecord({ priority, target, values = [] }: HttpsRecord): Uint8Array {
  const labels = target === "." ? [] : target.split(".");
  return Uint8Array.from([
    ...u16(priority),
    ...labels.flatMap((label) => sized(label)),
    0,
    ...values.flatMap(([key, value]) => [...u16(key), ...u16(value.length), ...value]),
  ]);
}

/** The value of `alpn`. */
export function alpn(...protocols: string[]): readonly [number, number[]] {
  return [1, protocols.flatMap(sized)];
}

/** The value of `no-default-alpn`. */
export const NO_DEFAULT_ALPN = [2, []] as const;

/** The value of `port`. */
export function port(port: number): readonly [number, number[]] {
  return [3, u16(port)];
}

/** The value of `ipv4hint`. */
export function ipv4hint(...addresses: string[]): readonly [number, number[]] {
  return [4, addresses.flatMap((address) => address.split(".").map(Number))];
}

/** A number in two bytes. */
export function u16(number: number): number[] {
  return [number >> 8, number & 0xff];
}

function sized(text: string): number[] {
  return [text.length, ...new TextEncoder().encode(text)];
}
