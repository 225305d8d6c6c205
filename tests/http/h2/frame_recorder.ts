/**
 * Notes the frames that a reader finds, in a form that can be compared.
 *
 * @module
 */

import { latin1 } from "../../../src/http/chars.ts";
import { Http2Error } from "../../../src/http/h2/error_codes.ts";
import { FrameReader, type FrameSink } from "../../../src/http/h2/frame_reader.ts";

/** What a frame said. Parts of one DATA frame stand as one. */
export type Noted = readonly [
  kind: string,
  streamId: number,
  ...rest: (string | number | boolean)[],
];

/** Takes frames down. */
export class FrameRecorder implements FrameSink {
  /** What came. */
  readonly frames: Noted[] = [];
  #data: { id: number; text: string; credit: number } | undefined;

  onData(id: number, bytes: Uint8Array, credit: number, isEnd: boolean): void {
    const text = latin1(bytes, 0, bytes.length);
    if (this.#data?.id === id) {
      this.#data.text += text;
      this.#data.credit += credit;
    } else {
      this.flush();
      this.#data = { id, text, credit };
    }
    if (isEnd) this.flush(true);
  }

  onEmptyData(): void {}

  onHeaders(id: number, bytes: Uint8Array, start: number, end: number, isEnd: boolean): void {
    this.#note("headers", id, latin1(bytes, start, end), isEnd);
  }

  onReset(id: number, code: number): void {
    this.#note("reset", id, code);
  }

  onSetting(id: number, value: number): void {
    this.#note("setting", 0, id, value);
  }

  onSettingsEnd(): void {
    this.#note("settings", 0);
  }

  onSettingsAck(): void {
    this.#note("settings ack", 0);
  }

  onPing(payload: Uint8Array, isAnswer: boolean): void {
    this.#note("ping", 0, latin1(payload, 0, payload.length), isAnswer);
  }

  onGoaway(lastId: number, code: number): void {
    this.#note("goaway", 0, lastId, code);
  }

  onWindow(id: number, increment: number): void {
    this.#note("window", id, increment);
  }

  onIgnored(): void {
    this.#note("ignored", 0);
  }

  onStreamError(id: number, code: string): void {
    this.#note("stream error", id, code);
  }

  /** Notes the DATA that has come so far. */
  flush(isEnd = false): void {
    if (!this.#data) return;
    const { credit, id, text } = this.#data;
    this.#data = undefined;
    this.frames.push(["data", id, text, credit, isEnd]);
  }

  #note(...noted: Noted): void {
    this.flush();
    this.frames.push(noted);
  }
}

/** What came of bytes: frames, and the error that ended them. */
export interface Recorded {
  readonly frames: readonly Noted[];
  readonly error: string | null;
}

/** Reads bytes in pieces of these lengths, and the rest at once. */
export function record(bytes: Uint8Array, cuts: readonly number[] = []): Recorded {
  const recorder = new FrameRecorder();
  const reader = new FrameReader(recorder, 65_536);
  let at = 0;
  let error: string | null = null;
  try {
    for (const cut of cuts) {
      // What is given is overwritten afterwards, as a socket may do.
      const piece = bytes.slice(at, at + cut);
      reader.push(piece);
      piece.fill(0xee);
      at += cut;
    }
    reader.push(bytes.slice(at));
  } catch (thrown) {
    if (!(thrown instanceof Http2Error)) throw thrown;
    error = thrown.http2Code;
  }
  recorder.flush();
  return { frames: recorder.frames, error };
}
