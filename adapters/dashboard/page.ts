/**
 * The page that shows a pool.
 *
 * @module
 */

/** The page, its style and script under a nonce. It holds no data: those it asks for. */
export function dashboardPage(nonce: string): string {
  return `<!doctype html>
<html lang="en">
<meta charset="utf-8">
<title>hotconn</title>
<style nonce="${nonce}">body { font-family: sans-serif; }</style>
<h1>hotconn</h1>
<p>The figures are below <code>api/pools</code>.</p>
</html>
`;
}
