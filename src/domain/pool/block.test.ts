import { expect, test } from "bun:test";
import { epochMs } from "../../kernel/time.ts";
import { type Block, boundedCause, laterBlock } from "./block.ts";

const soon: Block = { untilMs: epochMs(1), reason: "rate_limited", cause: "status 429, retry-after" };
const late: Block = { untilMs: epochMs(2), reason: "spend_limit", cause: "status 402" };

test.each([
  [null, null, null],
  [soon, null, soon],
  [null, late, late],
  [soon, late, late],
  [late, soon, late],
])("keeps the block that ends last (%#)", (left, right, expected) => {
  expect(laterBlock(left, right)).toBe(expected);
});

test("a cause is at most 80 characters", () => {
  expect(boundedCause("status 402")).toBe("status 402");
  expect(boundedCause(`status 429, anthropic-ratelimit-${"n".repeat(300)}-reset`)).toHaveLength(80);
});
