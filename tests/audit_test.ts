import { assertEquals, assertStringIncludes } from "@std/assert";
import test from "node:test";
import { verdictOf } from "../tools/audit.ts";

const report = (...severities: readonly string[]) =>
  JSON.stringify({
    auditReportVersion: 2,
    vulnerabilities: Object.fromEntries(
      severities.map((severity, i) => [`p${i}`, { name: `p${i}`, severity, range: "<2" }]),
    ),
  });

test("findings of severity high or critical fail the audit, others do not", () => {
  assertEquals(verdictOf(report()).passes, true);
  assertEquals(verdictOf(report("low", "moderate", "info")).passes, true);
  for (const severity of ["high", "critical"]) {
    const { passes, text } = verdictOf(report("low", severity));
    assertEquals(passes, false, severity);
    assertStringIncludes(text, "2 packages with findings, 1 of severity");
    assertStringIncludes(text, `${severity}: p1 <2`);
  }
});

test("an audit passes where the registry has none to give, and says so", () => {
  const refused = JSON.stringify({ message: "405 Method Not Allowed", statusCode: 405, error: {} });
  for (const printed of ["", "not found", "null", refused, "{\"vulnerabilities\":null}"]) {
    const { passes, text } = verdictOf(printed);
    assertEquals([passes, text], [true, "The registry has no audit to give"], printed);
  }
});
