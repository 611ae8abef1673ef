import type { ErrorAnswer } from "../../contract/refusal.ts";
import { errorAnswerSchema } from "../../contract/refusal.ts";
import type { Refusal, RefusalCode } from "../../control/refusal.ts";

type RefusalStatus = 400 | 401 | 403 | 404 | 409 | 429;

/** HTTP status of every refusal of the control plane. */
const STATUS_OF = {
  account_not_found: 404,
  base_url_refused: 400,
  credential_invalid: 400,
  credential_personal: 400,
  expiry_out_of_range: 400,
  grant_invalid: 400,
  key_already_revoked: 409,
  key_not_active: 409,
  key_not_found: 404,
  label_invalid: 400,
  master_key_refused: 400,
  client_id_invalid: 400,
  endpoint_refused: 400,
  login_not_open: 404,
  login_refused: 409,
  login_unknown: 409,
  name_invalid: 400,
  name_taken: 409,
  priority_out_of_range: 400,
  redirect_uri_invalid: 400,
  request_not_found: 404,
  retention_too_short: 400,
  overlap_out_of_range: 400,
  scope_invalid: 400,
  grant_not_held: 403,
  strategy_fixed: 409,
  strategy_unknown: 400,
  too_many_data_keys: 409,
  terms_not_accepted: 400,
  weight_out_of_range: 400,
  attempts_exhausted: 429,
  busy: 429,
  code_refused: 400,
  credentials_refused: 401,
  enrolment_required: 403,
  factor_missing: 409,
  factor_present: 409,
  factor_required: 409,
  forbidden: 403,
  last_owner: 409,
  password_refused: 400,
  session_not_found: 404,
  setup_done: 409,
  setup_refused: 401,
  step_up_required: 403,
  token_not_found: 404,
  too_many_tokens: 409,
  too_many_users: 409,
  user_not_found: 404,
} as const satisfies Record<RefusalCode, RefusalStatus>;

/** The pair that `context.json` takes. */
export function refusalAnswer(refusal: Refusal): readonly [ErrorAnswer, RefusalStatus] {
  return [errorAnswer(refusal.code, refusal.message, refusal.field), STATUS_OF[refusal.code]];
}

export function errorAnswer(code: string, message: string, field: string | null = null): ErrorAnswer {
  return { error: field === null ? { code, message } : { code, message, field } };
}

/** What any route may answer instead, for its OpenAPI entry. */
export const REFUSALS = {
  default: {
    description:
      "Refused: 400 breaks a rule (`field` names where), 401 not proven, 403 not allowed, 404 no such thing, 409 conflicts with what is there, 429 too often",
    content: { "application/json": { schema: errorAnswerSchema } },
  },
} as const;
