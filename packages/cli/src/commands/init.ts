import { existsSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { IftError, optionRows } from '@ift/core'
import type { Command } from './command.js'

export const init: Command = {
  name: 'init',
  description: 'Write a config file, or list every option.',
  example: 'npx ift init --weights ./llama --data ./mine.jsonl',
  define(verb) {
    verb.option('--list', 'list every option with its default').option('--force', 'replace a config file')
  },
  run({ terminal, options, cwd, overrides }) {
    if (options['list']) {
      for (const { path, type, default: value, description } of optionRows())
        terminal.out(
          `${path}  ${terminal.style('dim', `${type}${value === undefined ? '' : `, ${JSON.stringify(value)}`}`)}\n    ${description}\n`,
        )
      return Promise.resolve(0)
    }
    const path = resolve(cwd, 'ift.config.json')
    if (existsSync(path) && !options['force'])
      throw new IftError('IFT_USAGE', `${path} exists.`, 'Replace it with --force.')
    const config = {
      weights: './model',
      data: ['./data.jsonl'],
      peft: { method: 'lora', r: 8, alpha: 16, dropout: 0.05 },
      train: { epochs: 3, batchSize: 16, learningRate: 3e-4 },
      ...overrides,
    }
    writeFileSync(path, `${JSON.stringify(config, null, 2)}\n`)
    terminal.note(`wrote ${path}; next: npx ift train`)
    return Promise.resolve(0)
  },
}
