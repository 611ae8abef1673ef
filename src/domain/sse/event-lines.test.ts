import { expect, test } from "bun:test";
import { createEventLines, feedLines } from "./event-lines.ts";
import { createEventState } from "./event-state.ts";

/** The data of the `error` events in a stream, fed in pieces that `|` divides. */
function messagesOf(stream: string): unknown[] {
  const captured: unknown[] = [];
  const lines = createEventLines(createEventState(({ data }) => captured.push(data)));
  for (const piece of stream.split("|")) feedLines(lines, new Uint8Array(Buffer.from(piece, "latin1")));
  return captured;
}

test.each([
  ["LF", "event: error\ndata: 1\n\n"],
  ["CR", "event: error\rdata: 1\r\r"],
  ["CRLF", "event: error\r\ndata: 1\r\n\r\n"],
  ["mixed line ends", "event: error\r\ndata: 1\n\r"],
  ["CRLF cut in two", "event: error\r|\ndata: 1\r|\n\r|\n"],
  ["no space", "event:error\ndata:1\n\n"],
  ["a space behind the cut", "event:| error\ndata:| 1\n\n"],
  ["a byte order mark", "\xef|\xbb\xbfevent: error\ndata: 1\n\n"],
  ["fields cut anywhere", "e|vent|: er|ror|\n|da|ta|:| |1|\n|\n"],
  ["comments between", ": a\nevent: error\n:\ndata: 1\n: b\n\n"],
  ["other fields between", "id: 1\nevent: error\nretry: 5\ndata: 1\nid: \x00\nx\n\n"],
  ["the last of two names", "event: ping\nevent: error\ndata: 1\n\n"],
  ["empty pieces", "||event: error\n||data: 1\n\n||"],
])("reads %s", (_name, stream) => {
  expect(messagesOf(stream)).toEqual([1]);
});

test.each([
  ["a byte order mark that stops short", "\xef\xbbevent: error\ndata: 1\n\n"],
  ["a byte order mark that is only begun", "\xef|event: error\ndata: 1\n\n"],
  ["a field in capitals", "Event: error\ndata: 1\n\n"],
  ["a field behind a space", " event: error\ndata: 1\n\n"],
  ["a longer field", "events: error\ndata: 1\n\n"],
  ["a name with two spaces", "event:  error\ndata: 1\n\n"],
  ["an event that has not ended", "event: error\ndata: 1\n"],
  ["a name taken back", "event: error\nevent\ndata: 1\n\n"],
  ["a long name", `event: error${"x".repeat(50)}\ndata: 1\n\n`],
])("reads no error from %s", (_name, stream) => {
  expect(messagesOf(stream)).toEqual([]);
});

test("reads an empty data line without a colon", () => {
  expect(messagesOf("event: error\ndata: [\ndata\ndata: 1]\n\n")).toEqual([[1]]);
});

test.each([
  ["", false],
  ["\n", true],
  ["data: 1\n", false],
  ["data: 1\r\n", false],
  ["data: 1\r|\n", false],
  ["data: 1\n\n", true],
  ["data: 1\r\r", true],
  ["data: 1\r\n\r", true],
  ["data: 1\r\n\r|\n", true],
  ["data: 1\n\nd", false],
  [": comment\n\n", true],
  ["\xef\xbb\xbf", false],
  ["\xef\xbb\xbf\n", true],
])("knows after %p whether an event may be inserted", (stream, expected) => {
  const lines = createEventLines(createEventState(() => undefined));
  for (const piece of stream.split("|")) feedLines(lines, new Uint8Array(Buffer.from(piece, "latin1")));
  expect(lines.isAtEventBoundary).toBe(expected);
});
