/**
 * What frames are made of (RFC 6455 section 5.2).
 *
 * @module
 */

/** What a frame is: the low four bits of its first byte. */
export const CONTINUATION = 0x0;
export const TEXT = 0x1;
export const BINARY = 0x2;
export const CLOSE = 0x8;
export const PING = 0x9;
export const PONG = 0xa;

/** Bits of the first byte: the last frame of a message; a message that is compressed. */
export const FIN = 0x80;
export const RSV1 = 0x40;
/** Bits that no extension of ours has a meaning for. */
export const RSV23 = 0x30;

/** The bit of the second byte that says that a mask follows. */
export const MASKED = 0x80;

/** The longest payload of a control frame, in bytes. */
export const MAX_CONTROL_BYTES = 125;

/** Why a connection ends (RFC 6455 section 7.4.1). */
export const GOING_AWAY = 1001;
export const PROTOCOL_ERROR = 1002;
/** Never sent: there was a close frame without a code. */
export const NO_CODE = 1005;
/** Never sent: there was no close frame. */
export const ABNORMAL = 1006;
export const NOT_UTF8 = 1007;
export const TOO_BIG = 1009;

/**
 * Whether a close frame may have a code: those that RFC 6455 and the registry at IANA define for
 * it, those of libraries (3000 to 3999) and of programs (4000 to 4999).
 */
export function isCloseCode(code: number): boolean {
  if (code >= 3000) return code <= 4999;
  return code >= 1000 && code <= 1014 && code !== 1004 && code !== NO_CODE && code !== ABNORMAL;
}

/** What is wrong with what the peer sent, or how much of it there is. */
export class FrameError extends Error {
  /** The code that tells the peer why the connection ends. */
  readonly closeCode: number;

  /** Makes the error. */
  constructor(closeCode: number, message: string) {
    super(message);
    this.closeCode = closeCode;
  }
}
