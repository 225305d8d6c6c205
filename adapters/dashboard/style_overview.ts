/**
 * The dashboard's style, part three: all pools at a glance, and what is stale.
 *
 * @module
 */

/** The style of the overview, and of figures that are not renewed any more. */
export const STYLE_OVERVIEW: string = String.raw`
.page[data-place="all"] > .of-pool, .page[data-place="pool"] > .of-all { display: none; }
.page[data-place="all"] { grid-template-columns: minmax(0, 1fr); grid-template-rows: none; max-width: 1440px; }
.bar .up { text-decoration: none; color: inherit; }
.badge { padding: 0 8px; border-radius: 9px; font-size: 12px; font-weight: 600; line-height: 18px; border: 1px solid var(--warn-line); background: var(--warn-wash); color: var(--warn); }
.badge.critical { border-color: var(--bad-line); background: var(--bad-wash); color: var(--bad); }
.pools > li { border-top: 1px solid var(--line); }
.pool { display: grid; grid-template-columns: minmax(150px, 1fr) minmax(0, 2.4fr) auto; grid-template-areas: "name what figures" "sub what figures";
  column-gap: var(--s5); row-gap: 2px; align-items: center; padding: var(--s3) var(--s4); color: inherit; text-decoration: none; border-left: 4px solid transparent; }
.pool:hover { background: var(--accent-wash); }
.pool:focus-visible { outline-offset: -3px; }
.pool[data-worst="warning"] { border-left-color: var(--warn); }
.pool[data-worst="critical"] { border-left-color: var(--bad); background: var(--bad-wash); }
.pool .name { grid-area: name; display: flex; align-items: center; gap: var(--s2); min-width: 0; font-size: 15px; }
.pool .name .icon { width: 18px; height: 18px; }
.pool .what { grid-area: what; overflow-wrap: anywhere; color: var(--muted); }
.pool[data-worst="warning"] .what { color: var(--warn); }
.pool[data-worst="critical"] .what { color: var(--bad); font-weight: 600; }
.pool .sub { grid-area: sub; font-size: 12px; padding-left: 26px; }
.pool[data-worst="critical"] .muted { color: var(--ink); }
.pool .figures { grid-area: figures; display: grid; grid-template-columns: 76px 92px 76px 64px 84px; gap: var(--s3); text-align: right; }
.pool .figure { display: grid; }
.pool .figure b { font-weight: 600; font-size: 15px; letter-spacing: -.01em; white-space: nowrap; }
.pool .figure small { font-size: 12px; white-space: nowrap; }
.tone-fine { color: var(--accent); }

.tile[data-bad="warning"] { box-shadow: inset 0 3px var(--warn); }
.tile[data-bad="warning"] dd:not(.more) > span { color: var(--warn); }
.tile[data-bad="critical"] { box-shadow: inset 0 3px var(--bad); background: var(--bad-wash); }
.tile[data-bad="critical"] dd:not(.more) span { color: var(--bad); }
.tile[data-bad="critical"] :is(dt, .more, small) { color: var(--ink); }
.tile[data-bad="warning"] .spark .area { fill: var(--warn-wash); } .tile[data-bad="warning"] .spark .line { stroke: var(--warn); }
.tile[data-bad="critical"] .spark .area { fill: var(--bad-wash); } .tile[data-bad="critical"] .spark .line { stroke: var(--bad); }

.tile .answers { display: flex; gap: 2px; height: 10px; margin: 14px 0 16px; align-self: end; }
.tile .answers span { min-width: 3px; border-radius: 2px; }
.answers .well { background: var(--accent); } .answers .client { background: var(--warn-line); } .answers .bad { background: var(--bad); }
.answers .none { background: repeating-linear-gradient(135deg, var(--bad) 0 3px, transparent 3px 5px); }

.glance[data-worst="stale"] { border-left: 4px dashed var(--edge); background: var(--sunk); }
.glance[data-worst="stale"] > .icon { color: var(--ink); }
.glance[data-worst="stale"] h1 { color: var(--ink); }
:root[data-stale] :is(.page, .drawer) {
  --ink: light-dark(#5c5850, #a6a49d); --accent: light-dark(#6f6b64, #8d8b85); --accent-soft: light-dark(#cfccc4, #3c4041);
  --accent-wash: light-dark(#ebe9e3, #232728); --warn: light-dark(#5c5850, #a6a49d); --warn-wash: transparent; --warn-line: var(--edge);
  --bad: light-dark(#5c5850, #a6a49d); --bad-wash: transparent; --bad-line: var(--edge); --surface: var(--sunk); --raised: var(--sunk); color: var(--ink); }
:root[data-stale] .glance h1 { color: light-dark(#1c1b19, #eae8e3); }
:root[data-stale] .tile dt small { display: none; }
:root[data-stale] .tile dt::after { content: var(--as-of); }
:root[data-stale] :is(.panel:not(.glance) > header, .drawer > header) h2::after { content: var(--as-of); padding: 0 8px; border: 1px dashed var(--edge); border-radius: 9px;
  font-size: 12px; font-weight: 500; line-height: 18px; color: var(--muted); white-space: nowrap; }
:root[data-stale] .spark { filter: grayscale(1); }
:root[data-stale] .dot { animation: none !important; }

@media (max-width: 1100px) {
  .pool { grid-template-columns: minmax(0, 1fr) auto; grid-template-areas: "name figures" "sub figures" "what what"; }
}
@media (max-width: 900px) { .tile dt { flex-direction: column; } }
@media (max-width: 760px) {
  .pool { grid-template-columns: minmax(0, 1fr); grid-template-areas: "name" "what" "figures" "sub"; row-gap: var(--s1); padding: var(--s3); }
  .pool .figures { grid-template-columns: repeat(3, minmax(0, 1fr)); text-align: left; gap: var(--s2) var(--s3); padding-top: var(--s1); }
  .pool .sub { padding-left: 0; }
}
@media (max-width: 640px) {
  .bar .up { padding: 0 var(--s1); }
  .bar .up .long { display: block; position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
}
`;
