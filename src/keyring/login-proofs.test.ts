import { expect, test } from "bun:test";
import { Secret } from "../kernel/secret.ts";
import { challengeOf, createLoginProofs } from "./login-proofs.ts";

test("T-12.01 the challenge is BASE64URL(SHA256(verifier)): the vector of RFC 7636, appendix B", () => {
  const verifier = new Secret("test", "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk");
  expect(challengeOf(verifier)).toBe("E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM");
});

test("T-12.02 verifier, state and session are 256 bits each, and none is another", () => {
  const proofs = createLoginProofs();
  const drawn = Array.from({ length: 50 }, () => proofs.create());
  const texts = drawn.flatMap(({ verifier, state, sessionId }) => [verifier.reveal(), state, sessionId]);
  expect(new Set(texts).size).toBe(150);
  for (const text of texts) expect(text).toMatch(/^[A-Za-z0-9_-]{43}$/);
});
