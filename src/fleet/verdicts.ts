/**
 * How to take other members' verdicts on addresses, which are hearsay and advice.
 *
 * @module
 */

/** A member's verdict: an address of a host has failed for it. */
export interface HeardVerdict {
  /** Whose it is. */
  readonly member: string;
  /** The host, in canonical text. */
  readonly host: string;
  /** The address, in canonical text. */
  readonly address: string;
  /** Why, in the member's words. */
  readonly reason: string;
  /** When it was sent, in the clock's milliseconds. */
  readonly at: number;
  /** Until when it holds, in the clock's milliseconds. */
  readonly until: number;
}

/** What one has seen of an address. */
export interface OwnExperience {
  /** When it last worked here, in the clock's milliseconds; 0 if it never did. */
  readonly wellAt: number;
  /** Whether it has failures here: then no verdict is needed. */
  readonly failing: boolean;
}

/**
 * Which members are distrusted: those that condemn more than half of the addresses that are known
 * here, if these are three or more. Then their own network must be broken.
 */
export function distrusted(
  verdicts: Iterable<HeardVerdict>,
  known: ReadonlySet<string>,
): Set<string> {
  const condemned = new Map<string, Set<string>>();
  for (const { address, member } of verdicts) {
    if (!known.has(address)) continue;
    let addresses = condemned.get(member);
    if (!addresses) condemned.set(member, addresses = new Set());
    addresses.add(address);
  }
  const members = [...condemned].filter(([, { size }]) => size >= 2 && size * 2 > known.size);
  return new Set(known.size < 3 ? [] : members.map(([member]) => member));
}

/**
 * Whether to treat an address as doubtful by what others say: enough of them, none of which is
 * distrusted, and no success here since.
 */
export function isDoubtful(
  verdicts: Iterable<HeardVerdict>,
  own: OwnExperience,
  rules: {
    readonly now: number;
    readonly quorum: number;
    readonly distrusted: ReadonlySet<string>;
  },
): boolean {
  if (own.failing) return false;
  const members = new Set<string>();
  for (const { at, member, until } of verdicts) {
    if (until <= rules.now || at <= own.wellAt || rules.distrusted.has(member)) continue;
    members.add(member);
  }
  return members.size >= rules.quorum;
}

/**
 * Whether to leave it to a member to try an address that has failed here too: to the one that
 * reported it, if this member did not, else to the one whose name comes first.
 */
export function leavesTrialsTo(verdict: HeardVerdict, own: string, hasTold: boolean): boolean {
  return !hasTold || verdict.member < own;
}

/** Whether to report a failure, when this many others have done so already. */
export function isWorthTelling(told: number, quorum: number): boolean {
  return told < quorum;
}
