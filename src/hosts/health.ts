/**
 * Which endpoints have failed of late: the others go first, and what fails too often is left alone.
 *
 * @module
 */

import type { Clock } from "../core/clock.ts";
import { DialError, type DialFailure, ProxyError, RequestError } from "../core/errors.ts";
import type { Endpoint } from "../map/endpoint.ts";
import type { Ceilings } from "./ceilings.ts";
import { MAX_PAUSE_MS, Streak } from "./streak.ts";

/**
 * What failed. A closed set: the ways in which a dial fails, and
 *
 * - `status`: an answer that counts as a failure
 * - `response`: no answer, or not all of it
 * - `silence`: no byte to several requests at once, for longer than is likely there
 * - `lease`: a lease that ended with an error
 * - `proxy`: a proxy on the way opened none, for which the address is never ejected
 * - `probe`: a check that got a connection, and not the answer that it asks for
 */
export type FailureKind =
  | DialFailure
  | "status"
  | "response"
  | "silence"
  | "lease"
  | "proxy"
  | "probe";

/** When endpoints are ejected, and for how long. */
export interface HealthOptions {
  /** After how many failures in a row. */
  readonly ejectAfterFailures: number;
  /** Above what share of failures, of ten leases or more in ten seconds. */
  readonly ejectAboveFailureRate: number;
  /** For how long at first, in milliseconds; twice as long the second time, and so on. */
  readonly ejectionMs: number;
  /** For how long at the most, in milliseconds. */
  readonly maxEjectionMs: number;
  /** Over what time the load of one that is new, or back, grows to its share, in milliseconds. */
  readonly slowStartMs: number;
}

/** What a health record hears about its endpoints. */
export interface HealthEvents {
  /** An endpoint was ejected. */
  onEject(endpoint: Endpoint, reason: string, forMs: number): void;
  /** An ejected endpoint is back. */
  onReadmit(endpoint: Endpoint): void;
}

/** What is known of failures that others act on. */
export interface HealthListener {
  /** An endpoint has failed: a dial that nobody waits for may find out when it is well. */
  onFailing(endpoint: Endpoint): void;
}

/** The last look at an endpoint. */
export interface Verdict {
  /** Whether it did well. */
  readonly ok: boolean;
  /** What it did. */
  readonly reason: string;
  /** When, in milliseconds since 1970. */
  readonly at: number;
}

/** What is known of an endpoint's failures. */
export interface EndpointHealth {
  /** The last verdict, if any. */
  readonly verdict: Verdict | null;
  /** When it was last checked, in milliseconds since 1970; null where it never was. */
  readonly lastCheckedAt: number | null;
  /** How often it failed, by what failed. */
  readonly failures: { readonly [Kind in FailureKind]?: number };
  /** How many failures there were in a row, the address's own among them. */
  readonly consecutiveFailures: number;
  /** How often it was ejected lately. */
  readonly ejections: number;
  /** Why it is ejected, if it is. */
  readonly ejectedFor: string | null;
}

/** The health of an endpoint of which nothing is known. */
export const NO_HEALTH: EndpointHealth = {
  verdict: null,
  lastCheckedAt: null,
  failures: {},
  consecutiveFailures: 0,
  ejections: 0,
  ejectedFor: null,
};

/** An address: what fails below TLS, and silence, count for every host there. */
class Machine {
  readonly streak = new Streak();
  readonly endpoints = new Set<Endpoint>();
  /** Requests that it was silent to, in a row, and when the last one was noted. */
  silences = 0;
  silentAt = 0;

  /** Whether it is in doubt for its silence, which a handshake does not end. */
  get silent(): boolean {
    return this.silences >= SILENT_TO;
  }

  /** When it last sent anything of an answer. */
  get heardAt(): number {
    let at = 0;
    for (const { answeredAt, heardAt } of this.endpoints) at = Math.max(at, answeredAt, heardAt);
    return at;
  }
}

class HealthRecord {
  readonly machine: Machine;
  readonly streak = new Streak();
  readonly failures: { [Kind in FailureKind]?: number } = {};
  verdict: Verdict | null = null;
  lastCheckedAt: number | null = null;
  lastFailedAt = 0;
  /** When it last failed otherwise than by a dial. */
  lastBrokenAt = 0;
  /** When a dial last failed, however its connection would have done. */
  dialFailedAt = 0;
  /** When it was last too busy for a connection that it had answered on. */
  busyAt = 0;
  /** When a handshake was last made. */
  reachedAt = 0;
  /** Whether it takes an answer to show that it is well: a handshake is not enough. */
  wantsAnswer = false;
  /** Whether its one failure is somebody else's word. */
  hearsay = false;
  /** Whether one caller may find out as soon as a handshake goes well: its connections broke. */
  mayAsk = false;
  /** How often callers found out in vain, and when the next one may. */
  readonly asks = new Streak();
  ejections = 0;
  ejectedUntil = 0;
  ejectedFor: string | null = null;
  windowFrom = 0;
  windowPicks = 0;
  windowFailures = 0;

  constructor(machine: Machine) {
    this.machine = machine;
  }
}

/**
 * For how long an answer, or a handshake, on another connection shows that a machine is well although
 * a dial failed so, in milliseconds: it takes no more connections. Silence says less than a refusal.
 */
const FULL_MS: { readonly [Failure in DialFailure]?: number } = {
  refused: 10_000,
  reset: 10_000,
  closed: 10_000,
  timeout: 1_000,
};

/** For how long an answer, or a connection served in vain, says how busy a machine is, in milliseconds. */
const BUSY_MS = 10_000;

/** So many fresh connections that end at once, and none that serves between, mean something. */
const HANG_UPS = 3;

/** The time over which a rate of failures is taken, in milliseconds, and how many leases it needs. */
const WINDOW = { ms: 10_000, leases: 10 };

/** A machine that is silent to so many requests at once is in doubt. */
const SILENT_TO = 3;

/** The shortest pause after that, in milliseconds. */
const SILENT_PAUSE_MS = 1_000;

/**
 * Remembers failures, and says how endpoints stand. A failure below TLS counts against the address
 * for every host; one of TLS, or above, only against that host there.
 */
export class AddressHealth {
  readonly #clock: Clock;
  readonly #options: HealthOptions;
  readonly #events: HealthEvents;
  readonly #records = new Map<Endpoint, HealthRecord>();
  readonly #machines = new Map<string, Machine>();
  readonly #failing = new Set<Endpoint>();
  readonly #ceilings: Ceilings;
  #listener: HealthListener | undefined;

  /** Makes a record of no failures. */
  constructor(clock: Clock, options: HealthOptions, events: HealthEvents, ceilings: Ceilings) {
    this.#clock = clock;
    this.#options = options;
    this.#events = events;
    this.#ceilings = ceilings;
  }

  /** Sets who acts on failures. */
  listen(listener: HealthListener): void {
    this.#listener = listener;
  }

  /** The endpoints that have failures. */
  get failing(): Iterable<Endpoint> {
    return this.#failing;
  }

  /**
   * When a dial that nobody waits for may find out whether an endpoint is well, in the clock's
   * milliseconds; `Infinity` where it is.
   */
  tryAt(endpoint: Endpoint): number {
    const record = this.#records.get(endpoint);
    if (!record || !endpoint.failing) return Infinity;
    return Math.max(record.streak.tryAt, record.machine.streak.tryAt);
  }

  /** Whether a dial tells anything: whether connections answer that are open is for callers to see. */
  isToBeTried(endpoint: Endpoint): boolean {
    const { machine, wantsAnswer } = this.#record(endpoint);
    return endpoint.connections.size === 0 || !(wantsAnswer || machine.silent);
  }

  /** Notes that a dial which nobody waits for is under way. */
  tries(endpoint: Endpoint): void {
    const { machine, streak } = this.#record(endpoint);
    const now = this.#clock.now();
    (machine.streak.failures > 0 ? machine.streak : streak).noteTry(now, this.#clock.random());
  }

  /** Begins to keep an endpoint's record. It stands as its address does. */
  enter(endpoint: Endpoint): void {
    this.#record(endpoint);
    this.#settle(endpoint);
  }

  /** Forgets an endpoint; what is known of its address stays while it is of any use. */
  leave(endpoint: Endpoint): void {
    const record = this.#records.get(endpoint);
    if (!record) return;
    this.#records.delete(endpoint);
    this.#failing.delete(endpoint);
    const { endpoints, streak } = record.machine;
    endpoints.delete(endpoint);
    if (endpoints.size > 0) return;
    this.#ceilings.forget(endpoint.address.text);
    if (streak.failures === 0) this.#machines.delete(endpoint.address.text);
  }

  /**
   * Notes a failure. A dial that fails at a machine which answers on other connections is none: it
   * takes no more of them.
   *
   * @param heldMs For how long no caller's lease may be the trial: where checks see to it
   */
  failed(endpoint: Endpoint, kind: FailureKind, error: unknown, heldMs = 0): void {
    if (endpoint.forgotten) return;
    const record = this.#note(endpoint, kind);
    if (error instanceof DialError && this.#isFull(endpoint, error, true)) {
      this.#takesNoMore(endpoint, false);
      return;
    }
    const now = this.#blame(endpoint, record, kind, error);
    const { machine } = record;
    const reason = reasonOf(kind, error);
    const most = this.#mostFailures(kind);
    if (error instanceof DialError && error.phase === "tcp") {
      machine.streak.note(now, most);
      machine.streak.noteTry(now, this.#clock.random());
      // What broke before, or was silent, was so because nobody was there.
      machine.silences = 0;
      for (const endpoint of machine.endpoints) {
        if (heldMs > 0) endpoint.lane.hold(endpoint, now + heldMs);
        const record = this.#record(endpoint);
        endpoint.dialFailedAt = record.dialFailedAt = now;
        record.wantsAnswer = false;
        this.#judge(endpoint, reason);
      }
      return;
    }
    if (heldMs > 0) endpoint.lane.hold(endpoint, now + heldMs);
    record.wantsAnswer = !(error instanceof DialError || error instanceof ProxyError);
    if (record.wantsAnswer) {
      record.lastBrokenAt = now;
      record.mayAsk = kind === "response"
        && !(error instanceof RequestError && error.failure === "timeout");
      // What did well for long begins anew.
      if (now > record.asks.dueAt + MAX_PAUSE_MS) record.asks.clear();
      record.asks.note(now);
    } else endpoint.dialFailedAt = record.dialFailedAt = now;
    record.streak.note(now, most);
    record.streak.noteTry(now, this.#clock.random());
    const isItsOwn = most === Infinity;
    this.#judge(endpoint, reason, isItsOwn && this.#failsTooOften(endpoint, record, now));
  }

  /**
   * Notes that a connection ended right after its handshake, before it ever served. It counts as a
   * failed dial; but it takes an answer to show that the next one is better.
   *
   * @param cause What the caller saw that it was for, if there was one
   * @returns Whether the machine answers on other connections, so that it only takes no more
   */
  hungUp(endpoint: Endpoint, cause?: unknown): boolean {
    if (endpoint.forgotten) return false;
    const { address: { text: address }, lane: { host } } = endpoint;
    const error = new DialError(
      { host, address, phase: "tls", failure: "closed" },
      "the connection ended right after the handshake, before it served",
      { cause },
    );
    const record = this.#note(endpoint, "closed");
    // One alone may be about what was asked.
    if (++endpoint.hangUps >= HANG_UPS && this.#isFull(endpoint, error, false)) {
      this.#takesNoMore(endpoint, true);
      return true;
    }
    const now = this.#blame(endpoint, record, "closed", error);
    record.wantsAnswer = true;
    record.mayAsk = false;
    endpoint.dialFailedAt = now;
    record.streak.note(now);
    record.streak.noteTry(now, this.#clock.random());
    this.#judge(endpoint, reasonOf("closed", error), this.#failsTooOften(endpoint, record, now));
    return false;
  }

  /**
   * Whether a connection whose server is too busy for it is one more than that takes: it never
   * answered otherwise, and others do; or may, where none of them has had the time for it.
   */
  isTooMuch(endpoint: Endpoint, answered: boolean): "yes" | "perhaps" | "no" {
    const record = this.#record(endpoint);
    const now = this.#clock.now();
    // What is too busy for those whom it serves is so for all.
    if (answered) record.busyAt = now;
    const from = now - BUSY_MS;
    if (record.busyAt >= from || endpoint.connections.size < 2) return "no";
    if (endpoint.answeredAt >= Math.max(from, record.lastBrokenAt)) return "yes";
    return endpoint.answeredAt < from ? "perhaps" : "no";
  }

  /** Notes that a connection was one more than its machine takes. It is in the maps no more. */
  turnedAway(endpoint: Endpoint): void {
    if (endpoint.forgotten) return;
    this.#note(endpoint, "status");
    this.#takesNoMore(endpoint, true);
  }

  /**
   * Notes that a dial reached the endpoint, its handshake included; or TCP alone, which tells of the
   * machine, and nothing of TLS on it.
   */
  reached(endpoint: Endpoint, reason: "handshake" | "connect" = "handshake"): void {
    const record = this.#record(endpoint);
    const { silent } = record.machine;
    const now = this.#clock.now();
    const forgives = !record.wantsAnswer && !silent
      && (reason === "handshake" || record.streak.failures === 0);
    // What still counts against it is the verdict until something forgives it.
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
    this.#forgive(record);
    if (record.wantsAnswer && record.mayAsk && endpoint.standing !== "gone") {
      const dueAt = Math.min(endpoint.dueAt, Math.max(now, record.asks.dueAt));
      endpoint.lane.setStanding(endpoint, endpoint.standing, dueAt);
    }
  }

  /** Notes that a connection has served for the first time. */
  served(endpoint: Endpoint): void {
    const { text } = endpoint.address;
    endpoint.hangUps = 0;
    if (this.#ceilings.of(text) !== null) this.#ceilings.served(text, this.#openAt(text, true));
  }

  /**
   * Notes a request to which no byte has come for longer than is likely. A machine that is silent to
   * several, and has answered nobody meanwhile, is in doubt for every host.
   *
   * @param sentAt When the request was sent, in the clock's milliseconds
   * @returns Whether the machine is in doubt
   */
  silent(endpoint: Endpoint, sentAt: number, error: unknown): boolean {
    if (endpoint.forgotten) return false;
    const now = this.#clock.now();
    const record = this.#record(endpoint);
    const { machine } = record;
    const { heardAt } = machine;
    if (heardAt >= sentAt) return false;
    if (heardAt > machine.silentAt || now - machine.silentAt > WINDOW.ms) machine.silences = 0;
    machine.silences++;
    machine.silentAt = now;
    if (!machine.silent) return false;
    const reason = reasonOf("silence", error);
    record.failures.silence = (record.failures.silence ?? 0) + 1;
    endpoint.lastError = error;
    endpoint.lane.endTrial(endpoint);
    // A trial costs a caller some time: it is not refused at once.
    machine.streak.note(now, Infinity, SILENT_PAUSE_MS);
    machine.streak.noteTry(now, this.#clock.random());
    for (const endpoint of machine.endpoints) {
      this.#record(endpoint).verdict = { ok: false, reason, at: now };
      this.#judge(endpoint, reason);
    }
    return true;
  }

  /**
   * Holds a good endpoint for doubtful on somebody else's word, as after one failure: callers go
   * elsewhere, and soon one trial goes there. Never more than half of a host's.
   */
  doubt(endpoint: Endpoint, reason: string): void {
    const { failing, lane, standing } = endpoint;
    if (standing !== "good" || failing || !endpoint.member) return;
    if (!lane.mayDoubt) return;
    const record = this.#record(endpoint);
    const now = this.#clock.now();
    record.streak.note(now);
    record.hearsay = true;
    record.verdict = { ok: false, reason: `told by another pool: ${reason}`, at: now };
    this.#setFailing(endpoint, true);
    lane.setStanding(endpoint, "doubtful", dueAtOf(record));
  }

  /**
   * Leaves it to somebody else for a while to try an endpoint that has failed, as long as callers
   * have a good one to go to.
   *
   * @param until In the clock's milliseconds
   */
  postpone(endpoint: Endpoint, until: number): void {
    const { dueAt, lane, standing } = endpoint;
    if ((standing !== "doubtful" && standing !== "ejected") || !lane.hasGood) return;
    const { machine, streak } = this.#record(endpoint);
    for (const one of [machine.streak, streak]) if (one.failures > 0) one.postpone(until);
    if (dueAt < until) lane.setStanding(endpoint, standing, until);
  }

  /** Lets an endpoint be tried at once: it did well for somebody else. What was hearsay is forgiven. */
  retry(endpoint: Endpoint): void {
    const record = this.#record(endpoint);
    const { lane, standing } = endpoint;
    if (record.hearsay && record.streak.failures === 1 && record.machine.streak.failures === 0) {
      record.streak.clear();
      record.hearsay = false;
      this.#settle(endpoint);
    } else if (standing === "ejected" || standing === "doubtful") {
      const now = this.#clock.now();
      record.ejectedUntil = Math.min(record.ejectedUntil, now);
      for (const streak of [record.machine.streak, record.streak]) streak.hurry(now);
      lane.setStanding(endpoint, standing, now);
      this.#listener?.onFailing(endpoint);
    }
  }

  /** Notes that a check of an endpoint has a verdict, which is told besides. */
  checked(endpoint: Endpoint): void {
    this.#record(endpoint).lastCheckedAt = this.#clock.now();
  }

  /**
   * Notes that an exchange went well. One that began before the last failure tells nothing of what
   * is now, and one on a connection that was made before the last failed dial nothing of dials.
   *
   * @param madeAt When its connection was made, in the clock's milliseconds
   */
  succeeded(endpoint: Endpoint, startedAt: number, madeAt: number = startedAt): void {
    if (endpoint.forgotten) return;
    const record = this.#record(endpoint);
    endpoint.lane.endTrial(endpoint);
    if (startedAt < record.lastFailedAt) return;
    if (madeAt <= record.dialFailedAt) return;
    record.verdict = { ok: true, reason: "answer", at: this.#clock.now() };
    record.streak.clear();
    record.wantsAnswer = false;
    record.machine.silences = 0;
    this.#forgive(record);
  }

  /** How many connections an endpoint's machine was seen to take; null where it took all. */
  ceilingOf({ address: { text } }: Endpoint): number | null {
    return this.#ceilings.of(text);
  }

  /** What is known of an endpoint. */
  describe(endpoint: Endpoint): EndpointHealth {
    const record = this.#records.get(endpoint);
    if (!record) return NO_HEALTH;
    const { ejectedFor, ejections, failures, verdict } = record;
    const { answeredAt } = endpoint;
    return {
      // Most answers are noted by their time alone.
      verdict: answeredAt > (verdict?.at ?? 0)
        ? { ok: true, reason: "answer", at: answeredAt }
        : verdict,
      lastCheckedAt: record.lastCheckedAt,
      failures: { ...failures },
      consecutiveFailures: failuresOf(record),
      ejections,
      ejectedFor,
    };
  }

  /** Forgets addresses that nobody has had for long, so that they do not heap up. */
  forgetOld(): void {
    const now = this.#clock.now();
    for (const [address, { endpoints, streak }] of this.#machines) {
      if (endpoints.size === 0 && now > streak.dueAt + MAX_PAUSE_MS) this.#machines.delete(address);
    }
  }

  #record(endpoint: Endpoint): HealthRecord {
    let record = this.#records.get(endpoint);
    if (record) return record;
    const { text } = endpoint.address;
    let machine = this.#machines.get(text);
    if (!machine) {
      this.#machines.set(text, machine = new Machine());
    }
    machine.endpoints.add(endpoint);
    this.#records.set(endpoint, record = new HealthRecord(machine));
    return record;
  }

  /** Counts a failure, of whatever it may be. */
  #note(endpoint: Endpoint, kind: FailureKind): HealthRecord {
    const record = this.#record(endpoint);
    record.failures[kind] = (record.failures[kind] ?? 0) + 1;
    endpoint.lane.endTrial(endpoint);
    return record;
  }

  /** Holds a failure against an endpoint. Gives the time. */
  #blame(endpoint: Endpoint, record: HealthRecord, kind: FailureKind, error: unknown): number {
    const now = this.#clock.now();
    record.verdict = { ok: false, reason: reasonOf(kind, error), at: now };
    record.lastFailedAt = now;
    record.hearsay = false;
    endpoint.lastError = error;
    const { text } = endpoint.address;
    if (error instanceof DialError && this.#openAt(text) === 0) this.#ceilings.forget(text);
    return now;
  }

  /** How many failures in a row are noted: for what the program lacks no machine is ejected. */
  #mostFailures(kind: FailureKind): number {
    return kind === "resources" || kind === "proxy"
      ? this.#options.ejectAfterFailures - 1
      : Infinity;
  }

  /** How many connections an address has, those of all hosts: all, or those that have served. */
  #openAt(address: string, thatServed = false): number {
    let open = 0;
    for (const { connections } of this.#machines.get(address)?.endpoints ?? []) {
      if (!thatServed) open += connections.size;
      else for (const { answered } of connections) if (answered) open++;
    }
    return open;
  }

  /**
   * Whether a machine answers on other connections, so that a dial that failed tells that it takes
   * no more. What fails in TLS is held against the host's own connections alone.
   *
   * @param byHandshake Whether a handshake will do for an answer
   */
  #isFull(endpoint: Endpoint, { failure, phase }: DialError, byHandshake: boolean): boolean {
    const withinMs = FULL_MS[failure];
    if (withinMs === undefined) return false;
    const from = this.#clock.now() - withinMs;
    const others = phase === "tcp" ? this.#record(endpoint).machine.endpoints : [endpoint];
    for (const other of others) {
      const { lastBrokenAt, reachedAt } = this.#record(other);
      const at = Math.max(other.answeredAt, byHandshake ? reachedAt : 0);
      if (other.connections.size > 0 && at >= from && at > lastBrokenAt) return true;
    }
    return false;
  }

  /**
   * Notes that a machine has as many connections as it takes: that is no failure of its.
   *
   * @param afterwards Whether it tells so only when they are open: what has not served is in doubt
   */
  #takesNoMore(endpoint: Endpoint, afterwards: boolean): void {
    const { text } = endpoint.address;
    this.#ceilings.refused(text, this.#openAt(text, afterwards));
    if (!endpoint.failing) return;
    const record = this.#record(endpoint);
    // What dials failed by before, while nobody knew that others are answered, was the same.
    if (endpoint.dialFailedAt === 0) return;
    record.streak.clear();
    record.wantsAnswer = false;
    for (const endpoint of record.machine.endpoints) {
      endpoint.dialFailedAt = this.#record(endpoint).dialFailedAt = 0;
    }
    this.#forgive(record);
  }

  #forgive({ machine }: HealthRecord): void {
    machine.streak.clear();
    for (const endpoint of machine.endpoints) this.#settle(endpoint);
  }

  #setFailing(endpoint: Endpoint, failing: boolean): void {
    endpoint.failing = failing;
    if (!failing) {
      this.#failing.delete(endpoint);
      return;
    }
    this.#failing.add(endpoint);
    this.#listener?.onFailing(endpoint);
  }

  /** Says how an endpoint stands after something has gone well, or was forgiven. */
  #settle(endpoint: Endpoint): void {
    const { lane } = endpoint;
    const record = this.#record(endpoint);
    this.#setFailing(endpoint, failuresOf(record) > 0);
    if (endpoint.standing === "gone") return;
    if (endpoint.failing) {
      // One that was gone for a while comes back as it left.
      const isBack = record.ejectedFor !== null && endpoint.standing !== "ejected";
      if (isBack && lane.mayEject) lane.setStanding(endpoint, "ejected", record.ejectedUntil);
      else if (isBack || record.ejectedFor === null) {
        record.ejectedFor = null;
        lane.setStanding(endpoint, "doubtful", dueAtOf(record));
      }
      return;
    }
    endpoint.lastError = undefined;
    const wasEjected = record.ejectedFor !== null;
    record.ejectedFor = null;
    lane.hold(endpoint, 0);
    if (wasEjected) endpoint.startSlowly(this.#clock.now(), this.#options.slowStartMs);
    lane.setStanding(endpoint, "good");
    if (wasEjected) this.#events.onReadmit(endpoint);
  }

  /** Says how an endpoint stands after a failure, its own or that of another host there. */
  #judge(endpoint: Endpoint, reason: string, failsTooOften = false): void {
    const { lane } = endpoint;
    const record = this.#record(endpoint);
    const now = this.#clock.now();
    const wasEjected = record.ejectedFor !== null;
    const failures = failuresOf(record);
    this.#setFailing(endpoint, true);
    if (endpoint.standing === "gone") return;
    if (wasEjected && now < record.ejectedUntil) {
      // It may have been tried before its time.
      const { dueAt } = endpoint;
      if (dueAt < record.ejectedUntil) lane.setStanding(endpoint, "ejected", record.ejectedUntil);
      return;
    }
    const { ejectAfterFailures, ejectionMs, maxEjectionMs } = this.#options;
    const isDue = failsTooOften || failures >= ejectAfterFailures;
    if (!isDue || !(lane.mayEject || wasEjected)) {
      record.ejectedFor = null;
      lane.setStanding(endpoint, "doubtful", dueAtOf(record));
      return;
    }
    // What went well for as long as it can be ejected begins anew.
    if (now - record.ejectedUntil > maxEjectionMs) record.ejections = 0;
    const forMs = Math.min(ejectionMs * ++record.ejections, maxEjectionMs);
    record.ejectedUntil = now + forMs;
    record.ejectedFor = failsTooOften
      ? `${record.windowFailures} failures within ${WINDOW.ms / 1_000} s, the last: ${reason}`
      : `${failures} failures in a row, the last: ${reason}`;
    lane.setStanding(endpoint, "ejected", record.ejectedUntil);
    this.#events.onEject(endpoint, record.ejectedFor, forMs);
  }

  #failsTooOften({ picks }: Endpoint, record: HealthRecord, now: number): boolean {
    if (now - record.windowFrom > WINDOW.ms) {
      record.windowFrom = now;
      // The lease that has just failed is among them.
      record.windowPicks = picks - 1;
      record.windowFailures = 0;
    }
    record.windowFailures++;
    const leases = Math.max(picks - record.windowPicks, record.windowFailures);
    return leases >= WINDOW.leases
      && record.windowFailures / leases > this.#options.ejectAboveFailureRate;
  }
}

function failuresOf({ machine, streak }: HealthRecord): number {
  return Math.max(streak.failures, machine.streak.failures);
}

function dueAtOf({ machine, streak }: HealthRecord): number {
  return Math.max(streak.dueAt, machine.streak.dueAt);
}

function reasonOf(kind: FailureKind, error: unknown): string {
  return error instanceof Error ? `${kind}: ${error.message}` : kind;
}
