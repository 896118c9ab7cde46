import { resolve } from 'node:path'
import type { ResolvedConfig } from '../config/schema.js'

/** The output folder with its placeholders filled in. */
export function outputDir(config: ResolvedConfig, rootDir: string, family: string): string {
  const entries = Array.isArray(config.data) ? config.data : [config.data]
  const data = entries
    .map((entry) => (typeof entry === 'string' ? entry : (entry.name ?? entry.path ?? 'data')))
    .map((name) =>
      name
        .split(/[\\/]/)
        .at(-1)!
        .replace(/\.[a-z]+(\.gz|\.zst)?$/i, ''),
    )
    .join('+')
  const values: Readonly<Record<string, string>> = {
    model: config.weights?.split(/[\\/]/).filter(Boolean).at(-1) ?? family,
    data: data || 'data',
    method: config.peft.method,
  }
  return resolve(
    rootDir,
    config.output.replaceAll(/\{(\w+)\}/g, (whole, key: string) => values[key] ?? whole),
  )
}
