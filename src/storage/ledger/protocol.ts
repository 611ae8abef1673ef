/** One spool file, as the writer tells the ingest worker about it. */
export type SegmentState = {
  /** File name in the spool directory. */
  readonly name: string;
  /** Bytes that are written and may be read. Ends on a line unless the file was torn. */
  readonly bytes: number;
  /** Nothing is appended any more: delete it once it is in the database. */
  readonly isSealed: boolean;
  /** Written by this process. Segments of earlier processes go first; what they left in flight was interrupted. */
  readonly isOwn: boolean;
};

export type ToIngest =
  | {
      readonly kind: "start";
      readonly databasePath: string;
      readonly spoolDir: string;
      readonly segments: readonly SegmentState[];
      /** The rows of earlier processes were marked already. */
      readonly isSwept: boolean;
    }
  | { readonly kind: "segment"; readonly segment: SegmentState }
  | { readonly kind: "stop" };

export type IngestNews =
  /** `bytes` of the segment are in the database, for good. */
  | { readonly kind: "ingested"; readonly name: string; readonly bytes: number; readonly newestMs: number }
  /** The segment is wholly in the database, the database is on the disk, and the file is gone. */
  | { readonly kind: "released"; readonly name: string }
  | { readonly kind: "swept"; readonly interruptedRows: number }
  | { readonly kind: "unreadable"; readonly name: string; readonly lines: number; readonly tornBytes: number }
  | { readonly kind: "failed"; readonly detail: string }
  | { readonly kind: "recovered" };

export type FromIngest = IngestNews | { readonly kind: "stopped" };
