import { expect, test } from "bun:test";
import { type ResponseHeadOptions, responseHead } from "./response-head.ts";

const ANSWER: Omit<ResponseHeadOptions, "isTls"> = {
  answer: { status: 200, headers: [["content-type", "text/plain"]] },
  framing: "length",
  lengthBytes: 0,
  mustClose: false,
  dateText: "Tue, 24 Nov 2026 00:00:00 GMT",
};

test.each([200, 204, 404, 500])(
  "T-6.05 an answer %i over TLS asks for TLS for two years, sub-domains included",
  (status) => {
    const head = responseHead({ ...ANSWER, answer: { ...ANSWER.answer, status }, isTls: true });
    expect(head?.split("\r\n")).toContain("Strict-Transport-Security: max-age=63072000; includeSubDomains");
  },
);

test("T-6.05 without TLS no answer says so", () => {
  expect(responseHead({ ...ANSWER, isTls: false })?.toLowerCase()).not.toContain("strict-transport-security");
});
