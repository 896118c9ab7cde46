import { setImmediate as breath, setTimeout as sleep } from 'node:timers/promises'
import {
  columnForms,
  Ift,
  IftError,
  inspectSample,
  knownDatasets,
  unknownColumns,
  type DataRow,
  type LoadOptions,
  type Tokenizer,
  type UnknownColumns,
} from '@ift/core'
import { HttpError } from '../wire/errors.js'
import { tagsOf } from './form.js'
import { shortName } from './run-documents.js'
import type {
  DataMapping,
  DataProgress,
  DataReply,
  DataSourceRow,
  DataUnmapped,
  RowPiece,
  RowReason,
  RowReply,
  RowsReply,
  RowSummary,
} from './types.js'

/** What is kept of data: rows, and characters of their texts. */
const mostRows = 50_000
const mostCharacters = 64 * 1024 * 1024
/** Tokens of a reply, and characters of a record. */
const mostPieces = 2000
const mostRaw = 64 * 1024
/** Bars of the chart of lengths. */
const bars = 32
/** Tags that are listed; columns of a mapping, and characters of their values. */
const mostTags = 100
const mostColumns = 64
const mostValue = 300

const ignored = -100

/** Milliseconds that the end of a server waits for data that are being read. */
const patience = 1000

/** A row as it is kept. */
interface Kept {
  readonly row: DataRow
  readonly summary: RowSummary
}

/** What a view shows: the config that is read, and the mappings that were laid over its entries of `data`. */
export interface DataViewOptions {
  readonly name: string
  readonly title: string
  readonly session: LoadOptions
  readonly data: readonly unknown[]
  readonly mappings: readonly DataMapping[]
}

/** Which rows are asked for. */
export interface RowsQuery {
  readonly page: number
  readonly size: number
  readonly filter: string
  readonly source: string | null
  readonly reason: string | null
  /** `key:value`. */
  readonly tag: string | null
  readonly from: number
  readonly to: number
}

const oneLine = (text: string) => text.replace(/\s+/g, ' ').trim().slice(0, 160)

const trainedOf = ({ sample: { labels }, cut }: DataRow): number => {
  let count = 0
  // The first token of a text is never a target.
  for (let i = 1; i < labels.length; i++)
    if (labels[i] !== ignored && !(cut && i >= cut[0] && i < cut[1])) count++
  return count
}

/** Data as the model sees them: read once, and kept as long as they are looked at. */
export class DataView {
  readonly #kept: Kept[] = []
  readonly #stop = new AbortController()
  readonly #options: DataViewOptions
  #ift: Ift | null = null
  #tokenizer: Tokenizer | null = null
  #reply: DataReply | null = null
  #unmapped: DataMapping | null = null
  /** Tags of sources, by name. */
  readonly #sourceTags = new Map<string, Readonly<Record<string, string>>>()
  #error: unknown = null
  #source: string | null = null
  readonly #done: Promise<void>

  constructor(options: DataViewOptions) {
    this.#options = options
    this.#done = this.#read(options.session)
      .catch(async (error: unknown) => {
        this.#unmapped = await this.#askFor(error)
        if (this.#unmapped === null) throw error
      })
      .catch((error: unknown) => {
        this.#error = error
      })
  }

  get rows(): number | null {
    return this.#reply?.totals.rows ?? null
  }

  /** The facts of all rows, how far they are read, or what has to be known first. Throws what kept them from being read. */
  state(): DataReply | DataProgress | DataUnmapped {
    if (this.#error !== null) throw dataError(this.#error)
    if (this.#unmapped !== null) return { unmapped: this.#unmapped }
    return this.#reply ?? { reading: { rows: this.#kept.length, source: this.#source } }
  }

  /** The mapping of columns that an error asks for; null where it is about something else. */
  async #askFor(error: unknown): Promise<DataMapping | null> {
    if (this.#ift === null || !(error instanceof IftError) || !/^IFT_DATA_/.test(error.code)) return null
    // Columns of ours that cannot be read are asked for again, with the reason.
    const newest = this.#options.mappings.at(-1)
    const unknown = await unknownColumns(this.#ift.rootDir, this.#ift.config.data)
    if (unknown === null) return newest === undefined ? null : { ...newest, problem: error.message }
    const sent = this.#options.mappings.find(({ entry }) => entry === unknown.entry)
    return sent ? { ...sent, problem: error.message } : mappingOf(unknown)
  }

  async #read(session: LoadOptions): Promise<void> {
    const ift = (this.#ift = await Ift.load(session))
    const opened = await ift.openData()
    const { data, template, tokenizer } = opened
    this.#tokenizer = tokenizer
    let characters = 0
    let complete = true
    const { signal } = this.#stop
    for await (const row of ift.rows(opened, { most: mostRows + 1, signal })) {
      characters += row.text.length
      if (this.#kept.length >= mostRows || characters > mostCharacters) {
        complete = false
        break
      }
      this.#source = row.source
      const summary: RowSummary = {
        row: this.#kept.length,
        source: row.source,
        where: row.where,
        title: oneLine(row.title),
        tokens: row.sample.ids.length,
        trained: trainedOf(row),
        reasons: row.fates,
        kept: row.isKept,
      }
      this.#kept.push({ row, summary })
      if (this.#kept.length % 64 === 0) await breath()
    }
    const known = new Map(knownDatasets(ift).map((one) => [one.name, one]))
    const mixture = new Map(data.mixture.map((one) => [one.name, one]))
    const names = [
      ...new Set([...data.datasets.map(({ name }) => name), ...this.#kept.map(({ row }) => row.source)]),
    ]
    const sources = names.map((name): DataSourceRow => {
      const own = this.#kept.filter(({ row }) => row.source === name)
      const kept = own.filter(({ summary }) => summary.kept)
      const tokens = kept.reduce((sum, { row }) => sum + lengthOf(row), 0)
      const trainedTokens = kept.reduce((sum, { summary }) => sum + summary.trained, 0)
      const facts = known.get(name)
      const tags = tagsOf(facts?.tags ?? null)
      this.#sourceTags.set(name, tags)
      return {
        ...{ name, rows: own.length, kept: kept.length, tokens, trainedTokens },
        tags,
        license: facts?.license.id ?? null,
        link: null,
        share: mixture.get(name)?.share ?? 0,
        tokenShare: mixture.get(name)?.tokenShare ?? 0,
        trainedShare: 0,
      }
    })
    const sum = (of: (row: DataSourceRow) => number) => sources.reduce((all, row) => all + of(row), 0)
    const trained = sum(({ trainedTokens }) => trainedTokens)
    this.#reply = {
      name: this.#options.name,
      title: this.#options.title,
      template: template.name,
      tokenizer: shortName(opened.weights),
      maxLength: data.limit.tokens,
      truncation: ift.config.truncation,
      complete,
      sources: sources.map((row) => ({
        ...row,
        trainedShare: trained === 0 ? 0 : row.trainedTokens / trained,
      })),
      totals: {
        rows: sum(({ rows }) => rows),
        kept: sum(({ kept }) => kept),
        tokens: sum(({ tokens }) => tokens),
        trainedTokens: trained,
      },
      lengths: this.#lengths(names),
      reasons: this.#reasons(),
      tags: this.#tags(),
      mappings: this.#options.mappings,
      data: this.#options.data,
      notes: data.notes,
    }
  }

  #lengths(names: readonly string[]): DataReply['lengths'] {
    const lengths = this.#kept.map(({ summary }) => summary.tokens).filter((tokens) => tokens > 0)
    const sorted = Int32Array.from(lengths).sort()
    const at = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0
    const longest = sorted.at(-1) ?? 0
    const width = niceWidth(longest / bars)
    const count = Math.max(1, Math.ceil((longest + 1) / width))
    const counts = names.map(() => new Array<number>(count).fill(0))
    for (const { summary } of this.#kept)
      if (summary.tokens > 0) counts[names.indexOf(summary.source)]![Math.floor(summary.tokens / width)]!++
    return { width, counts, median: at(0.5), p95: at(0.95), longest }
  }

  #reasons(): DataReply['reasons'] {
    const counts = new Map<RowReason, number>()
    for (const { summary } of this.#kept)
      for (const reason of summary.reasons) counts.set(reason, (counts.get(reason) ?? 0) + 1)
    return [...counts].sort((a, b) => b[1] - a[1]).map(([reason, count]) => ({ reason, detail: null, count }))
  }

  /** Tags of a row: those of its set, and its own. */
  #tagsOf({ source, meta }: DataRow): Readonly<Record<string, string>> {
    return { ...this.#sourceTags.get(source), ...meta }
  }

  #tags(): DataReply['tags'] {
    const counts = new Map<string, number>()
    for (const { row } of this.#kept)
      for (const [key, value] of Object.entries(this.#tagsOf(row))) {
        const tag = `${key}:${value}`
        counts.set(tag, (counts.get(tag) ?? 0) + 1)
      }
    return [...counts]
      .sort((a, b) => b[1] - a[1])
      .slice(0, mostTags)
      .map(([tag, count]) => {
        const [key = '', ...value] = tag.split(':')
        return { key, value: value.join(':'), count }
      })
  }

  /** A page of the rows that a query asks for. */
  page({ page, size, filter, source, reason, tag, from, to }: RowsQuery): RowsReply {
    this.#requireRead()
    const wanted = filter.toLowerCase()
    const found = this.#kept.filter(
      ({ row, summary }) =>
        (source === null || summary.source === source) &&
        (reason === null || summary.reasons.includes(reason as RowReason)) &&
        (tag === null ||
          Object.entries(this.#tagsOf(row)).some(([key, value]) => `${key}:${value}` === tag)) &&
        summary.tokens >= from &&
        summary.tokens < to &&
        (wanted === '' || row.text.toLowerCase().includes(wanted)),
    )
    const rows = found.slice(page * size, (page + 1) * size).map(({ summary }) => summary)
    return { total: found.length, page, size, rows }
  }

  /** A row as the model sees it, from one of its tokens on. */
  async row(number: number, from: number): Promise<RowReply> {
    this.#requireRead()
    const kept = this.#kept[number]
    if (!kept)
      throw new HttpError(404, 'not_found', `There is no row ${number}: ${this.#kept.length} were read.`)
    const { row, summary } = kept
    const { ids, labels } = row.sample
    const to = Math.min(ids.length, from + mostPieces)
    // Characters may lie in several tokens, which only those before them tell.
    const before = Math.max(0, from - 16)
    const tokens = await inspectSample(
      { ids: ids.subarray(before, to), labels: labels.subarray(before, to) },
      this.#tokenizer!,
    )
    const pieces = tokens.slice(from - before).map(({ id, text, special }, i): RowPiece => ({
      ...{ id, text, special },
      trained: from + i > 0 && labels[from + i] !== ignored,
      cut: row.cut !== null && from + i >= row.cut[0] && from + i < row.cut[1],
    }))
    return {
      ...summary,
      tags: this.#tagsOf(row),
      problem: row.problem,
      ...{ pieces, count: ids.length, from },
      raw: row.record === null ? null : rawOf(row.record),
    }
  }

  #requireRead(): void {
    const state = this.state()
    if ('reading' in state)
      throw new HttpError(409, 'reading', `The data are being read: ${state.reading.rows} rows so far.`)
    if ('unmapped' in state)
      throw new HttpError(409, 'unmapped', `The columns of ${state.unmapped.path} are not known.`)
  }

  /** Ends reading, and frees what was opened; what is on its way, such as a download, is freed when it has come. */
  async close(): Promise<void> {
    this.#stop.abort()
    const freed = this.#done.then(() => this.#ift?.close())
    await Promise.race([freed, sleep(patience, undefined, { ref: false })])
  }
}

const lengthOf = ({ sample, cut }: DataRow) => sample.ids.length - (cut ? cut[1] - cut[0] : 0)

/** A width of bars that people can read: 1, 2, 4, 8, 16, 20, 40, … */
function niceWidth(least: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, least)))
  return Math.max(
    1,
    [1, 2, 4, 8, 10].map((factor) => factor * power).find((width) => width >= least)!,
  )
}

function rawOf(record: object): string {
  const text = JSON.stringify(record, null, 2)
  return text.length > mostRaw ? `${text.slice(0, mostRaw)}…` : text
}

/** What is asked of the columns of a file, with a guess. */
function mappingOf({ entry, path, columns, guess, records }: UnknownColumns): DataMapping {
  const found = columns.slice(0, mostColumns)
  const shown = (value: unknown) =>
    (typeof value === 'string' ? value : JSON.stringify(value ?? null)).slice(0, mostValue)
  return {
    ...{
      entry,
      path,
      found,
      format: guess.format,
      columns: guess.columns,
      forms: columnForms,
      problem: null,
    },
    records: records.map((record) =>
      Object.fromEntries(found.map((column) => [column, shown(record[column])])),
    ),
  }
}

/** Errors of data are the user's own, and say what to do. */
function dataError(error: unknown): unknown {
  if (!(error instanceof IftError)) return error
  return new HttpError(400, 'data', error.message, {
    ...(error.hint !== undefined && { hint: error.hint }),
    cause: error,
  })
}
