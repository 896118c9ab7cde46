import { existsSync, writeFileSync } from 'node:fs'
import { resolve } from 'node:path'
import { IftError, optionRows, verb } from '@ift/core'

export const init = verb({
  name: 'init',
  description: 'Write a config file, or list every option.',
  example: 'npx ift init --weights ./llama --data ./mine.jsonl',
  options: {
    list: { type: 'boolean', description: 'list every option with its default' },
    force: { type: 'boolean', description: 'replace a config file' },
  },
  run({ terminal, options: { list, force }, cwd, session: { overrides } }) {
    if (list) {
      for (const { path, type, default: value, description } of optionRows())
        terminal.out(
          `${path}  ${terminal.style('dim', `${type}${value === undefined ? '' : `, ${JSON.stringify(value)}`}`)}\n    ${description}\n`,
        )
      return Promise.resolve(0)
    }
    const path = resolve(cwd, 'ift.config.json')
    if (existsSync(path) && !force)
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
})
