import { expect, test } from "bun:test";
import { err, ok } from "../kernel/result.ts";
import { Secret } from "../kernel/secret.ts";
import { type AddAccountCommand, parseAccountDraft } from "./account-draft.ts";

const COMMAND: AddAccountCommand = {
  name: "work",
  provider: "anthropic",
  credential: new Secret("test", "canary"),
  credentialKind: "api_key",
  baseUrl: null,
  priority: null,
  weight: null,
  organization: null,
  workspace: null,
};

test("fills in the public API and the middle priority", () => {
  const draft = parseAccountDraft(COMMAND, ok);
  expect(draft.ok && draft.value.baseUrl).toBe("https://api.anthropic.com");
  expect(draft.ok && draft.value.priority).toBe(100);
});

test.each([0, 1, 1000])("takes priority %d", (priority) => {
  expect(parseAccountDraft({ ...COMMAND, priority }, ok).ok).toBeTrue();
});

test.each([-1, 1001, 1.5, Number.NaN, Number.POSITIVE_INFINITY])("refuses priority %d", (priority) => {
  const draft = parseAccountDraft({ ...COMMAND, priority }, ok);
  expect(draft).toMatchObject({ ok: false, error: { code: "priority_out_of_range", field: "priority" } });
});

test("keeps the spelling that the base URL rule gives", () => {
  const draft = parseAccountDraft({ ...COMMAND, baseUrl: "HTTPS://Example.com/" }, () => ok("https://example.com"));
  expect(draft.ok && draft.value.baseUrl).toBe("https://example.com");
});

test("passes on why the base URL rule refuses", () => {
  const draft = parseAccountDraft({ ...COMMAND, baseUrl: "http://10.0.0.1" }, () =>
    err("10.0.0.1 is a private address"),
  );
  expect(draft).toEqual({
    ok: false,
    error: {
      code: "base_url_refused",
      message: 'Cannot add account "work": 10.0.0.1 is a private address',
      field: "baseUrl",
    },
  });
});
