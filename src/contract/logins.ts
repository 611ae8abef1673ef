import { z } from "zod";
import { instantSchema } from "./instant.ts";

/** The rules of each field are the control plane's, so that every door gives the same refusal. */
export const beginLoginSchema = z
  .strictObject({
    name: z.string(),
    provider: z.literal("anthropic"),
    clientId: z
      .string()
      .optional()
      .meta({ description: "Registered by you with the provider. Default: the setting oauth.clientId (CLIENT_ID)" }),
    authorizeUrl: z.string(),
    tokenUrl: z.string().meta({ description: "Fixed from now on: tokens are sent to no other address" }),
    scopes: z.array(z.string()),
    redirectUri: z.string().optional(),
    acceptTerms: z
      .boolean()
      .meta({ description: "You confirm that the provider's terms allow this use of the account. Audited" }),
    baseUrl: z.string().optional().meta({ default: "https://api.anthropic.com" }),
    priority: z.number().optional().meta({ default: 100 }),
    weight: z.number().optional().meta({ default: 1 }),
    organization: z.string().optional(),
    workspace: z.string().optional(),
  })
  .meta({ id: "BeginLogin" });

export const beginAgainSchema = z.strictObject({ redirectUri: z.string().optional() }).meta({ id: "BeginLoginAgain" });

export const begunLoginSchema = z
  .object({
    session: z.string(),
    authorizeUrl: z.string().meta({ description: "For the owner's browser" }),
    expiresAt: instantSchema,
  })
  .meta({ id: "BegunLogin" });

export const finishLoginSchema = z
  .strictObject({
    session: z.string().max(128),
    code: z.string().meta({ description: "Good once. Never given back" }),
    state: z.string().max(1024),
  })
  .meta({ id: "FinishLogin" });

export type BeginLogin = z.infer<typeof beginLoginSchema>;
export type BegunLoginWire = z.infer<typeof begunLoginSchema>;
export type FinishLoginWire = z.infer<typeof finishLoginSchema>;
