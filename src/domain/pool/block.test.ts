import { expect, test } from "bun:test";
import { epochMs } from "../../kernel/time.ts";
import { type Block, laterBlock } from "./block.ts";

const soon: Block = { untilMs: epochMs(1), reason: "rate_limited" };
const late: Block = { untilMs: epochMs(2), reason: "spend_limit" };

test.each([
  [null, null, null],
  [soon, null, soon],
  [null, late, late],
  [soon, late, late],
  [late, soon, late],
])("keeps the block that ends last (%#)", (left, right, expected) => {
  expect(laterBlock(left, right)).toBe(expected);
});
