export type Ok<Value> = { readonly ok: true; readonly value: Value };
export type Err<Problem> = { readonly ok: false; readonly error: Problem };

/** An expected outcome: the caller must look before it uses the value. Bugs throw instead. */
export type Result<Value, Problem> = Ok<Value> | Err<Problem>;

export function ok<Value>(value: Value): Ok<Value> {
  return { ok: true, value };
}

export function err<Problem>(error: Problem): Err<Problem> {
  return { ok: false, error };
}

/** Ends a `switch` over a union: a new member that is not handled does not compile. */
export function assertNever(value: never): never {
  throw new Error(`Cannot handle ${JSON.stringify(value)}: no branch knows it`);
}
