import { existsSync } from 'node:fs'
import { createRequire } from 'node:module'
import { dirname, join, relative, resolve } from 'node:path'
import {
  builtinTemplates,
  Ift,
  IftError,
  loadConfigFile,
  optionRows,
  parseSource,
  verb,
  writeFileAtomic,
  type SessionRequest,
  type VerbTerminal,
} from '@ift/core'
import { examples, type Example } from '../init/examples.js'
import { lookAround } from '../init/look.js'
import { questions, type Ask, type Question } from '../init/questions.js'
import { version } from '../version.js'

export const init = verb({
  name: 'init',
  description: 'Write a config file: asks for model, data, method and template. Or list every option.',
  example: 'npx ift init --weights ./llama --data ./mine.jsonl --yes',
  config: ['weights', 'data', 'peft', 'template', 'train.epochs'],
  options: {
    yes: { type: 'boolean', short: 'y', description: 'ask nothing and take what lies in the folder' },
    example: {
      type: 'choice',
      choices: Object.keys(examples) as (keyof typeof examples)[],
      value: 'name',
      description:
        'write config, rows and questions of a first run with a real model; --weights: its folder or GGUF file',
    },
    list: { type: 'boolean', description: 'list every option with its default' },
    force: { type: 'boolean', description: 'replace ift.config.json' },
  },
  async run({ terminal, options: { yes, example, list, force }, cwd, session }) {
    if (list) {
      for (const { path, type, default: value, description } of optionRows())
        terminal.out(
          `${path}  ${terminal.style('dim', `${type}${value === undefined ? '' : `, ${JSON.stringify(value)}`}`, 'stdout')}\n    ${description}\n`,
        )
      return 0
    }
    const path = resolve(cwd, 'ift.config.json')
    await refuseShadow(path, force)
    if (example !== undefined) {
      await writeExample(examples[example], cwd, { session, terminal, force })
      return 0
    }
    const asked = process.stdin.isTTY && !yes ? questions(process.stdin, terminal.stderr) : null
    const ask: Ask = asked?.ask ?? (({ usual }: Question) => Promise.resolve(usual))
    try {
      const config = await Ift.using({ ...session, config: {} }, (ift) => chosen(ift, cwd, ask))
      await writeFileAtomic(path, `${JSON.stringify(config, null, 2)}\n`)
    } finally {
      asked?.close()
    }
    terminal.note(`wrote ${path}`)
    terminal.facts([
      ['npx ift inspect', 'shows a sample as the model reads it'],
      ['npx ift plan', 'shows what the run needs'],
      ['npx ift train', 'trains'],
    ])
    return 0
  },
})

interface Writing {
  readonly session: SessionRequest
  readonly terminal: VerbTerminal
  /** Whether files that are there are replaced. */
  readonly force: boolean
}

/** Writes the files of an example and says what to do with them. What flags say goes before the values of the example. */
async function writeExample(
  example: Example,
  cwd: string,
  { session, terminal, force }: Writing,
): Promise<void> {
  const { files, config: own } = example
  const there = Object.keys(files).find((name) => existsSync(join(cwd, name)))
  if (there !== undefined && !force)
    throw new IftError(
      'IFT_CONFIG_EXISTS',
      `${join(cwd, there)} is there already, and the example has a file of this name.`,
      'Go into an empty folder, or replace it: npx ift init --example smollm2 --force',
    )
  const config = await Ift.using({ ...session, cwd, config: own }, (ift) =>
    Promise.resolve(withFlags(own, Object.keys(session.flags ?? {}), ift.config)),
  )
  // A model that is nowhere is named now, and not by the first command that reads the config.
  await parseSource(String(config['weights']), cwd, 'model')
  const written = {
    ...files,
    'ift.config.json': `${JSON.stringify({ $schema: schemaFrom(cwd), ...config }, null, 2)}\n`,
  }
  for (const [name, text] of Object.entries(written)) await writeFileAtomic(join(cwd, name), text)
  terminal.note(`wrote ${Object.keys(written).join(', ')}`)
  const adapter = `${String(config['output'])}/adapter`
  terminal.facts([
    ['npx ift plan', 'shows what the run needs; fetches the model where it is not on this machine'],
    ['npx ift train', 'trains'],
    [`npx ift chat --adapter ${adapter}`, 'talks with the tuned model'],
    [`npx ift merge ./merged --adapter ${adapter}`, 'writes it as a model of its own'],
    ['npx ift chat --weights ./merged', 'talks with that one'],
  ])
}

/** A config with the resolved values of these options, such as train.epochs. */
function withFlags(
  config: Readonly<Record<string, unknown>>,
  paths: readonly string[],
  resolved: object,
): Record<string, unknown> {
  const changed = structuredClone(config) as Record<string, unknown>
  for (const path of paths) {
    const keys = path.split('.')
    const last = keys.pop()!
    let [to, from] = [changed, resolved as Record<string, unknown>]
    for (const key of keys) {
      to = (to[key] ??= {}) as Record<string, unknown>
      from = from[key] as Record<string, unknown>
    }
    to[last] = from[last]
  }
  return changed
}

/** A second config beside another would hide it, or be hidden. */
async function refuseShadow(path: string, force: boolean): Promise<void> {
  const { path: other } = await loadConfigFile(dirname(path)).catch((error: unknown) => {
    if (error instanceof IftError && force && existsSync(path)) return { path }
    throw error
  })
  if (other === null || dirname(other) !== dirname(path)) return
  if (other !== path)
    throw new IftError(
      'IFT_CONFIG_EXISTS',
      `${other} is the config of this folder; ift.config.json beside it would be a second one.`,
      `Change ${relative(dirname(path), other)}, or remove it first.`,
    )
  if (!force)
    throw new IftError('IFT_CONFIG_EXISTS', `${path} is there already.`, 'Replace it: npx ift init --force')
}

/** The config that the answers make; what flags say is not asked for. */
async function chosen(ift: Ift, cwd: string, ask: Ask): Promise<Record<string, unknown>> {
  const { config } = ift
  const { models, data } = lookAround(cwd)
  const given = [config.data].flat()
  const weights =
    config.weights ??
    (await ask({
      text: 'Model: a folder, a GGUF file, or a hub id such as HuggingFaceTB/SmolLM2-135M-Instruct',
      usual: models[0] ?? './model',
      choices: models,
    }))
  const dataset = given.length
    ? given
    : listOf(
        await ask({
          text: 'Data: files or datasets, separated by spaces (npx ift data list shows the datasets)',
          usual: data[0] ?? './data.jsonl',
          choices: data,
        }),
      )
  const { method: asked, ...options } = config.peft
  const methods = [...new Set(['lora', ...ift.names('peft'), 'none'])]
  const method = await ask({
    text: 'Method: none trains all parameters',
    usual: asked,
    choices: methods,
  })
  const own = 'the model’s own'
  const template =
    config.template ??
    (await ask({
      text: 'Prompt template',
      usual: own,
      choices: [...new Set([own, ...builtinTemplates.map(({ name }) => name), ...ift.names('template')])],
    }))
  return {
    $schema: schemaFrom(cwd),
    weights,
    data: dataset,
    ...(template === own ? {} : { template }),
    peft: method === asked ? { method, ...options } : { method },
    train: {
      epochs: config.train.epochs,
      learningRate: config.train.learningRate,
      batchSize: batchSize(ift),
    },
  }
}

const listOf = (text: string): string[] => text.split(/\s+/).filter(Boolean)

/** A few rows of one's own give more steps than with the original's 128, unless the user says so. */
const batchSize = ({ config }: Ift): number => (config.train.batchSize === 128 ? 16 : config.train.batchSize)

/** Where an editor finds the schema: in the packages of the folder, else on the network. */
function schemaFrom(cwd: string): string {
  const name = '@ift/core/config.schema.json'
  try {
    const path = relative(cwd, createRequire(join(cwd, 'ift.config.json')).resolve(name))
    if (!path.startsWith('..')) return `./${path.replaceAll('\\', '/')}`
  } catch {
    // Not installed here.
  }
  return `https://unpkg.com/@ift/core@${version}/dist/config.schema.json`
}
