import { expect, test } from "bun:test";
import fc from "fast-check";
import type { UpstreamFailure } from "../gateway/ports.ts";
import { type BodySource, IncomingBody } from "./incoming-body.ts";
import type { Framing, ResponseHead } from "./response-head.ts";

function headOf(framing: Framing, contentLength: number | null = null): ResponseHead {
  return { status: 200, headers: [], framing, contentLength, isReusable: true };
}

const FAILURE: UpstreamFailure = { kind: "reset", detail: "", wasSent: true };

/** A body on its own, with everything it said in `events`. */
function rig(head: ResponseHead) {
  const events: string[] = [];
  const source: BodySource = {
    pauseReading: () => events.push("pause reading"),
    resumeReading: () => events.push("resume reading"),
    onBodyEnd: (hasExtra) => events.push(`end of body${hasExtra ? " with extra" : ""}`),
    onBodyBroken: (kind) => {
      events.push(`broken: ${kind}`);
      body.fail({ ...FAILURE, kind });
    },
    onBodyCancelled: () => events.push("cancelled"),
  };
  const body = new IncomingBody(source, head);
  const ignore = (): void => undefined;
  let onChunk: (text: string) => void = ignore;
  const subscribe = (react: (text: string) => void = ignore) => {
    onChunk = react;
    body.subscribe({
      onChunk(chunk) {
        const text = Buffer.from(chunk).toString("latin1");
        events.push(text);
        onChunk(text);
      },
      onEnd: () => events.push("END"),
      onFailure: ({ kind }) => events.push(`FAILURE ${kind}`),
    });
  };
  return { body, events, subscribe };
}

test("frees the connection before there is a reader when the whole body is here", () => {
  const { body, events, subscribe } = rig(headOf("length", 3));
  body.startWith(Buffer.from("abcd"));
  subscribe();
  expect(events).toEqual(["end of body with extra", "abc", "END"]);
});

test("holds one read while nobody reads, and stops the socket", () => {
  const { body, events, subscribe } = rig(headOf("length", 9));
  body.startWith(Buffer.from("abc"));
  body.accept(Buffer.from("def"));
  subscribe();
  body.accept(Buffer.from("ghi"));
  expect(events).toEqual(["pause reading", "abc", "def", "resume reading", "end of body", "ghi", "END"]);
});

test("a reader that pauses on the last piece hears of the end when it resumes", () => {
  const { body, events, subscribe } = rig(headOf("length", 3));
  body.startWith(Buffer.alloc(0));
  subscribe(() => body.pause());
  body.accept(Buffer.from("abc"));
  expect(events).toEqual(["resume reading", "end of body", "abc"]);
  body.resume();
  body.resume();
  expect(events.slice(3)).toEqual(["END"]);
});

test("a reader that pauses on each chunk gets one for each resume, in order", () => {
  const { body, events, subscribe } = rig(headOf("chunked"));
  body.startWith(Buffer.from("1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\n\r\n"));
  subscribe(() => body.pause());
  for (const _again of [1, 2, 3]) body.resume();
  expect(events).toEqual(["a", "b", "c", "end of body", "END"]);
});

test("a pause and resume inside one chunk changes neither order nor count", () => {
  const { body, events, subscribe } = rig(headOf("chunked"));
  body.startWith(Buffer.from("1\r\na\r\n1\r\nb\r\n"));
  body.accept(Buffer.from("1\r\nc\r\n0\r\n\r\nX"));
  subscribe(() => {
    body.pause();
    body.resume();
  });
  expect(events).toEqual(["pause reading", "a", "b", "c", "end of body with extra", "END"]);
});

test("what was held is delivered before the failure of a connection that closed behind it", () => {
  const { body, events, subscribe } = rig(headOf("length", 9));
  body.startWith(Buffer.from("abc"));
  body.closed(true);
  subscribe();
  expect(events).toEqual(["abc", "broken: reset", "FAILURE reset"]);
});

test("a clean close ends a body without framing, an unclean one does not", () => {
  const clean = rig(headOf("close"));
  clean.body.startWith(Buffer.from("abc"));
  clean.subscribe();
  clean.body.closed(true);
  expect(clean.events).toEqual(["abc", "resume reading", "end of body", "END"]);
  const unclean = rig(headOf("close"));
  unclean.body.startWith(Buffer.from("abc"));
  unclean.body.closed(false);
  unclean.subscribe();
  expect(unclean.events).toEqual(["abc", "broken: reset", "FAILURE reset"]);
});

test("a failure before there is a reader waits for it, and one after the end is not told", () => {
  const { body, events, subscribe } = rig(headOf("length", 9));
  body.fail(FAILURE);
  subscribe();
  body.fail(FAILURE);
  expect(events).toEqual(["FAILURE reset"]);
  expect(() => subscribe()).toThrow("Cannot subscribe");
});

test("nothing follows a cancel, in the middle or after the end", () => {
  const { body, events, subscribe } = rig(headOf("chunked"));
  body.startWith(Buffer.from("1\r\na\r\n1\r\nb\r\n"));
  subscribe(() => body.cancel());
  body.cancel();
  body.resume();
  body.fail(FAILURE);
  body.closed(true);
  expect(events).toEqual(["a", "cancelled"]);
  const ended = rig(headOf("length", 1));
  ended.body.startWith(Buffer.from("a"));
  ended.subscribe(() => ended.body.cancel());
  expect(ended.events).toEqual(["end of body", "a"]);
});

test("tells the end exactly once, last, whatever the cuts and the pauses", () => {
  const wire = Buffer.from("3\r\nabc\r\n5;x\r\ndefgh\r\n1\r\ni\r\n0\r\n\r\n");
  fc.assert(
    fc.property(fc.array(fc.nat(wire.length)), fc.array(fc.boolean()), (cuts, pauses) => {
      const { body, events, subscribe } = rig(headOf("chunked"));
      const edges = [...new Set(cuts)].sort((a, b) => a - b);
      let from = edges.shift() ?? 0;
      body.startWith(wire.subarray(0, from));
      subscribe(() => {
        if (pauses.shift() === true) body.pause();
      });
      for (const to of [...edges, wire.length]) {
        if (to > from) body.accept(wire.subarray(from, to));
        from = Math.max(from, to);
        if (pauses.shift() !== true) body.resume();
      }
      for (let again = 0; again < 40; again += 1) body.resume();
      const heard = events.filter((event) => !/ing$|^end of body/.test(event));
      expect([heard.slice(0, -1).join(""), heard.at(-1)]).toEqual(["abcdefghi", "END"]);
      expect(events.filter((event) => event === "end of body")).toHaveLength(1);
    }),
    { numRuns: 1_000 },
  );
});
