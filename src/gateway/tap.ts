import { createResponseFactsReader, type ResponseFacts } from "../domain/request/response-facts.ts";
import { createStreamMeter, type StreamMeter } from "../domain/usage/stream-meter.ts";
import { createTapDecoder, type TapDecoder } from "./tap-decoder.ts";

/**
 * Watches the bytes that are relayed, never changes or delays them. An encoded body is decoded here, on the side,
 * while the encoded bytes go to the client (protocol.md P41).
 */
export type Tap = StreamTap | WholeTap;

export type StreamTap = {
  readonly kind: "stream";
  readonly meter: StreamMeter;
  /** True when the bytes on the wire are the events themselves, so that we may put a ping between them. */
  readonly isIdentity: boolean;
  /** Resolves once `chunk` has been looked at; undefined when that is already so. */
  feed(chunk: Uint8Array): Promise<void> | undefined;
  /** Resolves when every byte fed was looked at, or the decoder gave up. */
  drained(): Promise<void> | undefined;
  /** The tap could not follow the encoding: it cannot tell whether the stream is whole. */
  readonly isBlind: boolean;
  /** Frees the decoder early. Nothing may be fed afterwards. */
  dispose(): void;
};

export type WholeTap = {
  readonly kind: "whole";
  feed(chunk: Uint8Array): Promise<void> | undefined;
  /** Facts of the whole body, or what could be read of a cut one. */
  finish(): Promise<ResponseFacts> | ResponseFacts;
  /** Frees the decoder early. Nothing may be fed afterwards. */
  dispose(): void;
};

export function createStreamTap(contentEncoding: string | null): StreamTap {
  const meter = createStreamMeter();
  const decoder = decoderFor(contentEncoding, (bytes) => meter.feed(bytes));
  return {
    kind: "stream",
    meter,
    isIdentity: decoder === null,
    feed: feeding(decoder, (chunk) => meter.feed(chunk)),
    drained: () => decoder?.finish(),
    get isBlind() {
      return decoder?.hasGivenUp ?? false;
    },
    dispose: () => decoder?.giveUp(),
  };
}

export function createWholeTap(contentEncoding: string | null): WholeTap {
  const reader = createResponseFactsReader();
  const decoder = decoderFor(contentEncoding, (bytes) => reader.feed(bytes));
  return {
    kind: "whole",
    feed: feeding(decoder, (chunk) => reader.feed(chunk)),
    finish: () => (decoder === null ? reader.finish() : decoder.finish().then(() => reader.finish())),
    dispose: () => decoder?.giveUp(),
  };
}

function feeding(decoder: TapDecoder | null, direct: (chunk: Uint8Array) => void) {
  return (chunk: Uint8Array): Promise<void> | undefined => {
    if (decoder !== null) {
      return decoder.write(chunk);
    }
    direct(chunk);
    return undefined;
  };
}

function decoderFor(contentEncoding: string | null, onBytes: (bytes: Uint8Array) => void): TapDecoder | null {
  return contentEncoding === null || contentEncoding === "" || contentEncoding.toLowerCase() === "identity"
    ? null
    : createTapDecoder(contentEncoding, onBytes);
}
