import { readFileSync } from 'node:fs'
import { expect, test } from 'vitest'
import * as z from '../config/options.js'
import { readAdapterConfig } from './adapter-config.js'
import {
  besideFields,
  besideOptions,
  patternFields,
  patternOptions,
  targetFields,
  targetOptions,
} from './options.js'
import { matcher, patternTable, selector } from './targets.js'

const { names, rows } = JSON.parse(
  readFileSync(new URL('../../../../fixtures/peft-lora/targets.json', import.meta.url), 'utf8'),
) as {
  names: string[]
  rows: { config: Record<string, unknown>; matched: [path: string, r: number, alpha: number][] }[]
}

const method = {
  name: 'any',
  options: z.strictObject({
    r: z.number(),
    alpha: z.number(),
    ...targetOptions,
    ...besideOptions,
    ...patternOptions,
  }),
  fields: { ...targetFields, ...besideFields, ...patternFields, r: 'r', lora_alpha: 'alpha' },
}

test.each(rows)('$config adapts what PEFT adapts', ({ config, matched }) => {
  const options = readAdapterConfig(method, { r: 8, lora_alpha: 16, ...config })
  const rankOf = patternTable(options.rankPattern, options.r)
  const alphaOf = patternTable(options.alphaPattern, options.alpha)
  const chosen = names.filter(selector(options, matcher(options.targetModules!)))
  expect(chosen.map((path) => [path, rankOf(path), alphaOf(path)])).toEqual(matched)
})
