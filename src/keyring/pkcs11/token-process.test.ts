import { expect, test } from "bun:test";
import { MasterKeyUnreachable } from "../keyring-error.ts";
import { createTokenProcess } from "./token-process.ts";

const PLACE = { modulePath: "/m", tokenLabel: "t", keyLabel: "k", pinFile: "/p", triedPinFile: "/t" };
const env = { PATH: process.env["PATH"] };

test("a library that hangs is left after the deadline, and asked anew by the next order", async () => {
  const hanging = createTokenProcess(PLACE, { command: { argv: ["sleep", "60"], env }, deadlineMs: 100 });
  for (let round = 0; round < 2; round += 1) {
    const started = performance.now();
    await expect(hanging.ask({ kind: "find", keyId: null })).rejects.toThrow("it did not answer within 100 ms");
    expect(performance.now() - started).toBeLessThan(5_000);
  }
});

test.each([
  { name: "ends", argv: ["true"] },
  { name: "crashes", argv: ["sh", "-c", "kill -SEGV $$"] },
] as const)("a library that $name its process is an answer like any other", async ({ argv }) => {
  const dying = createTokenProcess(PLACE, { command: { argv: [...argv], env } });
  const cause: unknown = await dying.ask({ kind: "generate" }).catch((caught: unknown) => caught);
  expect(cause).toBeInstanceOf(MasterKeyUnreachable);
});
