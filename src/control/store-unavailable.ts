/**
 * The store can be neither read nor changed just now: locked, full, read-only, gone. Nothing was changed. The message
 * is for the operator and says why; it holds no value from the store.
 */
export class StoreUnavailable extends Error {
  constructor(message: string, options: ErrorOptions) {
    super(message, options);
    this.name = "StoreUnavailable";
  }
}
