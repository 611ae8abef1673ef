import type { SimulatedModel } from "./account-state.ts";

/** A choice from the ids that @anthropic-ai/sdk 1.12.0 names (read 2026-11-23); requests may use any other. */
const DEFAULT_MODELS: readonly SimulatedModel[] = [
  { id: "claude-fable-5-2", displayName: "Claude Fable 5.2" },
  { id: "claude-haiku-5-5", displayName: "Claude Haiku 5.5" },
  { id: "claude-sonnet-5-5", displayName: "Claude Sonnet 5.5" },
  { id: "claude-opus-5-5", displayName: "Claude Opus 5.5" },
  { id: "claude-opus-4-5-20251101", displayName: "Claude Opus 4.5" },
  { id: "claude-haiku-4-5-20251001", displayName: "Claude Haiku 4.5" },
  { id: "claude-sonnet-4-5-20250929", displayName: "Claude Sonnet 4.5" },
];
const DEFAULT_LIMIT = 20;
const MAX_LIMIT = 1000;

/** `GET /v1/models?limit&after_id&before_id`. */
export function listModels(models: readonly SimulatedModel[] | undefined, query: URLSearchParams): object {
  const all = models ?? DEFAULT_MODELS;
  const limit = Math.min(MAX_LIMIT, Math.max(1, Number(query.get("limit") ?? DEFAULT_LIMIT) || DEFAULT_LIMIT));
  const start = all.findIndex((model) => model.id === query.get("after_id")) + 1;
  const before = all.findIndex((model) => model.id === query.get("before_id"));
  const eligible = before === -1 ? all.slice(start) : all.slice(Math.max(0, before - limit), before);
  const page = eligible.slice(0, limit);
  return {
    data: page.map(toWire),
    first_id: page[0]?.id ?? null,
    last_id: page.at(-1)?.id ?? null,
    has_more: before === -1 ? eligible.length > page.length : before > limit,
  };
}

/** `GET /v1/models/{id}`; null when there is none. */
export function findModel(models: readonly SimulatedModel[] | undefined, id: string): object | null {
  const model = (models ?? DEFAULT_MODELS).find((candidate) => candidate.id === id);
  return model === undefined ? null : toWire(model);
}

function toWire(model: SimulatedModel): object {
  return { type: "model", id: model.id, display_name: model.displayName, created_at: "2025-10-01T00:00:00Z" };
}
