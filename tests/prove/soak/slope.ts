/**
 * How fast something grows, from figures that swing.
 *
 * @module
 */

/** A slope, and between what it lies with 99.9 % confidence, as far as the figures are independent. */
export interface Slope {
  readonly value: number;
  readonly low: number;
  readonly high: number;
}

/** 99.9 % of a normal distribution lie within so many standard deviations. */
const Z = 3.29;

/**
 * The median of the slopes between each two points (Theil and Sen): what a third of the points say
 * that are far off moves it little. The interval is the one that Sen gave, by Kendall's test.
 *
 * @param points Two or more, with different times
 */
export function slopeOf(points: readonly (readonly [at: number, value: number])[]): Slope {
  const slopes: number[] = [];
  for (const [index, [at, value]] of points.entries()) {
    for (const [later, other] of points.slice(index + 1)) {
      slopes.push((other - value) / (later - at));
    }
  }
  if (slopes.length === 0) throw new RangeError("A slope needs two points");
  slopes.sort((a, b) => a - b);
  const { length: n } = points;
  const spread = Z * Math.sqrt(n * (n - 1) * (2 * n + 5) / 18);
  const at = (rank: number) => {
    return slopes[Math.min(slopes.length - 1, Math.max(0, Math.round(rank)))]!;
  };
  const middle = slopes.length >> 1;
  return {
    value: slopes.length % 2 === 1 ? slopes[middle]! : (slopes[middle - 1]! + slopes[middle]!) / 2,
    low: at((slopes.length - spread) / 2 - 1),
    high: at((slopes.length + spread) / 2),
  };
}
