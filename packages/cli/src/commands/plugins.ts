import type { Command } from './command.js'
import { withSession } from './command.js'

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
      const installed = ift.packages()
      if (options['json']) terminal.json({ used: ift.plugins, installed })
      else
        terminal.table([
          ['config', ift.configPath ?? '(none)'],
          ['in use', ift.plugins.join(', ') || '(none)'],
          ...(installed.length ? installed : [null]).map((plugin): [string, string] => [
            plugin === installed[0] || plugin === null ? 'installed' : '',
            plugin === null
              ? '(none)'
              : `${plugin.kind} ${plugin.name} (${plugin.package} ${plugin.version})`,
          ]),
        ])
      return Promise.resolve(0)
    })
  },
}
