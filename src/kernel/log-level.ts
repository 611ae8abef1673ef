export const LOG_LEVELS = ["trace", "debug", "info", "warn", "error", "fatal"] as const;

/** Least level that is printed, or the level of one line. */
export type LogLevel = (typeof LOG_LEVELS)[number];
