import { resolve } from 'node:path'
import {
  convertData,
  convertTargets,
  dataFiles,
  DataStats,
  formatNames,
  IftError,
  readExamples,
  refuseInputs,
  validateData,
  type ConvertTarget,
  type FormatName,
} from '@ift/core'
import type { Command } from './command.js'
import { withSession } from './command.js'

const actions = ['list', 'stats', 'validate', 'convert'] as const

export const data: Command = {
  name: 'data',
  description: 'Look at data: list (datasets known here), stats, validate, convert.',
  example: 'npx ift data stats mine.jsonl',
  define(verb) {
    verb
      .argument('<action>', actions.join(', '))
      .argument('[file]', 'data file or folder')
      .option('--to <form>', `form to convert to: ${convertTargets.join(', ')}`, 'alpaca')
      .option(
        '--format <form>',
        `form of the records, when it is not to be found out: ${formatNames.join(', ')}`,
      )
      .option('-o, --output <file>', 'file to write')
      .option('--json', 'print as JSON')
  },
  async run(context) {
    const { terminal, options, operands, cwd } = context
    const [action, file] = operands
    if (action === 'list') return list(context)
    if (!actions.some((name) => name === action))
      throw new IftError('IFT_USAGE', `There is no "data ${action ?? ''}".`, `Known: ${actions.join(', ')}`)
    if (file === undefined) throw new IftError('IFT_USAGE', `data ${action!} needs a file.`, this.example)
    const path = resolve(cwd, file)
    const format = options['format'] as FormatName | undefined
    const source = format === undefined ? {} : { format }
    if (action === 'stats') {
      const stats = new DataStats()
      for await (const { example } of readExamples(path, source)) stats.add(example)
      terminal.json(stats.report())
      return 0
    }
    if (action === 'validate') {
      const report = await validateData(path, source)
      if (options['json']) terminal.json(report)
      else {
        for (const { where, message } of report.problems) terminal.out(`${where}: ${message}\n`)
        terminal.note(`${report.examples} good examples, ${report.problems.length} problems`)
      }
      return report.problems.length ? 1 : 0
    }
    const output = options['output'] as string | undefined
    if (output === undefined)
      throw new IftError('IFT_USAGE', 'data convert needs --output.', `${this.example} --output out.jsonl`)
    const to = options['to'] as ConvertTarget
    if (!convertTargets.includes(to))
      throw new IftError('IFT_USAGE', `There is no form "${to}".`, `Known: ${convertTargets.join(', ')}`)
    const inputs = (await dataFiles(path)).map((file) => ({ what: 'the input', path: file }))
    await refuseInputs(resolve(cwd, output), inputs)
    const written = await convertData(readExamples(path, source), to, resolve(cwd, output))
    terminal.note(`${written} records in ${resolve(cwd, output)}`)
    return 0
  },
}

function list(context: Parameters<Command['run']>[0]): Promise<number> {
  return withSession(context, async (ift) => {
    const rows: [string, string][] = []
    for (const name of ['alpaca', 'cot', 'gsm8k', ...ift.hooks.dataset.names()]) {
      if (!ift.installed('dataset', name) && !ift.hooks.dataset.find(name)) continue
      const { description, license, tags, size } = await ift.dataset(name)
      const count = size ? `${size.count.toLocaleString('en')} ${size.unit}, ` : ''
      rows.push([
        name,
        `${description} ${count}${[...tags.lang, ...tags.task, ...tags.gen].join('/')}, ${license}`,
      ])
    }
    if (rows.length) context.terminal.table(rows)
    else
      context.terminal.note(
        'No dataset package is installed beside the config: npm install @ift/dataset-alpaca',
      )
    return 0
  })
}
