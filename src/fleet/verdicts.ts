/**
 * What to make of other members' verdicts on addresses: they are hearsay, and advice.
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
  /** When it was told, in the clock's milliseconds. */
  readonly at: number;
  /** Until when it holds, in the clock's milliseconds. */
  readonly until: number;
}

/** What one has seen of an address. */
export interface OwnExperience {
  /** When it last did well here, in the clock's milliseconds; 0 if it never did. */
  readonly wellAt: number;
  /** Whether it has failures here: then nobody need tell. */
  readonly failing: boolean;
}

/**
 * Which members' words count for nothing: those that condemn more than half of the addresses that
 * are known here, of which there must be three at least. It is their own network that is broken.
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
 * Whether an address is to be held for doubtful, by what others say of it: enough of them, none of
 * whom is distrusted, and nothing that was seen here since.
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
 * Whether to leave it to a member to try an address again that has failed here too: to the one who
 * told of it, where nobody here did, else to the one whose name comes first.
 */
export function leavesTrialsTo(verdict: HeardVerdict, own: string, hasTold: boolean): boolean {
  return !hasTold || verdict.member < own;
}

/** Whether to tell the others of a failure, when so many of them have told of it already. */
export function isWorthTelling(told: number, quorum: number): boolean {
  return told < quorum;
}
