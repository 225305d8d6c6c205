/**
 * The dashboard's style: colours, type, the frame, and what all parts share.
 *
 * @module
 */

/** What every part of the page is made with. Colour is for activity, and for what is wrong. */
export const STYLE: string = String.raw`
:root {
  color-scheme: light dark;
  --bg: light-dark(#f5f4f0, #111314);
  --surface: light-dark(#fdfdfb, #191c1d);
  --raised: light-dark(#ffffff, #202425);
  --sunk: light-dark(#efede7, #151819);
  --line: light-dark(#e1ded6, #2b3031);
  --edge: light-dark(#8b877d, #747a7a);
  --ink: light-dark(#1c1b19, #eae8e3);
  --muted: light-dark(#5c5850, #a6a49d);
  --accent: light-dark(#0b6e69, #5cc9be);
  --accent-soft: light-dark(#b9dcd8, #22504c);
  --accent-wash: light-dark(#e6f1ef, #16302e);
  --on-accent: light-dark(#ffffff, #06211f);
  --warn: light-dark(#854600, #f2b75f);
  --warn-wash: light-dark(#fdf0d9, #33270f);
  --warn-line: light-dark(#dba85a, #7d5c1f);
  --bad: light-dark(#a81e18, #ff9187);
  --bad-wash: light-dark(#fce6e2, #3a1a18);
  --bad-line: light-dark(#dd8d85, #8a3a34);
  --shadow: light-dark(rgb(40 35 25 / .16), rgb(0 0 0 / .6));
  --s1: 4px; --s2: 8px; --s3: 12px; --s4: 16px; --s5: 24px; --s6: 32px;
  --mono: ui-monospace, "SF Mono", "Cascadia Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
  font: 14px/1.45 system-ui, -apple-system, "Segoe UI", "Helvetica Neue", "DejaVu Sans", sans-serif;
  font-variant-numeric: tabular-nums;
  background: var(--bg); color: var(--ink);
  -webkit-text-size-adjust: 100%;
}
:root[data-theme="light"] { color-scheme: light; }
:root[data-theme="dark"] { color-scheme: dark; }
*, ::before, ::after { box-sizing: border-box; }
body { margin: 0; min-height: 100vh; }
h1, h2, h3, p, ul, dl, dd { margin: 0; padding: 0; }
ul { list-style: none; }
h2 { font-size: 13px; font-weight: 650; letter-spacing: .01em; }
h3 { font-size: 12px; font-weight: 600; color: var(--muted); }
[hidden] { display: none !important; }
.sr { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%); white-space: nowrap; }
.mono { font-family: var(--mono); font-size: .93em; }
.muted { color: var(--muted); }
.num { text-align: right; }
.clip { overflow: hidden; text-overflow: ellipsis; white-space: nowrap; }
svg.icon { width: 14px; height: 14px; flex: none; display: inline-block; vertical-align: -2px; }
:focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; border-radius: 4px; }
.skip { position: fixed; left: var(--s3); top: -60px; z-index: 9; padding: var(--s2) var(--s4); border-radius: 6px;
  background: var(--accent); color: var(--on-accent); }
.skip:focus { top: var(--s2); }

button, input, select { font: inherit; color: inherit; }
button { cursor: pointer; }
button:disabled { cursor: default; opacity: .5; }
.btn { display: inline-flex; align-items: center; justify-content: center; gap: 6px; min-height: 32px; padding: 0 var(--s3);
  border: 1px solid var(--line); border-radius: 6px; background: var(--raised); white-space: nowrap; font-weight: 500; }
.btn:hover:not(:disabled) { border-color: var(--edge); }
.btn.main { background: var(--accent); border-color: var(--accent); color: var(--on-accent); }
.btn.danger { color: var(--bad); border-color: var(--bad-line); }
.btn.main.danger { background: var(--bad); border-color: var(--bad); color: light-dark(#fff, #2a0b09); }
.btn.quiet { background: none; border-color: transparent; }
.btn.quiet:hover:not(:disabled) { background: var(--sunk); border-color: transparent; }
.btn.small { min-height: 26px; padding: 0 var(--s2); font-size: 12px; }
.btn.square { width: 32px; padding: 0; }
.btn[aria-pressed="true"] { background: var(--accent-wash); border-color: var(--accent); color: var(--accent); }
.field { min-height: 32px; padding: 0 var(--s2); border: 1px solid var(--edge); border-radius: 6px; background: var(--raised);
  min-width: 0; }
.field::placeholder { color: var(--muted); opacity: 1; }
select.field { padding-right: var(--s1); text-overflow: ellipsis; }
.link { border: 0; padding: 0; background: none; text-align: left; color: inherit; text-decoration: underline;
  text-decoration-color: var(--edge); text-underline-offset: 3px; }
.link:hover { text-decoration-color: currentColor; }

.bar { display: flex; align-items: center; gap: var(--s3); padding: var(--s2) var(--s5); border-bottom: 1px solid var(--line);
  background: var(--surface); position: sticky; top: 0; z-index: 4; }
.brand { display: flex; align-items: center; gap: var(--s2); font-size: 15px; font-weight: 680; letter-spacing: -.01em; }
.brand svg { width: 22px; height: 22px; }
.bar .gap { flex: 1; }
.live { display: inline-flex; align-items: center; gap: 6px; font-size: 12px; color: var(--muted); white-space: nowrap; }
.live .dot { width: 8px; height: 8px; border-radius: 50%; background: var(--accent); }
.live[data-state="lost"] { color: var(--bad); font-weight: 600; }
.live[data-state="lost"] .dot { border-radius: 1px; background: var(--bad); transform: rotate(45deg); }
.live[data-state="wait"] .dot { background: none; border: 2px solid var(--edge); }
@keyframes breathe { 50% { opacity: .35; } }
.live[data-state="live"] .dot { animation: breathe 2.4s ease-in-out infinite; }
.menu { position: fixed; inset: 52px var(--s5) auto auto; margin: 0; padding: var(--s1); border: 1px solid var(--line); border-radius: 8px;
  background: var(--raised); color: var(--ink); box-shadow: 0 8px 28px var(--shadow); min-width: 190px; }
.menu .btn { display: flex; width: 100%; justify-content: flex-start; }

.page { max-width: 1920px; margin: 0 auto; padding: var(--s4) var(--s5) var(--s6); display: grid; gap: var(--s4);
  grid-template-columns: minmax(0, 1fr) 360px; grid-template-rows: auto auto auto auto 1fr; align-items: start; }
.page > .side { grid-column: 2; grid-row: 4 / span 2; }
.page > .events { grid-column: 1; grid-row: 5; }
.page > .wide { grid-column: 1 / -1; }
.side { display: grid; gap: var(--s4); min-width: 0; }
.panel { background: var(--surface); border: 1px solid var(--line); border-radius: 10px; min-width: 0; overflow: clip; }
.panel > header { display: flex; flex-wrap: wrap; align-items: center; gap: var(--s2); padding: var(--s2) var(--s2) var(--s2) var(--s4); min-height: 48px; }
.panel > header h2 { scroll-margin-top: 72px; }
.here { color: var(--muted); font-weight: 400; text-decoration: none; opacity: 0; }
.here::before { content: "#"; }
h2:hover > .here, .here:focus { opacity: 1; }
.panel > header h2 { margin-right: auto; display: flex; align-items: center; gap: var(--s2); }
.count { font-size: 12px; font-weight: 500; color: var(--muted); }

.gate { min-height: 100vh; display: grid; place-items: center; padding: var(--s5) var(--s4); }
.gate form { width: min(360px, 100%); display: grid; gap: var(--s3); padding: var(--s5); border: 1px solid var(--line); border-radius: 12px;
  background: var(--surface); box-shadow: 0 1px 2px var(--shadow); }
.gate .brand { font-size: 18px; }
.gate .brand svg { width: 28px; height: 28px; }
.gate label { font-weight: 600; font-size: 13px; margin-bottom: calc(-1 * var(--s1)); }
.gate .hint { font-size: 12px; }
.gate .field, .gate .btn { min-height: 40px; }
.error { padding: var(--s2) var(--s3); border: 1px solid var(--bad-line); border-radius: 6px; background: var(--bad-wash); color: var(--bad);
  font-size: 13px; overflow-wrap: anywhere; }
.toast { position: fixed; left: 50%; bottom: var(--s5); transform: translateX(-50%); z-index: 8; max-width: calc(100vw - 32px);
  padding: var(--s2) var(--s4); border-radius: 8px; background: var(--ink); color: var(--bg); box-shadow: 0 8px 28px var(--shadow); }
.toast:empty { display: none; }

@media (max-width: 1100px) {
  .page { grid-template-columns: minmax(0, 1fr); grid-template-rows: none; }
  .page > .side, .page > .events { grid-column: 1; grid-row: auto; }
  .side { grid-template-columns: repeat(2, minmax(0, 1fr)); align-items: start; }
  .side > :nth-child(3n + 1) { grid-column: 1 / -1; }
}
@media (max-width: 640px) {
  .bar { padding: var(--s2) var(--s3); gap: var(--s2); }
  .bar .btn.quiet { margin-left: calc(-1 * var(--s1)); }
  .bar select { flex: 0 1 96px; }
  .bar .live { flex: 0 1 auto; white-space: normal; line-height: 1.1; }
  .bar .long { display: none; }
  .page { padding: var(--s3); gap: var(--s3); }
  .side { grid-template-columns: minmax(0, 1fr); gap: var(--s3); }
  .menu { inset: 52px var(--s3) auto auto; }
  .btn, .field { min-height: 36px; }
  .btn.square { width: 36px; }
}
@media (prefers-reduced-motion: reduce) {
  *, ::before, ::after { animation: none !important; transition: none !important; scroll-behavior: auto !important; }
}
@media (forced-colors: active) {
  .dot, .fill { forced-color-adjust: none; }
}
`;
