import { createHash, randomBytes } from "node:crypto";
import type { LoginProofs } from "../control/oauth-ports.ts";
import { Secret } from "../kernel/secret.ts";

const RANDOM_BYTES = 32;

/** PKCE with S256 alone; `state` and session are drawn apart from the verifier. @see RFC 7636, RFC 9700 section 2.1 */
export function createLoginProofs(): LoginProofs {
  return {
    create() {
      const verifier = new Secret("PKCE verifier", randomText());
      return { sessionId: randomText(), verifier, challenge: challengeOf(verifier), state: randomText() };
    },
    stateHash: (state) => createHash("sha256").update(state).digest(),
  };
}

/** @see RFC 7636 section 4.2 */
export function challengeOf(verifier: Secret): string {
  return createHash("sha256").update(verifier.reveal()).digest("base64url");
}

function randomText(): string {
  return randomBytes(RANDOM_BYTES).toString("base64url");
}
