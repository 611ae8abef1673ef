import { expect, test } from "bun:test";
import * as names from "./event-name.ts";
import * as state from "./event-state.ts";

const utf8 = new TextEncoder();

function play(events: readonly { kind?: number; data?: readonly string[] }[]) {
  const captured: unknown[] = [];
  const event = state.createEventState((data) => captured.push(data));
  for (const { kind, data } of events) {
    if (kind !== undefined) state.nameEvent(event, kind);
    for (const line of data ?? []) {
      state.beginData(event);
      const bytes = utf8.encode(line);
      state.addData(event, bytes, 0, bytes.length);
    }
    state.endEvent(event);
  }
  return { event, captured };
}

test.each([
  [names.MESSAGE_START, "message_start"],
  [names.MESSAGE_DELTA, "message_delta"],
  [names.ERROR, "error"],
])("hands over the data of kind %d", (kind, name) => {
  expect(play([{ kind, data: ['{"a":', "1}"] }]).captured).toEqual([{ kind: name, data: { a: 1 } }]);
});

test.each([names.MESSAGE_STOP, names.PING, names.BLOCK_DELTA, names.BLOCK_START, names.BLOCK_STOP, names.OTHER])(
  "keeps no byte of kind %d",
  (kind) => {
    const { event, captured } = play([{ kind, data: ["{}"] }]);
    expect({ captured, bytes: event.data.bytes.length }).toEqual({ captured: [], bytes: 0 });
  },
);

test("hands over nothing that is no JSON", () => {
  expect(play([{ kind: names.MESSAGE_START, data: ["{"] }]).captured).toEqual([]);
});

test("forgets an event without data, name and all", () => {
  const { event } = play([{ kind: names.MESSAGE_STOP }, { data: ["{}"] }]);
  expect(event).toMatchObject({ hasEnded: false, firstEvent: { kind: "content" } });
});

test("gives up on data over its bound", () => {
  const line = "x".repeat(state.MAX_LINE_BYTES);
  const { event, captured } = play([{ kind: names.ERROR, data: [line, `${line}x`, "{}"] }]);
  expect({ captured, lastError: event.lastError }).toEqual({
    captured: [],
    lastError: { type: "api_error", message: "" },
  });
});

test("says that content started at the first content block", () => {
  expect(play([{ kind: names.MESSAGE_START, data: ["{}"] }]).event.contentStarted).toBe(false);
  expect(play([{ kind: names.BLOCK_START, data: ["{}"] }]).event.contentStarted).toBe(true);
});

test("names an unnamed event by the type in its data", () => {
  const delta = '{"type":"content_block_delta","index":0,"delta":{"type":"text_delta","text":"abc"}}';
  const { event, captured } = play([{ data: ['{"type":"message_start"}'] }, { data: [delta] }]);
  expect({ captured, textBytes: event.text.bytes }).toEqual({
    captured: [{ kind: "message_start", data: { type: "message_start" } }],
    textBytes: 3,
  });
});

test("loses data that came before a name that it did not expect", () => {
  const captured: unknown[] = [];
  const event = state.createEventState((data) => captured.push(data));
  state.nameEvent(event, names.PING);
  state.beginData(event);
  state.nameEvent(event, names.MESSAGE_START);
  state.beginData(event);
  state.addData(event, utf8.encode("{}"), 0, 2);
  state.endEvent(event);
  expect({ captured, firstEvent: event.firstEvent }).toEqual({ captured: [], firstEvent: { kind: "content" } });
});
