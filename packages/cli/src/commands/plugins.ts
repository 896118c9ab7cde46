import { Ift, namesOf, nouns, verb } from '@ift/core'

export const plugins = verb({
  name: 'plugins',
  description: 'List the plugins in use, the packages found beside the config, and those to install.',
  example: 'npx ift plugins',
  options: { json: { type: 'boolean', description: 'print as JSON' } },
  run({ terminal, session, options: { json } }) {
    return Ift.using(session, (ift) => {
      const packages = ift.packages()
      const there = new Set(packages.map(({ package: name }) => name))
      const absent = ift.catalogue().filter(({ package: name }) => !there.has(name))
      const installed = packages.flatMap(({ package: of, version, provides }) =>
        nouns.flatMap((kind) =>
          namesOf(provides, kind).map((name) => ({ kind, name, package: of, version })),
        ),
      )
      const broken = packages.flatMap(({ package: of, problem }) =>
        problem ? [{ package: of, problem: problem.message }] : [],
      )
      if (json) {
        const installable = absent.map(({ package: of, description }) => ({ package: of, description }))
        terminal.json({ used: ift.plugins, installed, broken, installable })
        return Promise.resolve(0)
      }
      terminal.table([
        ['config', ift.configPath ?? '(no file)'],
        ['in use', ift.plugins.join(', ') || '(what the run names is loaded then)'],
      ])
      if (!packages.length) terminal.note('No plugin package is installed beside the config.')
      else
        terminal.table(
          packages.map(({ package: of, version, provides, problem }) => [
            `${of} ${version}`.trimEnd(),
            problem
              ? problem.message
              : nouns
                  .filter((kind) => namesOf(provides, kind).length)
                  .map((kind) => `${kind} ${namesOf(provides, kind).join(', ')}`)
                  .join('; '),
          ]),
          'Installed',
        )
      if (absent.length) {
        terminal.table(
          absent.map(({ package: of, description }) => [of, description]),
          'To install',
        )
      }
      return Promise.resolve(0)
    })
  },
})
