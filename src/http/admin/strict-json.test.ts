import { describe, expect, test } from "bun:test";
import fc from "fast-check";
import { checkJson, JSON_LIMITS } from "./strict-json.ts";

const ENCODER = new TextEncoder();
const check = (text: string) => {
  const found = checkJson(ENCODER.encode(text));
  return found.ok ? "ok" : found.error;
};

describe("a JSON body of the admin API", () => {
  test("is taken exactly when JSON.parse takes it, as long as it is plain", () => {
    fc.assert(
      fc.property(
        fc.oneof(
          fc.json(),
          fc.string(),
          fc.json().map((text) => text.slice(0, -1)),
        ),
        (text) => {
          let isJson = true;
          try {
            JSON.parse(text);
          } catch {
            isJson = false;
          }
          const found = check(text);
          if (isJson)
            expect(found).toMatch(/^(ok|has a field twice|has a field called (__proto__|constructor|prototype))$/);
          else expect(found).not.toBe("ok");
        },
      ),
      { numRuns: 2_000 },
    );
  });

  test.each([
    ['{"a":1,"a":1}', "has a field twice"],
    ['{"a":1,"\\u0061":1}', "has a field twice"],
    ['{"b":{"a":1,"a":1}}', "has a field twice"],
    ['[{"a":1},{"a":1}]', "ok"],
    ['{"__proto__":{"role":"owner"}}', "has a field called __proto__"],
    ['{"\\u005f_proto__":{}}', "has a field called __proto__"],
    ['{"a":[{"constructor":1}]}', "has a field called constructor"],
    ['{"prototype":1}', "has a field called prototype"],
    ["{} {}", "goes on behind its end"],
    ["", "is not JSON"],
    ["nul", "is not JSON"],
    ["01", "is not JSON"],
    ["+1", "is not JSON"],
    ["1.", "is not JSON"],
    ["[1,]", "is not JSON"],
    ['{"a":1,}', "is not JSON"],
    ["{a:1}", "is not JSON"],
    ["'a'", "is not JSON"],
    ['"\t"', "is not JSON"],
    ['"\\x"', "is not JSON"],
    ["\ufeff{}", "is not JSON"],
    ["NaN", "is not JSON"],
    ["// no\n1", "is not JSON"],
  ])("T-5.20 %p: %s", (text, expected) => {
    expect(check(text)).toBe(expected);
  });

  test("T-5.20 is UTF-8", () => {
    expect(checkJson(Uint8Array.of(0x22, 0xc3, 0x22))).toEqual({ ok: false, error: "is not UTF-8" });
  });

  test("holds no more than the limits, and is refused fast", () => {
    const { depth, nodes, stringBytes } = JSON_LIMITS;
    expect(check("[".repeat(depth) + "]".repeat(depth))).toBe("ok");
    expect(check("[".repeat(depth + 1) + "]".repeat(depth + 1))).toBe(`is nested deeper than ${depth} levels`);
    expect(check(`[${"1,".repeat(nodes - 2)}1]`)).toBe("ok");
    expect(check(`[${"1,".repeat(nodes - 1)}1]`)).toBe(`has more than ${nodes} values`);
    expect(check(`"${"a".repeat(stringBytes)}"`)).toBe("ok");
    expect(check(`"${"a".repeat(stringBytes + 1)}"`)).toBe(`has a string of more than ${stringBytes} bytes`);
    expect(check(`"${"é".repeat(stringBytes / 2 + 1)}"`)).toContain("has a string");
    const startMs = performance.now();
    for (const text of ["[".repeat(1_000_000), `{${'"a":{'.repeat(170_000)}`, `["${"\\u0041".repeat(170_000)}`]) {
      expect(check(text)).not.toBe("ok");
    }
    expect(performance.now() - startMs).toBeLessThan(500);
  });
});
