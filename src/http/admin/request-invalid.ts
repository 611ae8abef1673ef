import type { ErrorAnswer } from "../../contract/refusal.ts";
import { errorAnswer } from "./refusal-answer.ts";

type Issue = { readonly path: readonly PropertyKey[]; readonly message: string };
type Checked =
  | { readonly success: true }
  | { readonly success: false; readonly error: { readonly issues: readonly Issue[] } };
type Answering = { json(answer: ErrorAnswer, status: 400): Response };

/** Answers 400 when a request does not fit its schema. zod names the rule and the field, never the value. */
export function refuseInvalid(result: Checked, context: Answering): Response | undefined {
  if (result.success) return undefined;
  const issue = result.error.issues[0];
  const field = issue === undefined ? "" : issue.path.map(String).join(".");
  const fact = `${field === "" ? "" : `${field}: `}${issue?.message ?? "it does not fit the schema"}`;
  return context.json(
    errorAnswer("request_invalid", `Cannot read the request: ${fact}`, field === "" ? null : field),
    400,
  );
}
