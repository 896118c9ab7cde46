import type { FileMetaData, SchemaElement, SchemaTree } from 'hyparquet'
import { IftError } from '@ift/tensor'
import { ExactNumber, exactNumber, parseExactJson } from '../exact-json.js'
import type { RawRecord } from './record.js'

type Convert = (value: unknown) => unknown

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

/** Text of a column. Bytes that are no UTF-8 stay bytes, and the form refuses them where it needs a text. */
function textOf(bytes: Uint8Array | undefined): unknown {
  if (!bytes) return bytes
  try {
    return utf8.decode(bytes)
  } catch {
    return bytes
  }
}

/** A time in UTC, `perMilli` units to a millisecond; the library's own parsers stop at milliseconds. */
const time =
  (digits: 6 | 9, perMilli: bigint) =>
  (units: bigint): string => {
    const part = ((units % perMilli) + perMilli) % perMilli
    const iso = new Date(Number((units - part) / perMilli)).toISOString()
    return part === 0n ? iso : iso.replace('Z', `${String(part).padStart(digits - 3, '0')}Z`)
  }

const parsers = {
  stringFromBytes: textOf,
  jsonFromBytes: (bytes: Uint8Array | undefined) => bytes && parseExactJson(utf8.decode(bytes)),
  timestampFromMicroseconds: time(6, 1000n),
  timestampFromNanoseconds: time(9, 1_000_000n),
}

/** A signed integer, highest byte first. */
function bigEndian(bytes: Uint8Array): bigint {
  let value = 0n
  for (const byte of bytes) value = (value << 8n) | BigInt(byte)
  return BigInt.asIntN(8 * bytes.length, value)
}

/** The unscaled value of a DECIMAL with its point: 1234 with scale 2 is 12.34. */
function decimal(unscaled: bigint, scale: number): number | ExactNumber {
  const digits = String(unscaled < 0n ? -unscaled : unscaled).padStart(scale + 1, '0')
  const whole = digits.slice(0, digits.length - scale)
  const text = scale === 0 ? whole : `${whole}.${digits.slice(-scale)}`
  return exactNumber(unscaled < 0n ? `-${text}` : text)
}

const plain: Convert = (value) => {
  if (typeof value === 'bigint') return exactNumber(String(value))
  if (value instanceof Date) return value.toISOString()
  if (Array.isArray(value)) return value.map(plain)
  if (ArrayBuffer.isView(value)) return Array.from(value as unknown as ArrayLike<unknown>, plain)
  return value
}

const isDecimal = ({ converted_type: converted, logical_type: logical }: SchemaElement) =>
  converted === 'DECIMAL' || logical?.type === 'DECIMAL'

const decimalOf =
  (scale: number): Convert =>
  (value) =>
    decimal(value instanceof Uint8Array ? bigEndian(value) : BigInt(value as number | bigint), scale)

/**
 * Converts a column's values to those of JSON. A null field of a structure is treated as absent: columns are typed,
 * so every row has every field, and the format writes absent ones as null. Nulls in lists, in maps and in JSON texts
 * are values.
 */
function converter({ element, children }: SchemaTree): Convert {
  const own = ownConverter(element, children)
  const items: Convert = (value) => (value === null || value === undefined ? null : own(value))
  return element.repetition_type === 'REPEATED'
    ? (value) => (Array.isArray(value) ? value.map(items) : items(value))
    : items
}

function ownConverter(element: SchemaElement, children: readonly SchemaTree[]): Convert {
  if (children.length === 0) return isDecimal(element) ? decimalOf(element.scale ?? 0) : plain
  const inner = children[0]!
  if (element.converted_type === 'LIST' && children.length === 1) {
    const item = converter(
      inner.children.length === 1
        ? inner.children[0]!
        : { ...inner, element: { ...inner.element, repetition_type: 'OPTIONAL' } },
    )
    return (value) => (Array.isArray(value) ? value.map(item) : plain(value))
  }
  if (element.converted_type === 'MAP' && inner.children.length === 2) {
    const item = converter(inner.children[1]!)
    return (value) =>
      Object.fromEntries(Object.entries(value as object).map(([key, entry]) => [key, item(entry)]))
  }
  const fields = children.map((child) => [child.element.name, converter(child)] as const)
  return (value) => {
    const record: Record<string, unknown> = {}
    for (const [name, convert] of fields) {
      const entry = (value as Record<string, unknown>)[name]
      if (entry !== null && entry !== undefined) record[name] = convert(entry)
    }
    return record
  }
}

const isNested = (logical: SchemaElement['logical_type']): logical is { type: 'LIST' | 'MAP' } =>
  logical?.type === 'LIST' || logical?.type === 'MAP'

/** Lists and maps with the mark of older writers, which is the one that the library looks for. */
const withMarks = (metadata: FileMetaData): FileMetaData => ({
  ...metadata,
  schema: metadata.schema.map((element) =>
    isNested(element.logical_type) ? { ...element, converted_type: element.logical_type.type } : element,
  ),
})

/** Takes the type off decimals, which the library would read as doubles; their unscaled values come instead. */
const withoutDecimals = (metadata: FileMetaData): FileMetaData => ({
  ...metadata,
  schema: metadata.schema.map((element) => {
    if (!isDecimal(element)) return element
    const { type, type_length: length, repetition_type: repetition, name } = element
    if (type === 'BYTE_ARRAY')
      throw new Error(`column "${name}" holds decimals of varying length, which are not read`)
    return { type, type_length: length, repetition_type: repetition, name }
  }),
})

/** A footer whose parts contradict each other is broken: its rows are not to be believed, however few. */
function checkFooter({ num_rows: rows, row_groups: groups, schema }: FileMetaData): void {
  const sum = groups.reduce((total, group) => total + group.num_rows, 0n)
  if (sum !== rows) throw new Error(`its footer counts ${rows} rows, and ${sum} in its row groups`)
  if (rows < 0n || groups.some((group) => group.num_rows < 0n))
    throw new Error('its footer counts rows below 0')
  for (const { name, repetition_type: repetition, type, num_children: children, ...told } of schema.slice(
    1,
  )) {
    if (repetition === undefined || (type === undefined && !children))
      throw new Error(`column "${name}" has no type, or does not say how often it occurs`)
    const { converted_type: converted, logical_type: logical } = told
    if ((logical?.type === 'LIST' || logical?.type === 'MAP') && converted !== logical.type)
      throw new Error(
        `column "${name}" is a ${logical.type} and is marked as ${converted ?? 'nothing known'}`,
      )
  }
  const leaves = schema.filter(({ num_children: children }) => !children).length
  for (const [i, { columns }] of groups.entries())
    if (columns.length !== leaves)
      throw new Error(`row group ${i} has ${columns.length} columns, and the schema ${leaves}`)
}

/** Rows of a Parquet file, one row group in memory at a time. */
export async function* readParquet(path: string): AsyncGenerator<RawRecord> {
  // Loaded by the first Parquet file: a run on other data starts without them.
  const [{ asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects, parquetSchema }, { compressors }] =
    await Promise.all([import('hyparquet'), import('hyparquet-compressors')])
  try {
    const file = await asyncBufferFromFile(path)
    // Nothing here reads places on maps, and a broken footer makes the search for them endless.
    const footer = await parquetMetadataAsync(file, { geoparquet: false })
    checkFooter(footer)
    const marked = withMarks(footer)
    const columns = parquetSchema(marked).children.map(
      (child) => [child.element.name, converter(child)] as const,
    )
    const metadata = withoutDecimals(marked)
    let row = 0
    for (const group of metadata.row_groups) {
      const rows = Number(group.num_rows)
      const records = await parquetReadObjects({
        file,
        metadata,
        compressors,
        parsers: parsers,
        rowStart: row,
        rowEnd: row + rows,
      })
      if (records.length !== rows)
        throw new Error(`${rows} rows from row ${row + 1} on are said to be there, ${records.length} are`)
      for (const record of records) {
        row++
        yield {
          record: Object.fromEntries(columns.map(([name, convert]) => [name, convert(record[name])])),
          where: `${path}#${row}`,
        }
      }
    }
  } catch (cause) {
    if (cause instanceof IftError) throw cause
    const missing = (cause as NodeJS.ErrnoException).code === 'ENOENT'
    throw new IftError(
      missing ? 'IFT_SOURCE_NOT_FOUND' : 'IFT_FILE_CORRUPT',
      missing
        ? `${path}: no such file.`
        : `${path}: broken Parquet file: ${cause instanceof Error ? cause.message : String(cause)}`,
      missing ? 'Check the path.' : 'Fetch the file again; it may have been cut off.',
      { cause },
    )
  }
}
