declare const brand: unique symbol;

/** A `Base` that only the parser of `Name` may make. The tag exists for the compiler alone. */
export type Brand<Base, Name extends string> = Base & { readonly [brand]: Name };
