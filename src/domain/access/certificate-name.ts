import { err, ok, type Result } from "../../kernel/result.ts";

/** How an operator names a client certificate: "DNS:agent.example" or "URI:spiffe://example/agent". */
export const CERTIFICATE_NAME = /^(?:DNS:[0-9A-Za-z*._-]{1,253}|URI:[\x21\x23-\x2b\x2d-\x7e]{1,1024})$/u;

export type NameProblem = "no_name" | "not_listed" | "several_listed";

/**
 * The one listed name of a certificate, compared exactly. `subjectAltName` is the runtime's text of the extension, which
 * quotes a name that could be read as two (CVE-2021-44532): such a certificate has no name here. The common name never
 * counts (RFC 9525 section 2). Two listed names are refused, since it would depend on the order who the client is.
 */
export function listedName(subjectAltName: string | undefined, listed: readonly string[]): Result<string, NameProblem> {
  if (subjectAltName === undefined || subjectAltName.includes('"')) return err("no_name");
  const names = subjectAltName.split(", ").filter((name) => name.startsWith("DNS:") || name.startsWith("URI:"));
  if (names.length === 0) return err("no_name");
  const found = names.filter((name) => listed.includes(name));
  const [first] = found;
  if (first === undefined) return err("not_listed");
  return found.length === 1 ? ok(first) : err("several_listed");
}
