import { expect, test } from "bun:test";
import { holdBody } from "./held-body.ts";
import type { BodySink } from "./ports.ts";

/** A body that delivers when the test says so. */
function scriptedBody() {
  let sink: BodySink | null = null;
  const nothing = () => undefined;
  return {
    body: {
      subscribe(next: BodySink) {
        sink = next;
      },
      pause: nothing,
      resume: nothing,
      cancel: nothing,
    },
    push: (...texts: readonly string[]) => {
      for (const text of texts) sink?.onChunk(new TextEncoder().encode(text));
    },
    end: () => sink?.onEnd(),
  };
}

function textOf(chunk: Uint8Array): string {
  return new TextDecoder().decode(chunk);
}

test("tells shown chunks from those that came while it decided", async () => {
  const source = scriptedBody();
  const held = holdBody(source.body);
  const shown: string[] = [];
  const holding = held.hold((chunk) => {
    shown.push(textOf(chunk));
    return textOf(chunk) === "event";
  });
  // One read of the socket often brings several events: they arrive before the wait can end.
  source.push("ping", "event", "late");
  await holding;
  source.push("later");
  expect(shown).toEqual(["ping", "event"]);
  expect(held.shownChunks).toBe(2);
  expect(held.chunks.map(textOf)).toEqual(["ping", "event", "late", "later"]);
});

test("shows every chunk of a body that never is enough, and ends with it", async () => {
  const source = scriptedBody();
  const held = holdBody(source.body);
  const holding = held.hold(() => Promise.resolve(false));
  source.push("a", "b");
  source.end();
  await holding;
  expect(held.shownChunks).toBe(2);
  expect(held.end).toBe("end");
});

test("hands over every held chunk once, in order, and then what arrives", () => {
  const source = scriptedBody();
  const held = holdBody(source.body);
  source.push("a", "b");
  expect(held.hold(() => true)).toBeUndefined();
  expect(held.shownChunks).toBe(1);
  const seen: string[] = [];
  held.release().subscribe({
    onChunk: (chunk) => seen.push(textOf(chunk)),
    onEnd: () => seen.push("end"),
    onFailure: ({ kind }) => seen.push(kind),
  });
  source.push("c");
  source.end();
  expect(seen).toEqual(["a", "b", "c", "end"]);
});
