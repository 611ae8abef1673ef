import type { Result } from "../src/kernel/result.ts";
import { err, ok } from "../src/kernel/result.ts";

export type BodyFraming = { readonly kind: "length"; readonly lengthBytes: number } | { readonly kind: "chunked" };

export type RequestHead = {
  readonly method: string;
  readonly target: string;
  /** Wire order and case. */
  readonly headers: readonly (readonly [string, string])[];
  readonly framing: BodyFraming;
  readonly keepsAlive: boolean;
  readonly expectsContinue: boolean;
  /** Null when none came, or when two that differ came: upstream wants exactly one (protocol.md, P6). */
  readonly credential: Credential | null;
};

export type Credential = { readonly kind: "api_key" | "bearer"; readonly text: string };

const REQUEST_LINE = /^([A-Z]+) (\/[!-~]*) HTTP\/1\.([01])$/;
const FIELD_LINE = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/;
const DIGITS = /^[0-9]{1,15}$/;
const FORBIDDEN_IN_VALUE = /[\0\r\n]/;

/** What one pass over the fields collects; everything else follows from it. */
type Fields = {
  readonly headers: (readonly [string, string])[];
  lengths: string[];
  codings: string[];
  hosts: number;
  connection: string;
  expect: string;
  apiKey: string | null;
  authorization: string | null;
};

/**
 * Reads a head as strictly as a careful edge does: what could be read in two ways is refused.
 * @param text latin1, without the empty line at its end.
 */
export function parseRequestHead(text: string): Result<RequestHead, string> {
  const lines = text.split("\r\n");
  const requestLine = REQUEST_LINE.exec(lines[0] ?? "");
  if (requestLine === null) return err("the request line is malformed");
  const fields = readFields(lines);
  if (!fields.ok) return fields;
  const isHttp11 = requestLine[3] === "1";
  if (isHttp11 && fields.value.hosts !== 1) return err(`there are ${fields.value.hosts} Host headers`);
  const framing = readFraming(fields.value, isHttp11);
  if (!framing.ok) return framing;
  const connection = fields.value.connection.toLowerCase();
  return ok({
    method: requestLine[1] ?? "",
    target: requestLine[2] ?? "",
    headers: fields.value.headers,
    framing: framing.value,
    keepsAlive: isHttp11 ? !connection.includes("close") : connection.includes("keep-alive"),
    expectsContinue: isHttp11 && fields.value.expect.toLowerCase() === "100-continue",
    credential: readCredential(fields.value),
  });
}

function readFields(lines: readonly string[]): Result<Fields, string> {
  const fields: Fields = {
    headers: [],
    lengths: [],
    codings: [],
    hosts: 0,
    connection: "",
    expect: "",
    apiKey: null,
    authorization: null,
  };
  for (let index = 1; index < lines.length; index += 1) {
    const match = FIELD_LINE.exec(lines[index] ?? "");
    if (match === null || FORBIDDEN_IN_VALUE.test(match[2] ?? "")) return err(`header line ${index} is malformed`);
    const name = match[1] ?? "";
    const value = match[2] ?? "";
    fields.headers.push([name, value]);
    noteField(fields, name.toLowerCase(), value);
  }
  return ok(fields);
}

function noteField(fields: Fields, lowerName: string, value: string): void {
  switch (lowerName) {
    case "host":
      fields.hosts += 1;
      return;
    case "content-length":
      fields.lengths.push(value);
      return;
    case "transfer-encoding":
      fields.codings.push(value);
      return;
    case "connection":
      fields.connection = value;
      return;
    case "expect":
      fields.expect = value;
      return;
    case "x-api-key":
      fields.apiKey = value;
      return;
    case "authorization":
      fields.authorization = value;
      return;
    default:
  }
}

function readFraming(fields: Fields, isHttp11: boolean): Result<BodyFraming, string> {
  if (fields.codings.length > 0) {
    if (fields.lengths.length > 0) return err("Content-Length and Transfer-Encoding came together");
    const isChunked = fields.codings.length === 1 && fields.codings[0]?.toLowerCase() === "chunked";
    return isChunked && isHttp11 ? ok({ kind: "chunked" }) : err("the transfer coding is not chunked alone");
  }
  if (fields.lengths.length > 1) return err("Content-Length came twice");
  const length = fields.lengths[0] ?? "0";
  return DIGITS.test(length) ? ok({ kind: "length", lengthBytes: Number(length) }) : err("Content-Length is no number");
}

function readCredential(fields: Fields): Credential | null {
  const bearer = /^bearer +(.+)$/i.exec(fields.authorization ?? "")?.[1] ?? null;
  if (fields.apiKey !== null) {
    const isAmbiguous = fields.authorization !== null && bearer !== fields.apiKey;
    return isAmbiguous ? null : { kind: "api_key", text: fields.apiKey };
  }
  return bearer === null ? null : { kind: "bearer", text: bearer };
}
