import { createRoute, OpenAPIHono } from "@hono/zod-openapi";
import type { ErrorAnswer } from "../../contract/refusal.ts";
import {
  rotateDataKeySchema,
  rotatedMasterKeySchema,
  rotateMasterKeySchema,
  type VaultStatusWire,
  vaultStatusSchema,
  vaultVerificationSchema,
} from "../../contract/vault.ts";
import type { VaultService, VaultStatus } from "../../control/vault.ts";
import { DATA_KEY_PURPOSES } from "../../control/vault-ports.ts";
import { toRfc3339 } from "../../kernel/time.ts";
import { errorAnswer, REFUSALS, refusalAnswer } from "./refusal-answer.ts";
import { refuseInvalid } from "./request-invalid.ts";

const statusRoute = createRoute({
  method: "get",
  path: "/api/vault",
  summary: "The master key's id, and every data key with what needs it",
  responses: { 200: { description: "Status", content: { "application/json": { schema: vaultStatusSchema } } } },
});

const rotateDataKeyRoute = createRoute({
  method: "post",
  path: "/api/vault/rotate-data-key",
  summary: "A new data key; what the old one sealed is sealed anew in the background",
  request: { body: { required: true, content: { "application/json": { schema: rotateDataKeySchema } } } },
  responses: {
    200: { description: "Rotated", content: { "application/json": { schema: vaultStatusSchema } } },
    ...REFUSALS,
  },
});

const rotateMasterKeyRoute = createRoute({
  method: "post",
  path: "/api/vault/rotate-master-key",
  summary: "Wrap every data key by another master key, of the same source or of another one",
  request: { body: { required: true, content: { "application/json": { schema: rotateMasterKeySchema } } } },
  responses: {
    200: { description: "Rotated", content: { "application/json": { schema: rotatedMasterKeySchema } } },
    ...REFUSALS,
  },
});

const verifyRoute = createRoute({
  method: "post",
  path: "/api/vault/verify",
  summary: "Open every sealed value and every data key",
  responses: { 200: { description: "Found", content: { "application/json": { schema: vaultVerificationSchema } } } },
});

export function createVaultRoutes(vault: VaultService): OpenAPIHono {
  const app = new OpenAPIHono({ defaultHook: refuseInvalid });

  app.openapi(statusRoute, async (context) => context.json(statusToWire(await vault.status()), 200));
  app.openapi(rotateDataKeyRoute, async (context) => {
    const { purpose } = context.req.valid("json");
    const purposes = DATA_KEY_PURPOSES.filter((each) => purpose === undefined || each === purpose);
    if (purposes.length === 0) return context.json(unknownPurpose(), 400);
    const rotated = await vault.rotateDataKeys(purposes);
    return rotated.ok ? context.json(statusToWire(rotated.value), 200) : context.json(...refusalAnswer(rotated.error));
  });
  app.openapi(rotateMasterKeyRoute, async (context) => {
    const { to = null, newKeyFile = null } = context.req.valid("json");
    const rotated = await vault.rotateMasterKey({ to, file: newKeyFile });
    return rotated.ok ? context.json(rotated.value, 200) : context.json(...refusalAnswer(rotated.error));
  });
  app.openapi(verifyRoute, async (context) => {
    const { problems, ...counts } = await vault.verify();
    return context.json({ ...counts, isOk: counts.problemCount === 0, problems: [...problems] }, 200);
  });
  return app;
}

function unknownPurpose(): ErrorAnswer {
  const fact = `a purpose is one of ${DATA_KEY_PURPOSES.join(", ")}`;
  return errorAnswer("request_invalid", `Cannot rotate the data key: ${fact}`, "purpose");
}

function statusToWire({ dataKeys, ...rest }: VaultStatus): VaultStatusWire {
  return {
    ...rest,
    dataKeys: dataKeys.map(({ isActive, createdAtMs, ...key }) => ({
      ...key,
      state: isActive ? "active" : "decrypt_only",
      createdAt: toRfc3339(createdAtMs),
    })),
  };
}
