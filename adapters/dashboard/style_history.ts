/**
 * The dashboard's style, the part that draws the last thirty minutes.
 *
 * @module
 */

/** The style of the charts. */
export const STYLE_HISTORY: string = String.raw`
.charts { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(260px, 100%), 1fr)); gap: var(--s4) var(--s5); padding: 0 var(--s4) var(--s4); }
.chart { margin: 0; min-width: 0; font-size: 12px; }
.chart figcaption { display: flex; gap: var(--s2); justify-content: space-between; }
.chart .keys { display: flex; flex-wrap: wrap; gap: 0 var(--s3); min-height: 18px; }
.chart .keys li { display: inline-flex; align-items: center; gap: 4px; white-space: nowrap; }
.chart .key { width: 10px; height: 3px; border-radius: 2px; background: currentColor; }
.chart .plot { position: relative; height: 84px; margin-top: var(--s1); border-bottom: 1px solid var(--edge); background: linear-gradient(var(--line), var(--line)) 0 50% / 100% 1px no-repeat, linear-gradient(var(--line), var(--line)) 0 0 / 100% 1px no-repeat; cursor: crosshair; touch-action: pan-y; }
.chart svg { position: absolute; inset: 0; width: 100%; height: 100%; overflow: visible; }
.chart .curve { fill: none; stroke: currentColor; stroke-width: 1.6; vector-effect: non-scaling-stroke; stroke-linejoin: round; stroke-linecap: round; }
.chart .tone-main { color: var(--accent); } .chart .tone-soft { color: var(--edge); } .chart .tone-warn { color: var(--warn); } .chart .tone-bad { color: var(--bad); }
.chart .cursor { position: absolute; top: 0; bottom: 0; width: 1px; background: var(--ink); pointer-events: none; }
.chart .top, .chart .mid { position: absolute; left: 2px; top: 1px; color: var(--muted); pointer-events: none; font-size: 11px; }
.chart .mid { top: 50%; }
.chart .times { display: flex; justify-content: space-between; color: var(--muted); font-size: 11px; }
.drawer .charts { padding: 0; grid-template-columns: minmax(0, 1fr); }
`;
