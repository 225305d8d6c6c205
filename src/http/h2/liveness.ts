/**
 * Whether a peer is alive: its answers to SETTINGS and PING, and its silence.
 *
 * @module
 */

/** How long a peer may take to acknowledge SETTINGS, in milliseconds. */
const SETTINGS_MS = 10_000;
/** How long a peer may take to answer a PING, in milliseconds. */
const ANSWER_MS = 10_000;
/**
 * While streams are open, how long a silence lasts before a PING is sent, in milliseconds: the
 * first one, the second, and all others. gRPC servers end a connection after a few in less than
 * five minutes.
 */
const SILENCES_MS: readonly number[] = [15_000, 60_000, 310_000];
/** How long a round trip is assumed to take before one was measured, in milliseconds. */
const ROUND_TRIP_MS = 100;

/** What to do. */
export type LivenessVerdict = "well" | "ask" | "no-settings" | "no-answer";

/** Keeps the times of one connection, in milliseconds. */
export class Liveness {
  readonly #settingsAt: number;
  #isAcknowledged = false;
  #receivedAt: number;
  #askedAt = -1;
  #asked = 0;
  /** How many PINGs have gone out since something other than their answers came. */
  #inVain = 0;
  #roundTripMs = ROUND_TRIP_MS;

  /** SETTINGS are sent now. */
  constructor(now: number) {
    this.#settingsAt = this.#receivedAt = now;
  }

  /** The shortest round trip that was measured, or a guess. */
  get roundTripMs(): number {
    return this.#roundTripMs;
  }

  /** Whether a PING is on its way. */
  get isAsking(): boolean {
    return this.#askedAt >= 0;
  }

  /** Whether an answer is awaited. */
  get isWaiting(): boolean {
    return this.isAsking || !this.#isAcknowledged;
  }

  /** Notes that something came. */
  noteReceived(now: number): void {
    this.#receivedAt = now;
    if (!this.isAsking) this.#inVain = 0;
  }

  /** Notes that a request goes out: silence before it means nothing. */
  noteRequest(now: number): void {
    if (now - this.#receivedAt > SILENCES_MS[0]!) this.#receivedAt = now;
  }

  /** Notes that SETTINGS were acknowledged; false if they had been. */
  noteSettings(now: number): boolean {
    if (this.#isAcknowledged) return false;
    this.#isAcknowledged = true;
    this.#measure(now - this.#settingsAt);
    return true;
  }

  /** Begins a PING, and returns the number to send in it. */
  ask(now: number): number {
    this.#askedAt = now;
    this.#inVain++;
    return ++this.#asked;
  }

  /** Notes the answer to a PING; false if none was awaited. */
  answered(number: number, now: number): boolean {
    if (!this.isAsking || number !== this.#asked) return false;
    this.#measure(now - this.#askedAt);
    this.#askedAt = -1;
    return true;
  }

  /** Returns what to do. */
  look(now: number, hasStreams: boolean): LivenessVerdict {
    if (!this.#isAcknowledged && now - this.#settingsAt >= SETTINGS_MS) return "no-settings";
    if (this.isAsking) return now - this.#askedAt >= ANSWER_MS ? "no-answer" : "well";
    const silence = SILENCES_MS[Math.min(this.#inVain, SILENCES_MS.length - 1)]!;
    return hasStreams && now - this.#receivedAt >= silence ? "ask" : "well";
  }

  #measure(ms: number): void {
    this.#roundTripMs = Math.min(this.#roundTripMs, Math.max(ms, 0.1));
  }
}
