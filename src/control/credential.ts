import { err, ok, type Result } from "../kernel/result.ts";
import { Secret } from "../kernel/secret.ts";
import { type Refusal, refusal } from "./refusal.ts";

const MAX_CREDENTIAL_BYTES = 8 * 1024;

/** Visible ASCII: what an HTTP header value may carry without quoting, so one character is one byte. */
const VISIBLE_ASCII = /^[\x21-\x7e]+$/;

/** Access and refresh tokens of a personal claude.ai login. design.md, section 8. */
const PERSONAL_TOKEN = /^sk-ant-o[ar]t/i;

/** From the text that arrived to a Secret, at once. The refusal names no part of the text. */
export function parseCredential(text: string): Result<Secret, Refusal> {
  if (text.length === 0) return invalid("it is empty");
  if (text.length > MAX_CREDENTIAL_BYTES) {
    return invalid(`it has more than ${MAX_CREDENTIAL_BYTES} characters (${text.length})`);
  }
  if (!VISIBLE_ASCII.test(text))
    return invalid("it holds a space, a line break or another character no header may carry");
  if (PERSONAL_TOKEN.test(text)) {
    return err(
      refusal(
        "credential_personal",
        "Cannot use this credential: it is a personal claude.ai login token. Anthropic's published terms do not let " +
          "others' requests be routed through Free, Pro or Max credentials. Use an API key of your own organization " +
          "from the Console (sk-ant-api...), a workload-identity token, or a cloud credential",
        "credential",
      ),
    );
  }
  return ok(new Secret("account credential", text));
}

function invalid(fact: string): Result<never, Refusal> {
  return err(refusal("credential_invalid", `Cannot use this credential: ${fact}`, "credential"));
}
