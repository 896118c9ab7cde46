import type { Command } from './command.js'
import { withSession } from './command.js'

/** Families, methods and datasets of this project; others are found by the name that a config writes. */
const known = {
  model: ['llama', 'chatglm', 'bloom', 'moss'],
  peft: ['lora', 'ptuning'],
  dataset: ['alpaca', 'cot', 'gsm8k'],
  kernels: ['cpu', 'cuda'],
} as const

export const plugins: Command = {
  name: 'plugins',
  description: 'List the plugins in use and the packages found beside the config.',
  example: 'npx ift plugins',
  define(verb) {
    verb.option('--json', 'print as JSON')
  },
  run(context) {
    const { terminal, options } = context
    return withSession(context, (ift) => {
      const installed = Object.entries(known).flatMap(([kind, names]) =>
        names
          .filter((name) => ift.installed(kind as keyof typeof known, name))
          .map((name) => `${kind} ${name}`),
      )
      if (options['json']) terminal.json({ used: ift.plugins, installed })
      else
        terminal.table([
          ['config', ift.configPath ?? '(none)'],
          ['in use', ift.plugins.join(', ') || '(none)'],
          ['installed', installed.join(', ') || '(none)'],
        ])
      return Promise.resolve(0)
    })
  },
}
