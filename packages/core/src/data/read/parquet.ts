import { IftError } from '@ift/tensor'
import type { RawRecord } from './record.js'

/** Parquet's 64-bit integers come as bigint; those that a number holds exactly become one, as in JSON. */
function plain(value: unknown): unknown {
  if (typeof value === 'bigint') return Number.isSafeInteger(Number(value)) ? Number(value) : value.toString()
  if (Array.isArray(value)) return value.map(plain)
  if (value instanceof Date) return value.toISOString()
  if (ArrayBuffer.isView(value)) return Array.from(value as unknown as ArrayLike<number | bigint>, plain)
  if (typeof value === 'object' && value !== null)
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, plain(inner)]))
  return value
}

/** Rows of a Parquet file, one row group in memory at a time. */
export async function* readParquet(path: string): AsyncGenerator<RawRecord> {
  // Loaded by the first Parquet file: a run on other data starts without them.
  const [{ asyncBufferFromFile, parquetMetadataAsync, parquetReadObjects }, { compressors }] =
    await Promise.all([import('hyparquet'), import('hyparquet-compressors')])
  try {
    const file = await asyncBufferFromFile(path)
    const metadata = await parquetMetadataAsync(file)
    let row = 0
    for (const group of metadata.row_groups) {
      const rows = Number(group.num_rows)
      const records = await parquetReadObjects({
        file,
        metadata,
        compressors,
        rowStart: row,
        rowEnd: row + rows,
      })
      for (const record of records) {
        row++
        yield { record: plain(record) as Record<string, unknown>, where: `${path}#${row}` }
      }
    }
  } catch (cause) {
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
