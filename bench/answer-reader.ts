/** Follows the bytes of one answer after the other on a connection and says where each of them ends. */
export interface AnswerReader {
  /** True when these bytes complete an answer. Nothing may follow it: the client sends one request at a time. */
  push(bytes: Buffer): boolean;
  /** Of the last complete head; 0 before. */
  readonly status: number;
}

const NOTHING = Buffer.alloc(0);
const LAST_CHUNK = "0\r\n\r\n";

export function createAnswerReader(): AnswerReader {
  let pending: Buffer = NOTHING;
  let bodyLeftBytes = 0;
  let isChunked = false;
  let isInBody = false;
  let status = 0;

  function finish(): boolean {
    pending = NOTHING;
    isInBody = false;
    return true;
  }

  function readBody(bytes: Buffer): boolean {
    if (isChunked) {
      pending = Buffer.concat([pending, bytes]).subarray(-LAST_CHUNK.length);
      return pending.equals(Buffer.from(LAST_CHUNK)) ? finish() : false;
    }
    bodyLeftBytes -= bytes.length;
    return bodyLeftBytes <= 0 ? finish() : false;
  }

  return {
    get status() {
      return status;
    },
    push(bytes) {
      if (isInBody) return readBody(bytes);
      const all = pending.length === 0 ? bytes : Buffer.concat([pending, bytes]);
      const endsAt = all.indexOf("\r\n\r\n");
      pending = all;
      if (endsAt === -1) return false;
      const head = all.toString("latin1", 0, endsAt);
      status = Number(head.slice(9, 12));
      isChunked = /\r\ntransfer-encoding: *chunked/iu.test(head);
      bodyLeftBytes = Number(/\r\ncontent-length: *(\d+)/iu.exec(head)?.[1] ?? 0);
      isInBody = true;
      pending = NOTHING;
      return readBody(all.subarray(endsAt + 4));
    },
  };
}
