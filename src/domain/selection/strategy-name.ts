/**
 * How an account is chosen among those that could serve: `session` keeps a conversation where its cache is, the others
 * look at each request alone. @see docs/guide/selection.md
 */
export const STRATEGIES = ["session", "least-used", "weighted", "drain-soonest", "round-robin", "priority"] as const;

export type StrategyName = (typeof STRATEGIES)[number];

export const DEFAULT_STRATEGY: StrategyName = "session";
