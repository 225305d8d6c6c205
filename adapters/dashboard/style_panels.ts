/**
 * The dashboard's style, part two: what stands in the frame.
 *
 * @module
 */

/** The style of the summary, the figures, the map, the events, the drawer and the dialogs. */
export const STYLE_PANELS: string = String.raw`
.glance { display: flex; align-items: center; gap: var(--s4); padding: var(--s3) var(--s4); border-left: 4px solid var(--accent); }
.glance > .icon { width: 26px; height: 26px; color: var(--accent); }
.glance h1 { font-size: 18px; line-height: 1.25; font-weight: 680; letter-spacing: -.01em; }
.glance .words { flex: none; }
.glance[data-worst="warning"] { border-left-color: var(--warn); }
.glance[data-worst="warning"] > .icon, .tone-warning { color: var(--warn); }
.glance[data-worst="critical"] { border-left-color: var(--bad); background: var(--bad-wash); }
.glance[data-worst="critical"] > .icon, .tone-critical { color: var(--bad); }
.glance[data-worst="critical"] .muted { color: var(--ink); }
.chips:empty { display: none; }
.chips { display: flex; flex-wrap: wrap; gap: 6px; margin-left: auto; justify-content: flex-end; min-width: 0; }
.chip { display: inline-flex; align-items: center; gap: 6px; min-height: 28px; max-width: 100%; padding: 2px 10px; border: 1px solid var(--line); border-radius: 14px;
  background: var(--raised); font-size: 13px; text-align: left; }
.chip:hover { border-color: var(--edge); }
.chip.warning { border-color: var(--warn-line); background: var(--warn-wash); color: var(--warn); }
.chip.critical { border-color: var(--bad-line); background: var(--raised); color: var(--bad); font-weight: 600; }
.chip span { overflow-wrap: anywhere; }

.tiles { display: grid; grid-template-columns: repeat(4, minmax(0, 1fr)); }
.tile { padding: var(--s3) var(--s4) 0; display: grid; grid-template-rows: auto auto 1fr auto; gap: 2px; border-left: 1px solid var(--line); min-width: 0; overflow: hidden; }
.tile:nth-child(4n + 1) { border-left: 0; } .tile:nth-child(n + 5) { border-top: 1px solid var(--line); }
.tile dt { font-size: 12px; color: var(--muted); display: flex; flex-wrap: wrap; justify-content: space-between; gap: 0 var(--s2); }
.tile dt span { font-weight: 600; }
.tile dt small { font-size: 12px; }
.tile dd { font-size: 22px; line-height: 1.2; font-weight: 600; letter-spacing: -.02em; white-space: nowrap; }
.tile dd small { font-size: 12px; font-weight: 500; color: var(--muted); letter-spacing: 0; }
.tile dd.more { font-size: 12px; font-weight: 400; line-height: 18px; color: var(--muted); min-height: 18px; letter-spacing: 0; white-space: normal; overflow-wrap: anywhere; }
.tile dd.draw { line-height: 0; }
.spark { display: block; width: calc(100% + 2 * var(--s4)); margin: var(--s1) calc(-1 * var(--s4)) 0; height: 36px; overflow: visible; }
.spark path { vector-effect: non-scaling-stroke; }
.spark .area { fill: var(--accent-wash); }
.spark .line { fill: none; stroke: var(--accent); stroke-width: 1.5; stroke-linejoin: round; }

.tools { display: flex; flex-wrap: wrap; gap: var(--s2); }
.tools input.field { width: 190px; }
.views { display: inline-flex; border: 1px solid var(--line); border-radius: 7px; padding: 2px; background: var(--sunk); }
.views .btn { min-height: 28px; border-color: transparent; background: none; color: var(--muted); }
.views .btn[aria-pressed="true"] { background: var(--raised); color: var(--ink); border-color: var(--line); box-shadow: 0 1px 2px var(--shadow); }
.grid { position: relative; overflow: auto; overscroll-behavior: contain; border-top: 1px solid var(--line); height: 420px; contain: strict; }
.grid .rows { position: relative; }
.grid .head { position: sticky; top: 0; z-index: 2; background: var(--surface); border-bottom: 1px solid var(--line); height: var(--head); }
.grid .row { position: absolute; left: 0; contain: layout style; }
.matrix .head .row { width: 100%; height: 100%; border: 0; }
.grid [tabindex]:focus-visible { outline-offset: -2px; border-radius: 6px; }
.matrix .rowname, .matrix .corner { position: sticky; left: 0; z-index: 1; height: 100%; width: var(--name); background: var(--surface);
  border-right: 1px solid var(--line); padding: var(--s1) var(--s3); display: flex; flex-direction: column; justify-content: center; cursor: pointer; }
.matrix .row { border-bottom: 1px solid var(--line); }
.matrix .corner { font-size: 12px; color: var(--muted); cursor: default; }
.rowname b { font-weight: 600; overflow-wrap: normal; }
.rowname .sub, .colname .sub { font-size: 12px; color: var(--muted); }
.rowname .says { display: -webkit-box; -webkit-box-orient: vertical; -webkit-line-clamp: 2; overflow: hidden; line-height: 1.2; }
.rowname .st-ejected { color: var(--bad); } .rowname .st-doubtful { color: var(--warn); }
.matrix .rowname .line { line-height: 1.2; }
.rowname .line, .colname .line { display: flex; align-items: center; gap: 6px; min-width: 0; }
.colname b { font-size: 12px; font-weight: 600; }
.matrix .colname { position: absolute; top: 0; height: 100%; width: var(--col); padding: var(--s1) var(--s2); display: flex; flex-direction: column;
  justify-content: center; cursor: pointer; border-right: 1px solid var(--line); }
.matrix .cell { position: absolute; top: 0; bottom: 0; width: var(--col); padding: 3px; cursor: pointer; }
.matrix .cell.none { cursor: default; }
.matrix .cell.none::after { content: ""; position: absolute; inset: 50% auto auto 50%; width: 4px; height: 1px; background: var(--edge); opacity: .6; }
.matrix .cell.none > * { visibility: hidden; }
.box { height: 100%; padding: 3px 8px 4px; border-radius: 6px; border: 1px solid var(--line); background: var(--raised); display: grid; align-content: space-between; font-size: 12px; }
.cell:hover .box { border-color: var(--edge); }
.box .line { display: flex; align-items: center; gap: 5px; min-width: 0; white-space: nowrap; line-height: 16px; }
.box .line > :last-child { margin-left: auto; }
.box .sr { left: 0; top: 0; }
.meter { height: 4px; border-radius: 2px; background: var(--sunk); overflow: hidden; display: flex; }
.meter .busy { background: var(--accent); transform-origin: left; }
.meter .free { background: var(--accent-soft); }
.st-good { color: var(--muted); }
.st-starting { color: var(--accent); }
.st-doubtful, .st-resting, .fails { color: var(--warn); }
.st-ejected { color: var(--bad); }
.st-blocked, .st-denied, .st-gone, .st-untried { color: var(--muted); }
.st-ejected .word, .st-doubtful .word { font-weight: 600; }
[data-state="doubtful"] > .box, [data-state="resting"] > .box { background: var(--warn-wash); border-color: var(--warn-line); }
[data-state="ejected"] > .box { background: var(--bad-wash); border-color: var(--bad-line); }
[data-state="ejected"] > .box .fails { color: var(--bad); }
[data-state="blocked"] > .box, [data-state="denied"] > .box, [data-state="gone"] > .box, [data-state="untried"] > .box { background: var(--sunk); border-style: dashed; border-color: var(--edge); }

.list { container-type: inline-size; --cols: minmax(150px, 1.8fr) minmax(130px, 1.7fr) minmax(110px, 1.1fr) 60px 76px 84px; }
.list.streams { --cols: minmax(150px, 1.8fr) minmax(130px, 1.7fr) minmax(110px, 1.1fr) 84px 60px 76px 84px; }
.list .row { width: 100%; display: grid; align-items: center; grid-template-columns: var(--cols); column-gap: var(--s3); padding: 0 var(--s4); border-bottom: 1px solid var(--line); }
.list .head .row { position: static; height: 100%; border: 0; font-size: 12px; color: var(--muted); }
.sort { border: 0; padding: 2px 0; background: none; color: inherit; font: inherit; white-space: nowrap; }
.sort:hover, [aria-sort="ascending"] > .sort, [aria-sort="descending"] > .sort { color: var(--ink); }
[aria-sort="ascending"] > .sort, [aria-sort="descending"] > .sort { font-weight: 650; }
[aria-sort="ascending"] > .sort::after { content: " \2191"; }
[aria-sort="descending"] > .sort::after { content: " \2193"; }
.list .above { position: absolute; top: 100%; left: 0; right: 0; height: 30px; padding: 0 var(--s4); line-height: 29px; font-weight: 650; background: var(--sunk); border-bottom: 1px solid var(--line); }
.list.hosts .row.line { background: var(--sunk); }
.list .row.line .name > .clip:not(.sub) { font-weight: 650; }
.list .row .name { display: flex; align-items: center; gap: var(--s2); min-width: 0; height: 100%; cursor: pointer; }
.list .name .sub { color: var(--muted); font-size: 12px; flex: 1 1 0; min-width: 0; }
.list .row:not(.line) .name { padding-left: var(--s4); }
.list .row.more .name { color: var(--accent); grid-column: 1 / -1; }
.list .row.more .icon { visibility: hidden; }
/* What does not fit is in the drawer. */
@container (max-width: 840px) {
  .list .row { --cols: minmax(140px, 1fr) minmax(120px, 1.15fr) 110px 72px 84px; }
  .list .of-dialing, .list .of-streams, .list .name .sub { display: none; }
}
.list .body .row:hover { background: var(--accent-wash); }
.list .load { display: grid; grid-template-columns: 1fr auto; align-items: center; gap: var(--s2); }
.list .load .meter { max-width: 120px; }
#map { scroll-margin-top: 62px; }
.note { padding: var(--s2) var(--s4); font-size: 12px; color: var(--muted); border-top: 1px solid var(--line); }
.empty { padding: var(--s4); color: var(--muted); border-top: 1px solid var(--line); }
.legend { display: flex; flex-wrap: wrap; gap: var(--s1) var(--s4); padding: var(--s2) var(--s4); border-top: 1px solid var(--line); font-size: 12px; color: var(--muted); }
.legend span { display: inline-flex; align-items: center; gap: 5px; }
.legend .swatch { width: 12px; height: 6px; border-radius: 2px; background: var(--accent); }
.legend .swatch.free { background: var(--accent-soft); }

.items { max-height: 340px; overflow: auto; overscroll-behavior: contain; }
.items > li { padding: var(--s2) var(--s4); border-top: 1px solid var(--line); display: grid; grid-template-columns: auto minmax(0, 1fr) auto; gap: 2px var(--s2); align-items: center; font-size: 13px; overflow-wrap: anywhere; }
.items > li > .icon { align-self: start; margin-top: 3px; }
.items > li > .body { grid-column: 2; }
.items > li > .body:last-child { grid-column: 2 / -1; }
.uses { padding: 0 var(--s4) var(--s3); display: grid; gap: var(--s2); font-size: 13px; }
.use { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: 2px var(--s3); }
.use dt { display: flex; gap: var(--s2); min-width: 0; white-space: nowrap; }
.use dd:last-child { grid-column: 1 / -1; }
.use.near dd { color: var(--warn); font-weight: 600; } .use.full dd { color: var(--bad); font-weight: 600; }
.use.near .busy { background: var(--warn); } .use.full .busy { background: var(--bad); }
.use .meter { background: var(--line); } .use .free { background: none; }
.ask .change { font-size: 13px; font-weight: 600; }
.events .log { min-height: 120px; max-height: 320px; overflow: auto; overscroll-behavior: contain; border-top: 1px solid var(--line); font-size: 12px; contain: content; }
.log li { display: grid; grid-template-columns: 62px 128px minmax(0, 1fr); gap: var(--s2); align-items: start; padding: 4px var(--s4); border-bottom: 1px solid var(--line); }
.log time { color: var(--muted); }
.log .kind { font-weight: 600; display: flex; align-items: center; gap: 5px; }
.log .times { font-variant-numeric: tabular-nums; padding: 0 5px; border-radius: 8px; background: var(--sunk); }
.log .times:empty { display: none; }
.log li.warning .kind { color: var(--warn); }
.log li.critical .kind { color: var(--bad); }
.log .what { overflow-wrap: anywhere; }
.log .none { display: block; }

.fleet .tables { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(540px, 100%), 1fr)); border-top: 1px solid var(--line); }
.fleet .scroll { padding: var(--s2) var(--s4); max-height: 320px; overflow: auto; overscroll-behavior: contain; }
.fleet caption { text-align: left; font-weight: 600; padding-bottom: var(--s1); }
.fleet td .btn { margin-left: var(--s2); }
.fleet[data-state="alone"] #fleet-state { color: var(--warn); }

.drawer { position: fixed; inset: 49px 0 0 auto; z-index: 3; width: 460px; background: var(--surface); border-left: 1px solid var(--line);
  overflow: auto; overscroll-behavior: contain; display: flex; flex-direction: column; }
.drawer > header { display: flex; align-items: flex-start; gap: var(--s3); padding: var(--s4); position: sticky; top: 0; background: var(--surface); border-bottom: 1px solid var(--line); z-index: 1; }
.drawer > header > div { margin-right: auto; min-width: 0; }
.drawer h2 { font-size: 16px; overflow-wrap: anywhere; }
.drawer .links { display: flex; gap: var(--s4); font-size: 12px; color: var(--muted); margin-top: var(--s1); }
.drawer section { padding: var(--s4); border-bottom: 1px solid var(--line); display: grid; gap: var(--s2); }
.drawer .acts { display: flex; flex-wrap: wrap; gap: var(--s2); }
.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(128px, 1fr)); gap: var(--s3); }
.facts dt { font-size: 12px; color: var(--muted); }
.facts dd { overflow-wrap: anywhere; font-weight: 500; }
.facts .full { grid-column: 1 / -1; }
.options .facts { grid-template-columns: repeat(auto-fill, minmax(min(220px, 100%), 1fr)); padding: 0 var(--s4) var(--s4); font-size: 13px; }
.options .facts dt, .options summary { overflow-wrap: anywhere; }
.options summary { padding: var(--s2) var(--s4) var(--s3); color: var(--muted); font-size: 13px; cursor: pointer; }
.related { display: grid; max-height: 220px; overflow: auto; }
.related li { display: grid; grid-template-columns: minmax(0, 1fr) auto; gap: var(--s3); padding: 3px 0; border-bottom: 1px solid var(--line); }
.pager { display: flex; flex-wrap: wrap; gap: var(--s2); align-items: center; }
.scroll { overflow-x: auto; }
table { width: 100%; border-collapse: collapse; font-size: 12px; }
th { text-align: left; font-weight: 500; color: var(--muted); padding: var(--s1) var(--s2) var(--s1) 0; white-space: nowrap; }
td { padding: var(--s1) var(--s2) var(--s1) 0; border-top: 1px solid var(--line); vertical-align: middle; white-space: nowrap; }
th.num, td.num { text-align: right; }
dialog.ask { width: min(440px, calc(100vw - 32px)); padding: 0; border: 1px solid var(--line); border-radius: 12px; background: var(--surface); color: var(--ink); box-shadow: 0 24px 64px var(--shadow); }
dialog.ask::backdrop { background: rgb(0 0 0 / .45); }
.ask form { display: grid; gap: var(--s4); padding: var(--s5); }
.ask h2 { font-size: 16px; overflow-wrap: anywhere; }
.ask .fields { display: grid; gap: var(--s3); }
.ask .fields label { display: grid; gap: var(--s1); font-weight: 600; font-size: 13px; }
.ask .fields .field { font-weight: 400; min-height: 36px; font-size: 14px; }
.ask .fields small { font-weight: 400; color: var(--muted); }
.ask .ends { display: flex; justify-content: flex-end; gap: var(--s2); }

/* Beside the page where there is room for both, else a sheet below it. */
@media (min-width: 1101px) {
  .opened .page { margin-right: 460px; grid-template-columns: minmax(0, 1fr); grid-template-rows: none; }
  .opened .page > .side, .opened .page > .events { grid-column: 1; grid-row: auto; }
  .opened .side { grid-template-columns: repeat(2, minmax(0, 1fr)); align-items: start; }
  .opened .side > :nth-child(3n + 1) { grid-column: 1 / -1; }
}
@media (max-width: 1100px) {
  .drawer { inset: auto 0 0 0; width: auto; height: 46vh; border-left: 0; border-top: 1px solid var(--edge); border-radius: 14px 14px 0 0; box-shadow: 0 -12px 40px var(--shadow); }
  .opened .page { padding-bottom: 50vh; }
}
@media (max-width: 820px) { .glance { flex-wrap: wrap; } .glance .words { flex: 1; } .chips { margin-left: 0; justify-content: flex-start; width: 100%; } }
@media (max-width: 640px) {
  .tiles { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  .tile { border-left: 1px solid var(--line) !important; border-top: 1px solid var(--line); padding: var(--s2) var(--s3) 0; }
  .tile:nth-child(2n + 1) { border-left: 0 !important; } .tile:nth-child(-n + 2) { border-top: 0; }
  .tile dd { font-size: 19px; }
  .panel > header { padding-left: var(--s3); }
  .tools { width: 100%; } .tools input.field { flex: 1 1 100%; width: auto; } .tools select.field { flex: 1 1 40%; } .views { width: 100%; } .views .btn { flex: 1; }
  .narrow .rowname b { font-size: 12px; }
  .fleet th { white-space: normal; } .fleet td:first-child { min-width: 96px; white-space: normal; overflow-wrap: anywhere; } .fleet td .btn { display: flex; margin: 2px 0; }
  .list .head { display: none; } .list .name .sub { display: block; }
  .list .row { padding: 0 var(--s3); }
  .list .row:not(.more) { grid-template-columns: minmax(0, 1fr) auto; grid-template-rows: 1fr 1fr; row-gap: 0; }
  .list .row .of-dialing, .list .row .of-streams { display: none; }
  .list .row .name { grid-area: 1 / 1; } .list .row:not(.line) .name { padding-left: 0; }
  .list .row .stword { grid-area: 2 / 1; align-self: start; padding-left: 22px; font-size: 12px; } .list .row .load { grid-area: 1 / 2; } .list .row .of-latency { grid-area: 2 / 2; align-self: start; font-size: 12px; color: var(--muted); }
  .list .row .of-fails { grid-area: 2 / 1; align-self: start; text-align: right; font-size: 12px; }
  .list .load .meter { width: 44px; }
  .log li { grid-template-columns: 62px minmax(0, 1fr); padding: 4px var(--s3); } .log .what { grid-column: 1 / -1; }
  .legend, .items > li { padding-left: var(--s3); padding-right: var(--s3); }
  .drawer { height: 84vh; z-index: 5; }
  .drawer tr > :nth-child(5), .drawer tr > :nth-child(7) { display: none; }
}

.late { margin: var(--s6, 24px); visibility: hidden; animation: late 0s 3s forwards; }
@keyframes late { to { visibility: visible; } }
`;
