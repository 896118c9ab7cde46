/** `GET /api/data`: what can be looked at: the data of the working folder's config (`config`), and those of runs. */
export interface DataListReply {
  readonly sets: readonly DataListRow[]
}
export interface DataListRow {
  /** In paths: `config`, or `run.ID`. */
  readonly name: string
  /** To be shown: names of the sets, or of the run. */
  readonly title: string
  readonly sources: readonly string[]
  /** Null until it was opened once. */
  readonly rows: number | null
}

/**
 * `GET /api/data/:name`: 200 when read, or `DataUnmapped` where the columns of a file are not known; 202 with `progress` while it is read (ask
 * again after half a second); 400 with the error's words.
 */
export interface DataReply {
  readonly name: string
  readonly title: string
  readonly template: string
  readonly tokenizer: string
  readonly maxLength: number
  readonly truncation: 'right' | 'left' | 'drop'
  /** Whether all rows are listed; of larger data the first 50,000 are, or 64 Mi characters. */
  readonly complete: boolean
  readonly sources: readonly DataSourceRow[]
  readonly totals: DataCounts
  /** Lengths before cutting, in bins of equal width from 0; `counts` by source, in the order of `sources`. */
  readonly lengths: {
    readonly width: number
    readonly counts: readonly (readonly number[])[]
    readonly median: number
    readonly p95: number
    readonly longest: number
  }
  /** What was changed or left out, most first. `reason` is a filter of rows. */
  readonly reasons: readonly {
    readonly reason: RowReason
    readonly detail: string | null
    readonly count: number
  }[]
  /** Tags of sources and rows, most rows first: at most 100. `key:value` is a filter of rows. */
  readonly tags: readonly { readonly key: string; readonly value: string; readonly count: number }[]
  /** Columns that were mapped here, and `data` of a config with them. */
  readonly mappings: readonly DataMapping[]
  readonly data: readonly unknown[]
  readonly notes: readonly string[]
}
/** The columns of a file are not known: `POST /api/data/:name/columns` says what they are. */
export interface DataUnmapped {
  readonly unmapped: DataMapping
}
/** What the columns of a file are taken for: a guess until it was sent. */
export interface DataMapping extends ColumnsRequest {
  readonly path: string
  /** Columns of the file, at most 64. */
  readonly found: readonly string[]
  /** Forms of records that there are, their fields, and those that are needed. */
  readonly forms: readonly {
    readonly format: string
    readonly fields: readonly string[]
    readonly needed: readonly string[]
  }[]
  /** Values of the first three records by column, at most 300 characters of each. */
  readonly records: readonly Readonly<Record<string, string>>[]
  /** Why the data could not be read under the mapping that was sent. */
  readonly problem: string | null
}
/** `POST /api/data/:name/columns`: 204; the data are read anew, the mapping is kept until the server ends. */
export interface ColumnsRequest {
  /** Number of the entry of `data`. */
  readonly entry: number
  readonly format: string
  /** Columns by field. */
  readonly columns: Readonly<Record<string, string>>
}
export interface DataProgress {
  readonly reading: { readonly rows: number; readonly source: string | null }
}
export interface DataCounts {
  /** Rows of the source, with those that are left out. */
  readonly rows: number
  /** That are trained on. */
  readonly kept: number
  /** After cutting, of those that are kept. */
  readonly tokens: number
  readonly trainedTokens: number
}
export interface DataSourceRow extends DataCounts {
  readonly name: string
  /** Tags of Alpaca-CoT: lang, task, gen; empty for files. */
  readonly tags: Readonly<Record<string, string>>
  readonly license: string | null
  readonly link: string | null
  /** Of the first epoch: of its examples, tokens, trained tokens. */
  readonly share: number
  readonly tokenShare: number
  readonly trainedShare: number
}

/**
 * cut: longer than maxLength. long: dropped for it. untrained: nothing to learn in it. duplicate: tokens of an earlier row. heldOut: in validation.
 * unreadable: no example could be made of the record. repeats, contaminated: by `dedup` near or `decontaminate`.
 */
export type RowReason = 'cut' | 'long' | 'untrained' | 'duplicate' | 'heldOut' | 'unreadable' | 'filtered'

/**
 * `GET /api/data/:name/rows?page=0&size=50&filter=…&source=NAME&reason=cut&tag=lang:zh&from=256&to=512`: `filter` is text in the row (no
 * expression), `from` ≤ tokens before cutting < `to`. size ≤ 200.
 */
export interface RowsReply {
  readonly total: number
  readonly page: number
  readonly size: number
  readonly rows: readonly RowSummary[]
}
export interface RowSummary {
  /** For `GET /api/data/:name/rows/:row`. */
  readonly row: number
  readonly source: string
  /** `file:line`, or `set#number`. */
  readonly where: string
  /** First 160 characters of the question, on one line. */
  readonly title: string
  /** Before cutting. */
  readonly tokens: number
  /** Of those that are kept. */
  readonly trained: number
  readonly reasons: readonly RowReason[]
  /** Whether it is trained on. */
  readonly kept: boolean
}

/** `GET /api/data/:name/rows/:row[?from=0]`: a row as the model sees it, 2,000 tokens of it at a time. */
export interface RowReply extends RowSummary {
  readonly tags: Readonly<Record<string, string>>
  /** For an unreadable one: number, found, expected. */
  readonly problem: string | null
  readonly pieces: readonly RowPiece[]
  /** Pieces in all, with those that are cut. */
  readonly count: number
  readonly from: number
  /** The record of the file as JSON, at most 64 KiB; null where there is none. */
  readonly raw: string | null
}
/** A token. */
export interface RowPiece {
  readonly id: number
  /** Characters that became whole with it; empty inside one. */
  readonly text: string
  readonly trained: boolean
  readonly special: boolean
  /** Behind maxLength: the model does not see it. */
  readonly cut: boolean
}
