import { err, ok, type Result } from "../kernel/result.ts";
import { describeBaseUrlProblem, parseBaseUrl } from "./base-url.ts";
import type { AddressPolicy } from "./public-address.ts";

/**
 * The one spelling of an OAuth endpoint, under the same rule as a base URL: https, a public host, no user name, query
 * or fragment. The path stays as it is, with its trailing slash.
 */
export function parseEndpointUrl(text: string, policy: AddressPolicy): Result<string, string> {
  const parsed = parseBaseUrl(text, policy);
  if (!parsed.ok) return err(describeBaseUrlProblem(parsed.error).replace("the base URL", "this endpoint"));
  return ok(new URL(text).href);
}
