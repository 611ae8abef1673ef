import type { ModelClass } from "./account.ts";

/**
 * Names of the families whose versions share one rate limit.
 * Source: https://platform.claude.com/docs/en/api/rate-limits ("Opus 4.x", "Sonnet 4.x" are one limit each), 2026-10.
 */
const FAMILY = /(?:^|[^a-z])(opus|sonnet|haiku|fable)(?![a-z])/;

/** What marks a release and not the model: "[1m]", "@20251101", "-20251101", "-latest", "-v1:0". */
const RELEASE_SUFFIX = /(?:\[[^\]]*\]|[-@]\d{8}|-latest|-v\d+(?::\d+)?)+$/;

/** A model id comes from the client: what is kept of it is bounded. */
const MAX_MODEL_CHARACTERS = 128;

/** For requests that name no model, e.g. a list of models. */
export const NO_MODEL_CLASS = "none" as ModelClass;

/**
 * Models that share one rate limit: the family ("claude-opus-4-5-20251101" is "opus"), and for a model of no known
 * family its id without date and suffix. At most 128 characters, lower case.
 */
export function modelClassOf(model: string | null): ModelClass {
  if (model === null || model === "") {
    return NO_MODEL_CLASS;
  }
  const id = model.slice(0, MAX_MODEL_CHARACTERS).toLowerCase();
  const family = FAMILY.exec(id)?.[1];
  const name = family ?? id.replace(RELEASE_SUFFIX, "");
  return (name === "" ? id : name) as ModelClass;
}
