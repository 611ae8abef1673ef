import { expect, test } from "bun:test";
import { describeReason, REASONS, type ReasonCode } from "./reason.ts";

test("gives every code a sentence without a full stop", () => {
  for (const code of Object.keys(REASONS) as ReasonCode[]) {
    expect(describeReason(code)).toMatch(/^[A-Z].{10,}[^.]$/);
    expect(code).toMatch(/^[a-z_]+[a-z]$/);
  }
});
