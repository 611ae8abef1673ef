import type { Environment } from "./config.ts";
import { SECRET_ENV_NAMES } from "./known-env.ts";

/**
 * A copy of the environment. Secrets are taken out of `process.env` here, so that no child process and no later
 * dump of the environment can hold them: call it once, at start.
 */
export function takeEnvironment(): Environment {
  const copy = { ...process.env };
  for (const name of SECRET_ENV_NAMES) delete process.env[name];
  return copy;
}

/**
 * What a child process may be given, explicitly: on Bun 1.4.5 a child inherits by default the environment of the start,
 * with the secrets that were taken out since.
 */
export function environmentForChildren(): Environment {
  return { ...process.env };
}
