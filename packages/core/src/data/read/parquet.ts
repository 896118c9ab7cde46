import type { FileMetaData, SchemaElement, SchemaTree } from 'hyparquet'
import { IftError } from '@ift/tensor'
import { mostParquetGroupBytes, mostParquetRows } from '../../files/bounds.js'
import { ExactNumber, exactNumber, parseExactJson } from '../exact-json.js'
import { dataFailed, FileStamp } from './record-file.js'
import { ParquetFile } from './parquet-worker.js'
import type { RawRecord } from './record.js'

type Convert = (value: unknown) => unknown

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

const isJson = ({ converted_type: converted }: SchemaElement) => converted === 'JSON'

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
  if (children.length === 0) {
    if (isDecimal(element)) return decimalOf(element.scale ?? 0)
    return isJson(element)
      ? (value) => (typeof value === 'string' ? parseExactJson(value) : plain(value))
      : plain
  }
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
  for (const [i, { num_rows: count, columns }] of groups.entries()) {
    if (count > BigInt(mostParquetRows))
      throw new Error(`row group ${i} would have ${count} rows, more than ${mostParquetRows}`)
    const bytes = columns.reduce(
      (total, { meta_data: meta }) => total + (meta?.total_uncompressed_size ?? 0n),
      0n,
    )
    if (bytes > BigInt(mostParquetGroupBytes))
      throw new Error(`row group ${i} would have ${bytes} bytes, more than ${mostParquetGroupBytes}`)
  }
  const leaves = schema.filter(({ num_children: children }) => !children).length
  for (const [i, { columns }] of groups.entries())
    if (columns.length !== leaves)
      throw new Error(`row group ${i} has ${columns.length} columns, and the schema ${leaves}`)
}

/** Rows of a Parquet file, a few pages of each column in memory at a time; `name` is what messages call it. */
export async function* readParquet(path: string, name = path): AsyncGenerator<RawRecord> {
  let file: ParquetFile | undefined
  try {
    // Loaded by the first Parquet file: a run on other data starts without it.
    const { parquetSchema } = await import('hyparquet')
    const stamp = await FileStamp.of(path)
    file = await ParquetFile.open(path)
    const footer = await file.footer()
    checkFooter(footer)
    const marked = withMarks(footer)
    const columns = parquetSchema(marked).children.map(
      (child) => [child.element.name, converter(child)] as const,
    )
    const metadata = withoutDecimals(marked)
    await file.use(metadata)
    let row = 0
    for (const [group, { num_rows: count }] of metadata.row_groups.entries()) {
      for await (const piece of file.pieces(group, Number(count)))
        for (const record of piece) {
          row++
          yield {
            record: Object.fromEntries(columns.map(([name, convert]) => [name, convert(record[name])])),
            where: `${name}#${row}`,
          }
        }
    }
    await stamp.check()
  } catch (cause) {
    if (cause instanceof IftError) throw dataFailed(name, cause)
    throw new IftError(
      'IFT_FILE_CORRUPT',
      `${name}: broken Parquet file: ${cause instanceof Error ? cause.message : String(cause)}`,
      'Fetch the file again; it may have been cut off.',
      { cause },
    )
  } finally {
    await file?.close()
  }
}
