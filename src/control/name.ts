import { err, ok, type Result } from "../kernel/result.ts";
import { type Refusal, refusal } from "./refusal.ts";

const NAME = /^[A-Za-z0-9._-]{1,64}$/;
const LABEL = /^[A-Za-z0-9._:-]{1,128}$/;

/** A name of an account or a client key; "." and ".." are none, since no URL path can carry them. `doing` completes "Cannot ...", e.g. "add account". */
export function parseName(doing: string, text: string): Result<string, Refusal> {
  if (NAME.test(text) && !/^\.{1,2}$/.test(text)) return ok(text);
  const fact =
    text.length > 64
      ? `a name has at most 64 characters and this one has ${text.length}`
      : `a name is 1 to 64 characters of A-Z, a-z, 0-9, dot, underscore and hyphen, not ${JSON.stringify(text)}`;
  return err(refusal("name_invalid", `Cannot ${doing}: ${fact}`, "name"));
}

/** Could this be the provider's id of an organization or a workspace? */
export function isLabel(text: string): boolean {
  return LABEL.test(text);
}

/** The provider's id of an organization or a workspace; null stays null. */
export function parseLabel(
  doing: string,
  field: "organization" | "workspace",
  text: string | null,
): Result<string | null, Refusal> {
  if (text === null || LABEL.test(text)) return ok(text);
  const fact = `${field} is 1 to 128 characters of A-Z, a-z, 0-9, dot, underscore, colon and hyphen`;
  return err(refusal("label_invalid", `Cannot ${doing}: ${fact}`, field));
}
