/**
 * The dashboard's HTML: the gate, and what stands behind it once a token opens it.
 *
 * @module
 */

/** The signs of the states and the buttons. Each state has its own shape, not only a colour. */
const SIGNS = String.raw`
<svg width="0" height="0" aria-hidden="true" focusable="false" class="sr"><defs>
<symbol id="i-brand" viewBox="0 0 16 16"><rect width="16" height="16" rx="4" fill="var(--accent)"/><path d="M4.5 4v8M11.5 4v8M4.5 8h7" stroke="var(--on-accent)" stroke-width="1.8" stroke-linecap="round"/></symbol>
<symbol id="i-good" viewBox="0 0 16 16"><circle cx="8" cy="8" r="4.5" fill="currentColor"/></symbol>
<symbol id="i-starting" viewBox="0 0 16 16"><circle cx="8" cy="8" r="5" fill="none" stroke="currentColor" stroke-width="1.8"/><path d="M8 8V3a5 5 0 0 1 5 5z" fill="currentColor"/></symbol>
<symbol id="i-doubtful" viewBox="0 0 16 16"><path d="M8 2l6.5 11.5h-13z" fill="none" stroke="currentColor" stroke-width="1.8" stroke-linejoin="round"/><path d="M8 6.5v3M8 11.2v.6" stroke="currentColor" stroke-width="1.6" stroke-linecap="round"/></symbol>
<symbol id="i-ejected" viewBox="0 0 16 16"><rect x="2" y="2" width="12" height="12" rx="2.5" fill="currentColor"/><path d="M5.5 5.5l5 5M10.5 5.5l-5 5" stroke="var(--raised)" stroke-width="1.8" stroke-linecap="round"/></symbol>
<symbol id="i-blocked" viewBox="0 0 16 16"><circle cx="8" cy="8" r="5.6" fill="none" stroke="currentColor" stroke-width="1.8"/><path d="M4.2 11.8l7.6-7.6" stroke="currentColor" stroke-width="1.8"/></symbol>
<symbol id="i-denied" viewBox="0 0 16 16"><circle cx="8" cy="8" r="5.6" fill="none" stroke="currentColor" stroke-width="1.8"/><path d="M5 8h6" stroke="currentColor" stroke-width="1.8"/></symbol>
<symbol id="i-gone" viewBox="0 0 16 16"><circle cx="8" cy="8" r="5" fill="none" stroke="currentColor" stroke-width="1.6" stroke-dasharray="2.4 2.2"/></symbol>
<symbol id="i-well" viewBox="0 0 16 16"><circle cx="8" cy="8" r="6.4" fill="none" stroke="currentColor" stroke-width="1.5"/><path d="M5 8.2l2.1 2.1L11 6" fill="none" stroke="currentColor" stroke-width="1.6" stroke-linecap="round" stroke-linejoin="round"/></symbol>
<symbol id="i-info" viewBox="0 0 16 16"><circle cx="8" cy="8" r="6" fill="none" stroke="currentColor" stroke-width="1.5"/><path d="M8 7.5v3.5M8 4.8v.5" stroke="currentColor" stroke-width="1.7" stroke-linecap="round"/></symbol>
<symbol id="i-untried" viewBox="0 0 16 16"><circle cx="8" cy="8" r="3.6" fill="none" stroke="currentColor" stroke-width="1.6"/></symbol>
<symbol id="i-stale" viewBox="0 0 16 16"><circle cx="8" cy="8" r="6.4" fill="none" stroke="currentColor" stroke-width="1.5"/><path d="M8 4.4V8l2.4 1.6" fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round"/></symbol>
<symbol id="i-up" viewBox="0 0 16 16"><path d="M9.5 3.5L5 8l4.5 4.5" fill="none" stroke="currentColor" stroke-width="1.7" stroke-linecap="round" stroke-linejoin="round"/></symbol>
<symbol id="i-resting" viewBox="0 0 16 16"><circle cx="8" cy="8" r="6" fill="none" stroke="currentColor" stroke-width="1.6"/><path d="M6.3 5.4v5.2M9.7 5.4v5.2" stroke="currentColor" stroke-width="1.7" stroke-linecap="round"/></symbol>
<symbol id="i-close" viewBox="0 0 16 16"><path d="M4 4l8 8M12 4l-8 8" stroke="currentColor" stroke-width="1.6" stroke-linecap="round"/></symbol>
<symbol id="i-theme" viewBox="0 0 16 16"><circle cx="8" cy="8" r="5.6" fill="none" stroke="currentColor" stroke-width="1.5"/><path d="M8 2.4a5.6 5.6 0 0 1 0 11.2z" fill="currentColor"/></symbol>
<symbol id="i-out" viewBox="0 0 16 16"><path d="M6.5 2.8H3.2v10.4h3.3M7 8h6M10.5 5.2L13.3 8l-2.8 2.8" fill="none" stroke="currentColor" stroke-width="1.5" stroke-linecap="round" stroke-linejoin="round"/></symbol>
<symbol id="i-more" viewBox="0 0 16 16"><path d="M4 6l4 4 4-4" fill="none" stroke="currentColor" stroke-width="1.6" stroke-linecap="round" stroke-linejoin="round"/></symbol>
</defs></svg>`;

const GATE = String.raw`
<template id="gate-template">
<main class="gate"><form id="gate" autocomplete="off">
  <h1 class="brand"><svg class="icon" aria-hidden="true"><use href="#i-brand"/></svg>hotconn</h1>
  <p class="muted">Sign in with a token of the admin router.</p>
  <label for="token">Token</label>
  <input class="field" id="token" type="password" autocomplete="off" autocapitalize="off" spellcheck="false" aria-describedby="token-hint">
  <p class="muted hint" id="token-hint">Leave it empty where the server knows you without one.</p>
  <p class="error" id="gate-error" role="alert" hidden></p>
  <button class="btn main" id="gate-go">Sign in</button>
</form></main>
</template>`;

const APP = String.raw`
<template id="app-template">
<a class="skip" href="#map">Skip to the map</a>
<header class="bar">
  <span class="brand"><svg class="icon" aria-hidden="true"><use href="#i-brand"/></svg><span class="long">hotconn</span></span>
  <a class="btn quiet up" id="up" href="#/" hidden><svg class="icon" aria-hidden="true"><use href="#i-up"/></svg><span class="long">All pools</span><span class="badge" id="others" hidden><b></b><span class="long"> in trouble</span></span></a>
  <label class="sr" for="pool">Pool</label><select class="field" id="pool"></select>
  <span class="live" id="live" data-state="wait"><span class="dot" aria-hidden="true"></span><span id="live-text">Connecting</span></span>
  <span class="gap"></span>
  <button class="btn" id="acts" popovertarget="acts-menu" hidden>Actions<svg class="icon" aria-hidden="true"><use href="#i-more"/></svg></button>
  <button class="btn quiet square" id="theme"><svg class="icon" aria-hidden="true"><use href="#i-theme"/></svg><span class="sr" id="theme-text">Theme</span></button>
  <button class="btn quiet square" id="out" title="Sign out"><svg class="icon" aria-hidden="true"><use href="#i-out"/></svg><span class="sr">Sign out</span></button>
</header>
<div class="menu" id="acts-menu" popover>
  <button class="btn quiet" data-act="warm">Warm a host&#x2026;</button>
  <button class="btn quiet" data-act="drain">Drain a host or address&#x2026;</button>
  <button class="btn quiet" data-act="block">Block an address&#x2026;</button>
  <button class="btn quiet" data-act="weight">Weigh an address&#x2026;</button>
  <button class="btn quiet" data-act="limits">Change limits&#x2026;</button>
  <button class="btn quiet danger" data-act="close">Close the pool&#x2026;</button>
</div>
<main class="page" id="page" data-place="pool">
  <section class="panel glance wide" id="glance" aria-labelledby="headline">
    <svg class="icon" aria-hidden="true"><use id="glance-icon" href="#i-info"/></svg>
    <div class="words"><h1 id="headline">Reading the figures</h1><p class="muted" id="subline"></p></div>
    <ul class="chips" id="chips" aria-label="What is wrong"></ul>
  </section>
  <section class="panel wide of-all" aria-labelledby="pools-title"><header><h2 id="pools-title">Pools <span class="count" id="pools-count"></span></h2></header><ul class="pools" id="pools"></ul></section>
  <section class="panel wide of-pool" aria-label="Figures, with their last five minutes"><dl class="tiles" id="tiles"></dl></section>
  <section class="panel wide of-pool" id="past" aria-labelledby="past-title">
    <header><h2 id="past-title">History</h2><p class="muted" id="past-note"></p></header>
    <div class="charts" id="past-charts"></div>
  </section>
  <section class="panel of-pool" id="map" tabindex="-1" aria-labelledby="map-title">
    <header>
      <h2 id="map-title">Hosts and addresses <span class="count" id="map-count"></span></h2>
      <div class="tools">
        <div class="views" role="group" aria-label="View">
          <button class="btn small" data-view="matrix">Map</button>
          <button class="btn small" data-view="hosts">By host</button>
          <button class="btn small" data-view="addresses">By address</button>
        </div>
        <label class="sr" for="filter">Filter by host or address</label>
        <input class="field" id="filter" type="search" placeholder="Host or address" autocomplete="off" spellcheck="false">
        <label class="sr" for="state">State</label>
        <select class="field" id="state">
          <option value="">Any state</option><option value="trouble">In trouble</option><option value="good">Good</option>
          <option value="starting">Starting</option><option value="resting">Resting</option><option value="doubtful">Doubtful</option><option value="ejected">Ejected</option>
          <option value="blocked">Blocked</option><option value="denied">Denied</option><option value="gone">Gone</option><option value="untried">Not tried</option>
        </select>
        <label class="sr" for="order">Order</label>
        <select class="field" id="order"><option value="trouble">Trouble first</option><option value="name">By name</option><option value="load">Busiest first</option><option value="latency">Slowest first</option><option value="fails">Most failures first</option><option value="column" hidden>By column</option></select>
      </div>
    </header>
    <p class="empty" id="map-empty" hidden></p>
    <div id="grid-slot"></div>
    <div class="legend" aria-hidden="true">
      <span><svg class="icon st-good"><use href="#i-good"/></svg>good</span><span><svg class="icon st-starting"><use href="#i-starting"/></svg>starting</span>
      <span><svg class="icon st-resting"><use href="#i-resting"/></svg>resting</span>
      <span><svg class="icon st-doubtful"><use href="#i-doubtful"/></svg>doubtful</span><span><svg class="icon st-ejected"><use href="#i-ejected"/></svg>ejected</span>
      <span><svg class="icon st-blocked"><use href="#i-blocked"/></svg>blocked</span><span><svg class="icon st-denied"><use href="#i-denied"/></svg>denied</span>
      <span><svg class="icon st-gone"><use href="#i-gone"/></svg>gone</span>
      <span><svg class="icon st-untried"><use href="#i-untried"/></svg>not tried</span>
      <span><span class="swatch"></span>in use</span><span><span class="swatch free"></span>idle</span>
    </div>
  </section>
  <div class="side of-pool">
    <section class="panel" aria-labelledby="findings-title"><header><h2 id="findings-title">Findings <span class="count" id="findings-count"></span></h2></header><ul class="items" id="findings" tabindex="0" aria-labelledby="findings-title"></ul></section>
    <section class="panel" aria-labelledby="waits-title"><header><h2 id="waits-title">Waiting and blocked <span class="count" id="waits-count"></span></h2></header><ul class="items" id="waits" tabindex="0" aria-labelledby="waits-title"></ul></section>
    <section class="panel" aria-labelledby="limits-title"><header><h2 id="limits-title">Limits</h2></header><dl class="uses" id="limits-list"></dl></section>
    <section class="panel" id="proxies" aria-labelledby="proxies-title" hidden><header><h2 id="proxies-title">Proxies <span class="count" id="proxies-count"></span></h2></header><ul class="items" id="proxies-list" tabindex="0" aria-labelledby="proxies-title"></ul></section>
  </div>
  <section class="panel fleet wide of-pool" id="fleet" aria-labelledby="fleet-title" hidden>
    <header><h2 id="fleet-title">Fleet <span class="count" id="fleet-count"></span></h2><p class="muted" id="fleet-state"></p></header>
    <div class="tables" id="fleet-tables"></div>
  </section>
  <section class="panel events of-pool" aria-labelledby="events-title">
    <header><h2 id="events-title">Events <span class="count" id="events-count"></span></h2>
      <div class="tools">
        <label class="sr" for="events-kind">Kind of event</label><select class="field" id="events-kind"></select>
        <label class="sr" for="events-filter">Filter the events</label><input class="field" id="events-filter" type="search" placeholder="Filter the events" autocomplete="off" spellcheck="false">
        <button class="btn" id="events-pause" aria-pressed="false">Pause</button><button class="btn quiet" id="events-clear">Clear</button>
      </div>
    </header>
    <ul class="log" id="log" tabindex="0" aria-labelledby="events-title"></ul>
  </section>
  <section class="panel options wide of-pool" id="options" aria-labelledby="options-title" hidden>
    <header><h2 id="options-title">Options</h2></header>
    <dl class="facts" id="options-set"></dl>
    <details><summary id="options-more"></summary><dl class="facts" id="options-defaults"></dl></details>
  </section>
</main>
<aside class="drawer" id="drawer" aria-labelledby="drawer-title" hidden></aside>
<dialog class="ask" id="ask" aria-labelledby="ask-title"></dialog>
<p class="toast" id="toast" role="status"></p>
<p class="sr" id="alarm" role="alert"></p>
</template>`;

/** The body of the page. What needs a token is a template: nothing of it is shown without one. */
export const SHELL: string = `${SIGNS}${GATE}${APP}
<noscript><p>This page needs JavaScript.</p></noscript>
<div id="root"><p class="late">The files of this page cannot be loaded. Add a slash to the end of the address. If that does not help, something in front of it redirects or changes the paths below.</p></div>`;
