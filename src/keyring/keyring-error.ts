export type MasterKeyProblem =
  | "absent"
  | "unreadable"
  | "symlink"
  | "not_a_file"
  | "owner"
  | "permissions"
  | "empty"
  | "length"
  | "all_zero"
  | "repeated_byte"
  | "not_created"
  /** A setting that the source needs is not given. */
  | "not_configured"
  /** The keychain or the token does not answer, is locked, or fails. */
  | "not_answering"
  /** The token holds a key of the name, but not one that stays in it. */
  | "extractable"
  | "pin";

/** The process must not start. The message says what to do; it holds no byte of the key. */
export class MasterKeyRefused extends Error {
  readonly problem: MasterKeyProblem;
  /** What was refused: a path, or words for it. */
  readonly subject: string;
  readonly fact: string;

  constructor(problem: MasterKeyProblem, subject: string, fact: string) {
    super(`Cannot use ${subject} as the master key: ${fact}`);
    this.name = "MasterKeyRefused";
    this.problem = problem;
    this.subject = subject;
    this.fact = fact;
  }
}

/** The token that holds the master key is gone. What the open data keys seal and open goes on. */
export class MasterKeyUnreachable extends Error {
  readonly fact: string;

  constructor(fact: string) {
    super(`Cannot reach the master key: ${fact}`);
    this.name = "MasterKeyUnreachable";
    this.fact = fact;
  }
}

/** The data was sealed under another master key. Nothing was written. */
export class WrongMasterKey extends Error {
  readonly expectedKekId: string;
  readonly presentedKekId: string;

  constructor(expectedKekId: string, presentedKekId: string) {
    super(
      `Cannot open the data keys: wrong master key (this one has the id ${presentedKekId}, ` +
        `the data was sealed under ${expectedKekId}); start with that key, or restore the matching backup`,
    );
    this.name = "WrongMasterKey";
    this.expectedKekId = expectedKekId;
    this.presentedKekId = presentedKekId;
  }
}

/** A stored data key does not open although the master key is the right one: it was changed on disk. */
export class DataKeyDamaged extends Error {
  readonly dataKeyId: number;

  constructor(dataKeyId: number) {
    super(
      `Cannot open the data key ${dataKeyId}: it was changed since it was stored; restore the database from a backup`,
    );
    this.name = "DataKeyDamaged";
    this.dataKeyId = dataKeyId;
  }
}
