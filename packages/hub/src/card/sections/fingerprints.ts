import type { CardFacts } from '../facts.js'
import { cell, table } from '../names.js'

/** Hashes of what the adapter was made of and of what it is. */
export function fingerprintSection({ run: { manifest }, weights }: CardFacts): string {
  const identity: Partial<Readonly<Record<string, string>>> = manifest ? { ...manifest.identity } : {}
  const hashes: (readonly [string, string | undefined])[] = [
    ...[...weights].map(([name, hash]) => [name, hash] as const),
    ['weights of the base', identity['weights']],
    ['config.json of the base', identity['config.json']],
    ['tokenizer', identity['tokenizer']],
    ['template', identity['template']],
    ['training samples', manifest?.dataHash],
    ['adapter that the run started from', identity['adapter']],
  ]
  const rows = hashes.flatMap(([name, hash]) =>
    hash === undefined || !/^[0-9a-f]{40,64}$/.test(hash) ? [] : [[cell(name), `\`${hash}\``]],
  )
  return `## Fingerprints\n\n${table(['', 'sha256'], rows)}`
}
