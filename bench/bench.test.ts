import { expect, test } from "bun:test";
import fc from "fast-check";
import { createAnswerReader } from "./answer-reader.ts";
import { uuidV7 } from "./database-seed.ts";
import { parseOptions } from "./options.ts";
import { median, percentile, slope } from "./percentile.ts";
import { parseProcStat, processTree, ticksToUs } from "./proc-stat.ts";
import { parseProfile, sharesByFile } from "./profile-summary.ts";
import type { Row } from "./row.ts";
import { printTable, ratioOf, row, verdictOf } from "./row.ts";
import { medians, pairedRatio } from "./samples.ts";
import { streamsThatFit } from "./scenario-held.ts";
import { judgeSoak } from "./soak-verdict.ts";
import { createEventCount } from "./sse-count.ts";
import { plainAnswer, streamAnswer } from "./wire-answer.ts";
import { requestBytes } from "./wire-request.ts";

test.each([
  { samples: [1, 2, 3, 4], ratio: 0.5, expected: 2 },
  { samples: [4, 1, 3, 2], ratio: 0.99, expected: 4 },
  { samples: [7], ratio: 0.5, expected: 7 },
  { samples: [1, 2, 3], ratio: 0, expected: 1 },
  { samples: [], ratio: 0.5, expected: Number.NaN },
])("takes percentile $ratio of $samples by nearest rank", ({ samples, ratio, expected }) => {
  expect(percentile(samples, ratio)).toBe(expected);
});

test.each([
  { samples: [3, 1, 2], expected: 2 },
  { samples: [4, 1, 2, 3], expected: 2.5 },
  { samples: [], expected: Number.NaN },
])("takes the median of $samples", ({ samples, expected }) => {
  expect(median(samples)).toBe(expected);
});

test("finds the slope of a line and zero for a single point", () => {
  expect(slope([1, 2, 5].map((x) => ({ x, y: 3 * x + 1 })))).toBeCloseTo(3);
  expect(slope([{ x: 1, y: 9 }])).toBe(0);
});

const statLine = (pid: number, parentPid: number, name = "nginx: worker (x)") =>
  `${pid} (${name}) S ${parentPid} 1 1 0 -1 4194560 99 0 0 0 150 50 7 7 20 0 1 0 1234 10000000 2048 18446744073709551615 0 0`;

test("reads CPU time and memory behind a process name with brackets and spaces", () => {
  expect(parseProcStat(statLine(42, 7))).toEqual({ pid: 42, parentPid: 7, cpuTicks: 200, rssPages: 2048 });
  expect(ticksToUs(200)).toBe(2_000_000);
});

test.each(["", "42", "x (y) S 1", "42 (name) S 1 2 3"])("refuses %p as a process line", (line) => {
  expect(parseProcStat(line)).toBeNull();
});

test("counts the children and grandchildren of a process, and nobody else", () => {
  const all = [statLine(9, 5), statLine(1, 0), statLine(5, 1), statLine(6, 5), statLine(8, 1)].map(parseProcStat);
  const known = all.filter((one) => one !== null);
  expect(
    processTree(known, 5)
      .map(({ pid }) => pid)
      .toSorted(),
  ).toEqual([5, 6, 9]);
  expect(processTree(known, 77)).toEqual([]);
});

const judged = (fields: Partial<Row>) => row({ name: "x", unit: "us", ...fields });

test.each([
  {
    one: judged({ nginx: 20, gateway: 50, limit: { kind: "ratioAtMost", value: 2.5 } }),
    reason: "at the limit",
    expected: "PASS",
  },
  {
    one: judged({ nginx: 20, gateway: 51, limit: { kind: "ratioAtMost", value: 2.5 } }),
    reason: "above the limit",
    expected: "FAIL",
  },
  {
    one: judged({ nginx: 20, gateway: 60, pairedRatio: 2, limit: { kind: "ratioAtMost", value: 2.5 } }),
    reason: "the paired ratio goes before the figures",
    expected: "PASS",
  },
  {
    one: judged({ nginx: 20, limit: { kind: "ratioAtMost", value: 2.5 } }),
    reason: "nothing measured yet",
    expected: "NOT RUN",
  },
  {
    one: judged({ gateway: 0.9, limit: { kind: "valueAtMost", value: 1 } }),
    reason: "a value below its limit",
    expected: "PASS",
  },
  {
    one: judged({ gateway: Number.NaN, limit: { kind: "valueAtMost", value: 1 } }),
    reason: "a figure that is none",
    expected: "FAIL",
  },
  {
    one: judged({ gateway: 9_999, limit: { kind: "valueAtLeast", value: 10_000 } }),
    reason: "too few",
    expected: "FAIL",
  },
  { one: judged({ gateway: 1, problem: "3 requests failed" }), reason: "failures spoil any figure", expected: "FAIL" },
  { one: judged({ nginx: 1, gateway: 99 }), reason: "a row without a limit", expected: "info" },
] as const)("says $expected: $reason", ({ one, expected }) => {
  expect(verdictOf(one)).toBe(expected);
});

test("prints every row with its ratio, target and problem", () => {
  const limit = { kind: "ratioAtMost", value: 2.5 } as const;
  const text = printTable([judged({ name: "CPU", nginx: 20, gateway: 45, limit, problem: "3 requests failed" })]);
  expect(text).toContain("2.25");
  expect(text).toContain("<= 2.5x");
  expect(text).toContain("FAIL     3 requests failed");
});

test("compares each round with its neighbour, so that one noisy round does not move the ratio", () => {
  expect(pairedRatio([10, 100, 10], [20, 200, 21])).toBe(2);
  expect(pairedRatio([], [20])).toBeNull();
  const figures = medians(
    new Map([
      ["nginx", [10, 12, 14]],
      ["gateway", []],
    ]),
  );
  expect(figures).toEqual({ nginx: 12, gateway: null, pairedRatio: null });
  expect(ratioOf(judged(figures))).toBeNull();
});

const soakRun = (rssAt: (seconds: number) => number) =>
  Array.from({ length: 60 }, (_, at) => ({ seconds: at * 10, rssMib: rssAt(at * 10), descriptors: 100 }));

test.each([
  { name: "steady memory", rssAt: () => 80, isFlat: true },
  { name: "memory that settles in the first half", rssAt: (s: number) => Math.min(90, 50 + s), isFlat: true },
  { name: "noise", rssAt: (s: number) => 80 + ((s / 10) % 2) * 5, isFlat: true },
  { name: "a leak of 2 MiB per minute", rssAt: (s: number) => 80 + s / 30, isFlat: false },
])("judges $name", ({ rssAt, isFlat }) => {
  expect(judgeSoak(soakRun(rssAt)).isFlat).toBe(isFlat);
});

test("does not call a soak of three readings flat", () => {
  expect(judgeSoak(soakRun(() => 80).slice(0, 3)).isFlat).toBe(false);
});

test("counts the same events however a stream is cut", () => {
  const { opening, delta, closing } = streamAnswer();
  const all = Buffer.concat([opening, delta, delta, delta, closing]);
  fc.assert(
    fc.property(fc.array(fc.integer({ min: 1, max: all.length }), { maxLength: 30 }), (cuts) => {
      const count = createEventCount();
      const marks = [0, ...cuts.toSorted((left, right) => left - right), all.length];
      const events = marks.slice(1).map((mark, at) => count.push(all.subarray(marks[at], mark)));
      // message_start, content_block_start, three deltas, content_block_stop, message_delta, message_stop.
      expect(events.reduce((sum, one) => sum + one, 0)).toBe(8);
    }),
  );
});

test.each([
  { kind: "plain", bytes: Buffer.from(plainAnswer()) },
  { kind: "streamed", bytes: Buffer.concat([streamAnswer().opening, streamAnswer().closing]) },
])("finds the end of a $kind answer, byte by byte and again on the same connection", ({ bytes }) => {
  const reader = createAnswerReader();
  for (let round = 0; round < 2; round += 1) {
    const ends = Array.from(bytes, (_, at) => reader.push(bytes.subarray(at, at + 1)));
    expect(ends.indexOf(true)).toBe(bytes.length - 1);
    expect(reader.status).toBe(200);
  }
});

test.each([1024, 102_400])(
  "makes a body of exactly %p bytes that is JSON and ends with the stream flag",
  (bodyBytes) => {
    const text = Buffer.from(requestBytes({ key: "k", bodyBytes, isStream: true })).toString("utf8");
    const body = text.slice(text.indexOf("\r\n\r\n") + 4);
    expect(Buffer.byteLength(body)).toBe(bodyBytes);
    expect(JSON.parse(body)).toMatchObject({ stream: true, model: "claude-sonnet-4-5-20250929" });
    expect(body.endsWith('"stream":true}')).toBe(true);
  },
);

test("answers with a JSON message of 1,024 bytes and deltas of 150", () => {
  const plain = Buffer.from(plainAnswer()).toString("latin1");
  expect(JSON.parse(plain.slice(plain.indexOf("\r\n\r\n")))).toMatchObject({
    type: "message",
    usage: { output_tokens: 210 },
  });
  expect(plain).toContain("Content-Length: 1024\r\n");
  expect(Buffer.from(streamAnswer().delta).toString("latin1")).toStartWith("96\r\nevent: content_block_delta\n");
});

test("holds as many streams as the descriptors allow, and says so", () => {
  expect(streamsThatFit(10_000, 65_535)).toEqual({ streams: 10_000, note: "" });
  expect(streamsThatFit(10_000, 20_000)).toMatchObject({ streams: 9_900, note: expect.stringContaining("20000") });
});

test("reads options, and refuses what it does not know", () => {
  expect(parseOptions(["--quick", "--only", "sse", "--seconds", "5"])).toMatchObject({ only: ["sse"], seconds: 5 });
  expect(parseOptions([])).toMatchObject({ heldStreams: 10_000, isJson: false });
  for (const argv of [["--fast"], ["--only", "all"], ["--seconds", "-1"], ["--seconds"]]) {
    expect(() => parseOptions(argv)).toThrow("Cannot read");
  }
});

test("gives the time of packages and of the runtime to the file that called them", () => {
  const frame = (url: string) => ({ functionName: "f", url });
  const nodes = [
    { id: 1, callFrame: frame(""), children: [2, 4] },
    { id: 2, callFrame: frame("file:///repo/src/a.ts"), children: [3] },
    { id: 3, callFrame: frame("") },
    { id: 4, callFrame: frame("node:timers") },
  ];
  const profile = parseProfile(JSON.stringify({ nodes, samples: [2, 3, 4, 3], timeDeltas: [10, 20, 40, 30] }));
  expect(sharesByFile(profile, "/repo/src")).toEqual([
    { name: "/a.ts", ratio: 0.6 },
    { name: "(elsewhere)", ratio: 0.4 },
  ]);
  expect(() => parseProfile("[]")).toThrow("Cannot read the profile");
});

test("makes ids that sort by time", () => {
  expect(uuidV7(1_795_000_000_000, 5)).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7000-8000-[0-9a-f]{12}$/u);
  expect(uuidV7(1_795_000_000_000, 9) < uuidV7(1_795_000_000_001, 0)).toBe(true);
});
