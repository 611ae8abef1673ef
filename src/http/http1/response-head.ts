import type { Answer } from "../../gateway/call.ts";

/** How the client finds the end of an answer. `close`: for HTTP/1.0, by the end of the connection. */
export type AnswerFraming = "none" | "length" | "chunked" | "close";

export type ResponseHeadOptions = {
  readonly answer: Pick<Answer, "status" | "headers">;
  readonly framing: AnswerFraming;
  /** Written as Content-Length when it is known; null leaves the field out. */
  readonly lengthBytes: number | null;
  readonly mustClose: boolean;
  /** The connection is TLS: browsers are told to come by TLS alone from now on (RFC 6797). Default false. */
  readonly isTls?: boolean;
  /** An IMF-fixdate, for an answer without a Date. */
  readonly dateText: string;
};

const REASONS: Readonly<Record<number, string>> = {
  200: "OK",
  201: "Created",
  202: "Accepted",
  204: "No Content",
  304: "Not Modified",
  400: "Bad Request",
  401: "Unauthorized",
  402: "Payment Required",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  408: "Request Timeout",
  409: "Conflict",
  413: "Content Too Large",
  414: "URI Too Long",
  415: "Unsupported Media Type",
  417: "Expectation Failed",
  422: "Unprocessable Content",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  502: "Bad Gateway",
  503: "Service Unavailable",
  504: "Gateway Timeout",
  505: "HTTP Version Not Supported",
  529: "Overloaded",
};

const IS_NAME = /^[!#$%&'*+\-.^_`|~0-9A-Za-z]+$/;
const IS_VALUE = /^[\t\x20-\x7e\x80-\xff]*$/;
/** Said by the connection alone: who answers cannot frame the answer twice. */
const OWN_FIELDS: ReadonlySet<string> = new Set(["connection", "content-length", "transfer-encoding", "keep-alive"]);

/** Two years. A browser that saw it comes by TLS even when somebody asks it not to. */
const HSTS = "Strict-Transport-Security: max-age=63072000; includeSubDomains\r\n";

/**
 * Status line and fields with the closing empty line, one byte per character (latin1), names and values as given. Null
 * when the status, a name or a value would not be one line of a final response: then somebody could split it.
 */
// hot path
export function responseHead({
  answer,
  framing,
  lengthBytes,
  mustClose,
  isTls = false,
  dateText,
}: ResponseHeadOptions): string | null {
  const { status, headers } = answer;
  if (!(Number.isInteger(status) && status >= 200 && status <= 599)) return null;
  let head = `HTTP/1.1 ${status} ${REASONS[status] ?? ""}\r\n`;
  let hasDate = false;
  for (const [name, value] of headers) {
    if (!(IS_NAME.test(name) && IS_VALUE.test(value))) return null;
    const { length } = name;
    if (length === 4) hasDate ||= name.toLowerCase() === "date";
    else if ((length === 10 || length === 14 || length === 17) && OWN_FIELDS.has(name.toLowerCase())) continue;
    head += `${name}: ${value}\r\n`;
  }
  if (!hasDate) head += `Date: ${dateText}\r\n`;
  if (isTls) head += HSTS;
  if (lengthBytes !== null) head += `Content-Length: ${lengthBytes}\r\n`;
  else if (framing === "chunked") head += "Transfer-Encoding: chunked\r\n";
  return mustClose ? `${head}Connection: close\r\n\r\n` : `${head}\r\n`;
}
