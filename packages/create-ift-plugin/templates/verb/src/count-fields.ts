import { readRecords } from '@ift/core'

/** Records of data files, and how many of them have each field; of any kind of file that ift reads. */
export async function countFields(paths: readonly string[]) {
  let records = 0
  const fields = new Map<string, number>()
  for (const path of paths)
    for await (const { record } of readRecords(path)) {
      records++
      for (const field of Object.keys(record)) fields.set(field, (fields.get(field) ?? 0) + 1)
    }
  return { records, fields: Object.fromEntries([...fields].sort(([, a], [, b]) => b - a)) }
}
