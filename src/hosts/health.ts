/**
 * Which endpoints have failed recently: the others go first, and what fails too often is left alone.
 *
 * @module
 */

import type { Clock } from "../core/clock.ts";
import { DialError, ProxyError, RequestError } from "../core/errors.ts";
import type { Steps } from "../core/steps.ts";
import type { Endpoint } from "../map/endpoint.ts";
import type { Ceilings } from "./ceilings.ts";
import { Fullness } from "./fullness.ts";
import { type HealthRecord, HealthRecords } from "./health_record.ts";
import {
  type HealthEvents,
  type HealthListener,
  type HealthOptions,
  Standings,
  WINDOW,
} from "./standing.ts";
import { MAX_PAUSE_MS } from "./streak.ts";
import {
  type EndpointHealth,
  type FailureKind,
  isOwnLack,
  NO_HEALTH,
  reasonOf,
} from "./verdict.ts";

/**
 * How many fresh connections must end at once, with none that serves in between, to mean something.
 */
const HANG_UPS = 3;

/** The shortest pause after that, in milliseconds. */
const SILENT_PAUSE_MS = 1_000;

/**
 * How long an answer shows that a machine works although it failed another request, in
 * milliseconds.
 */
const ANSWERS_MS = 1_000;

/**
 * How soon after one another requests find a machine silent for the same reason, in milliseconds.
 */
const SAME_SILENCE_MS = 1_000;

/**
 * What a hang-up says about a machine: that it takes no more connections, that it has failed,
 * or nothing, since the request may be the cause.
 */
export type HangUp = "full" | "failed" | "nothing";

/**
 * Remembers failures, and says how endpoints stand. A failure below TLS counts against the address
 * for every host; one of TLS, or above, only against that host there.
 */
export class AddressHealth {
  readonly #clock: Clock;
  readonly #options: HealthOptions;
  readonly #records: HealthRecords;
  readonly #standings: Standings;
  readonly #fullness: Fullness;
  readonly #ceilings: Ceilings;

  /** Makes a record of no failures. */
  constructor(clock: Clock, options: HealthOptions, events: HealthEvents, ceilings: Ceilings) {
    this.#clock = clock;
    this.#options = options;
    this.#ceilings = ceilings;
    this.#records = new HealthRecords(clock);
    this.#standings = new Standings(clock, options, events, this.#records);
    this.#fullness = new Fullness(clock, this.#records, this.#standings, ceilings);
  }

  /** Sets the listener for failures. */
  listen(listener: HealthListener): void {
    this.#standings.listen(listener);
  }

  /** The endpoints that have failures. */
  get failing(): Iterable<Endpoint> {
    return this.#standings.failing;
  }

  /**
   * When a background dial may find out whether an endpoint works, in the clock's milliseconds;
   * `Infinity` if it does.
   */
  tryAt(endpoint: Endpoint): number {
    const record = this.#records.find(endpoint);
    if (!record || !endpoint.failing) return Infinity;
    return Math.max(record.streak.tryAt, record.machine.streak.tryAt);
  }

  /** Whether a dial would show anything: callers see whether open connections answer. */
  isToBeTried(endpoint: Endpoint): boolean {
    const { machine, wantsAnswer } = this.#records.of(endpoint);
    return endpoint.connections.size === 0 || !(wantsAnswer || machine.silent);
  }

  /** Notes that a background dial is under way. */
  tries(endpoint: Endpoint): void {
    const { machine, streak } = this.#records.of(endpoint);
    const now = this.#clock.now();
    (machine.streak.failures > 0 ? machine.streak : streak).noteTry(now, this.#clock.random());
  }

  /** Begins to keep an endpoint's record. Its standing is that of its address. */
  enter(endpoint: Endpoint): void {
    this.#records.of(endpoint);
    this.#standings.settle(endpoint);
  }

  /** Forgets an endpoint; what is known of its address stays while it is of any use. */
  leave(endpoint: Endpoint): void {
    this.#standings.leave(endpoint);
    if (this.#records.leave(endpoint)) this.#ceilings.forget(endpoint.address.text);
  }

  /**
   * Notes a failure. A failed dial to a machine that answers on other connections is not one: the
   * machine takes no more of them.
   *
   * @param heldMs For how long no caller's lease may be the trial: where checks see to it
   */
  failed(endpoint: Endpoint, kind: FailureKind, error: unknown, heldMs = 0): void {
    if (endpoint.forgotten) return;
    const record = this.#note(endpoint, kind);
    if (error instanceof DialError && this.#fullness.isFull(endpoint, error, true)) {
      this.#fullness.takesNoMore(endpoint, false);
      return;
    }
    if (kind === "response" && this.#answersOthers(endpoint, record)) return;
    const now = this.#blame(endpoint, record, kind, error);
    const { machine } = record;
    const reason = reasonOf(kind, error);
    const most = this.#mostFailures(kind);
    if (error instanceof DialError && error.phase === "tcp") {
      machine.streak.note(now, most);
      machine.streak.noteTry(now, this.#clock.random());
      // Earlier breaks and silences came from the machine being away.
      machine.silences = 0;
      for (const endpoint of machine.endpoints) {
        if (heldMs > 0) endpoint.lane.hold(endpoint, now + heldMs);
        const record = this.#records.of(endpoint);
        endpoint.dialFailedAt = record.dialFailedAt = now;
        record.wantsAnswer = false;
        this.#standings.judge(endpoint, reason);
      }
      return;
    }
    if (heldMs > 0) endpoint.lane.hold(endpoint, now + heldMs);
    record.wantsAnswer = !(error instanceof DialError || error instanceof ProxyError);
    if (record.wantsAnswer) {
      record.lastBrokenAt = now;
      record.mayAsk = kind === "response"
        && !(error instanceof RequestError && error.failure === "timeout");
      // After doing well for long, it starts afresh.
      if (now > record.asks.dueAt + MAX_PAUSE_MS) record.asks.clear();
      record.asks.note(now);
    } else endpoint.dialFailedAt = record.dialFailedAt = now;
    record.streak.note(now, most);
    record.streak.noteTry(now, this.#clock.random());
    const isItsOwn = most === Infinity;
    this.#standings.judge(
      endpoint,
      reason,
      isItsOwn && this.#standings.failsTooOften(endpoint, record, now),
    );
  }

  /**
   * Notes that a connection ended right after its handshake, before it ever served. It counts as a
   * failed dial, but only an answer shows that the next one is better.
   *
   * @param cause What the caller saw that it was for, if there was one
   * @returns What that says about the machine
   */
  hungUp(endpoint: Endpoint, cause?: unknown): HangUp {
    if (endpoint.forgotten) return "failed";
    const { address: { text: address }, lane: { host } } = endpoint;
    const error = new DialError(
      { host, address, phase: "tls", failure: "closed" },
      "the connection ended right after the handshake, before it served",
      { cause },
    );
    const record = this.#note(endpoint, "closed");
    // A single one may be due to the request.
    if (++endpoint.hangUps >= HANG_UPS && this.#fullness.isFull(endpoint, error, false)) {
      this.#fullness.takesNoMore(endpoint, true);
      return "full";
    }
    if (cause !== undefined && this.#answersOthers(endpoint, record)) return "nothing";
    const now = this.#blame(endpoint, record, "closed", error);
    record.wantsAnswer = true;
    record.mayAsk = false;
    endpoint.dialFailedAt = now;
    record.streak.note(now);
    record.streak.noteTry(now, this.#clock.random());
    this.#standings.judge(
      endpoint,
      reasonOf("closed", error),
      this.#standings.failsTooOften(endpoint, record, now),
    );
    return "failed";
  }

  /** Whether a connection whose server is too busy for it is one more than that takes. */
  isTooMuch(endpoint: Endpoint, answered: boolean): "yes" | "perhaps" | "no" {
    return this.#fullness.isTooMuch(endpoint, answered);
  }

  /** Notes that a connection was one more than its machine takes. It has left the maps. */
  turnedAway(endpoint: Endpoint): void {
    if (endpoint.forgotten) return;
    this.#note(endpoint, "status");
    this.#fullness.takesNoMore(endpoint, true);
  }

  /**
   * Notes that a dial reached the endpoint, its handshake included; or TCP alone, which shows that
   * the machine works, but not whether TLS on it does.
   */
  reached(endpoint: Endpoint, reason: "handshake" | "connect" = "handshake"): void {
    const record = this.#records.of(endpoint);
    const { silent } = record.machine;
    const now = this.#clock.now();
    const forgives = !record.wantsAnswer && !silent
      && (reason === "handshake" || record.streak.failures === 0);
    // A failure remains the verdict until something forgives it.
    if (forgives) record.verdict = { ok: true, reason, at: now };
    endpoint.dialFailedAt = 0;
    if (reason === "handshake") {
      record.reachedAt = now;
      record.dialFailedAt = 0;
    }
    if (!endpoint.failing || silent) return;
    if (!record.wantsAnswer) {
      if (reason === "handshake") record.streak.clear();
      endpoint.lane.hold(endpoint, 0);
    }
    this.#standings.forgive(record);
    if (record.wantsAnswer && record.mayAsk && endpoint.standing !== "gone") {
      const dueAt = Math.min(endpoint.dueAt, Math.max(now, record.asks.dueAt));
      endpoint.lane.setStanding(endpoint, endpoint.standing, dueAt);
    }
  }

  /** Notes that a connection has served for the first time. */
  served(endpoint: Endpoint): void {
    const { text } = endpoint.address;
    endpoint.hangUps = 0;
    if (this.#ceilings.of(text) !== null) {
      this.#ceilings.served(text, this.#records.openAt(text, true));
    }
  }

  /**
   * Notes a request to which no byte has come for longer than is likely. A machine that is silent to
   * several, and has answered nobody meanwhile, is in doubt for every host.
   *
   * @param sentAt When the request was sent, in the clock's milliseconds
   * @param describe Makes the error that describes it
   * @returns Whether the machine is in doubt
   */
  silent(endpoint: Endpoint, sentAt: number, describe: () => unknown): boolean {
    if (endpoint.forgotten) return false;
    const now = this.#clock.now();
    const record = this.#records.of(endpoint);
    const { machine } = record;
    const { heardAt } = machine;
    if (heardAt >= sentAt) return false;
    if (heardAt > machine.silentAt || now - machine.silentAt > WINDOW.ms) machine.silences = 0;
    machine.silences++;
    machine.silentAt = now;
    if (!machine.silent) return false;
    const { verdict } = record;
    // Thousands may wait for it: making an error for each would take longer than all the rest.
    const isSame = verdict?.reason.startsWith("silence") && now - verdict.at < SAME_SILENCE_MS;
    const error = isSame ? endpoint.lastError : describe();
    const reason = reasonOf("silence", error);
    record.failures.silence = (record.failures.silence ?? 0) + 1;
    endpoint.lastError = error;
    endpoint.lane.endTrial(endpoint);
    // A trial costs a caller some time: it is not refused at once.
    machine.streak.note(now, Infinity, SILENT_PAUSE_MS);
    machine.streak.noteTry(now, this.#clock.random());
    for (const endpoint of machine.endpoints) {
      this.#records.of(endpoint).verdict = { ok: false, reason, at: now };
      this.#standings.judge(endpoint, reason);
    }
    return true;
  }

  /**
   * Treats a good endpoint as doubtful on another pool's word, as after one failure: callers go
   * elsewhere, and soon one trial goes there. Never more than half of a host's.
   */
  doubt(endpoint: Endpoint, reason: string): void {
    const { failing, lane, standing } = endpoint;
    if (standing !== "good" || failing || !endpoint.member) return;
    if (!lane.mayDoubt) return;
    const record = this.#records.of(endpoint);
    const now = this.#clock.now();
    record.streak.note(now);
    record.hearsay = true;
    record.verdict = { ok: false, reason: `told by another pool: ${reason}`, at: now };
    this.#standings.doubt(endpoint);
  }

  /**
   * Leaves it to another pool for a while to try a failed endpoint, as long as callers have a good
   * one to go to.
   *
   * @param until In the clock's milliseconds
   */
  postpone(endpoint: Endpoint, until: number): void {
    const { dueAt, lane, standing } = endpoint;
    if ((standing !== "doubtful" && standing !== "ejected") || !lane.hasGood) return;
    const { machine, streak } = this.#records.of(endpoint);
    for (const one of [machine.streak, streak]) if (one.failures > 0) one.postpone(until);
    if (dueAt < until) lane.setStanding(endpoint, standing, until);
  }

  /** Lets an endpoint be tried at once: it worked for another pool. Hearsay is forgiven. */
  retry(endpoint: Endpoint): void {
    const record = this.#records.of(endpoint);
    const { lane, standing } = endpoint;
    if (record.hearsay && record.streak.failures === 1 && record.machine.streak.failures === 0) {
      record.streak.clear();
      record.hearsay = false;
      this.#standings.settle(endpoint);
    } else if (standing === "ejected" || standing === "doubtful") {
      const now = this.#clock.now();
      record.ejectedUntil = Math.min(record.ejectedUntil, now);
      for (const streak of [record.machine.streak, record.streak]) streak.hurry(now);
      lane.setStanding(endpoint, standing, now);
      this.#standings.recall(endpoint);
    }
  }

  /** Notes that a check of an endpoint has a verdict, which is reported as well. */
  checked(endpoint: Endpoint): void {
    this.#records.of(endpoint).lastCheckedAt = this.#clock.now();
  }

  /**
   * Notes that an exchange succeeded. One that began before the last failure says nothing about the
   * present, and one on a connection from before the last failed dial says nothing about dials.
   *
   * @param madeAt When its connection was made, in the clock's milliseconds
   */
  succeeded(endpoint: Endpoint, startedAt: number, madeAt: number = startedAt): void {
    if (endpoint.forgotten) return;
    const record = this.#records.of(endpoint);
    endpoint.lane.endTrial(endpoint);
    if (startedAt < record.lastFailedAt) return;
    if (madeAt <= record.dialFailedAt) return;
    record.verdict = { ok: true, reason: "answer", at: this.#clock.now() };
    record.streak.clear();
    record.wantsAnswer = false;
    record.machine.silences = 0;
    this.#standings.forgive(record);
  }

  /** How many connections an endpoint's machine was seen to take; null if it took all. */
  ceilingOf({ address: { text } }: Endpoint): number | null {
    return this.#ceilings.of(text);
  }

  /** What is known of an endpoint. */
  describe(endpoint: Endpoint): EndpointHealth {
    const record = this.#records.find(endpoint);
    if (!record) return NO_HEALTH;
    const { ejectedFor, ejections, failures, verdict } = record;
    const { answeredAt } = endpoint;
    return {
      // Most answers only leave their time.
      verdict: answeredAt > (verdict?.at ?? 0)
        ? { ok: true, reason: "answer", at: answeredAt }
        : verdict,
      lastCheckedAt: record.lastCheckedAt,
      failures: { ...failures },
      consecutiveFailures: record.consecutiveFailures,
      ejections,
      ejectedFor,
    };
  }

  /** Forgets addresses that nobody has used for long, so that they do not pile up. */
  forgetOld(): Steps {
    return this.#records.forgetOld();
  }

  /**
   * Whether the request may be the cause of a failure, since others are answered. While enough of the
   * host's machines are good, this one is left alone for it all the same. But a request that none
   * of them survives must not keep everybody else from the last of them.
   */
  #answersOthers({ lane, standing }: Endpoint, { machine }: HealthRecord): boolean {
    return standing === "good" && !lane.mayDoubt
      && this.#clock.now() - machine.answeredAt < ANSWERS_MS;
  }

  /** Counts a failure, of whatever it may be. */
  #note(endpoint: Endpoint, kind: FailureKind): HealthRecord {
    const record = this.#records.of(endpoint);
    record.failures[kind] = (record.failures[kind] ?? 0) + 1;
    endpoint.lane.endTrial(endpoint);
    return record;
  }

  /** Counts a failure against an endpoint. Returns the time. */
  #blame(endpoint: Endpoint, record: HealthRecord, kind: FailureKind, error: unknown): number {
    const now = this.#clock.now();
    record.verdict = { ok: false, reason: reasonOf(kind, error), at: now };
    record.lastFailedAt = now;
    record.hearsay = false;
    endpoint.lastError = error;
    const { text } = endpoint.address;
    if (error instanceof DialError && this.#records.openAt(text) === 0) this.#ceilings.forget(text);
    return now;
  }

  /** How many failures in a row are noted: no machine is ejected for what the program lacks. */
  #mostFailures(kind: FailureKind): number {
    return isOwnLack(kind) || kind === "proxy"
      ? this.#options.ejectAfterFailures - 1
      : Infinity;
  }
}
