import type { Hook } from "@hono/zod-openapi";
import type { Env } from "hono";
import { errorAnswer } from "./refusal-answer.ts";

/** Answers 400 when a request does not fit its schema. zod names the rule and the field, never the value. */
export const refuseInvalid: Hook<unknown, Env, string, Response | undefined> = (result, context) => {
  if (result.success) return undefined;
  const issue = result.error.issues[0];
  const field = issue === undefined ? "" : issue.path.map(String).join(".");
  const fact = `${field === "" ? "" : `${field}: `}${issue?.message ?? "it does not fit the schema"}`;
  return context.json(
    errorAnswer("request_invalid", `Cannot read the request: ${fact}`, field === "" ? null : field),
    400,
  );
};
