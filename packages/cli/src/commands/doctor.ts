import { spawnSync } from 'node:child_process'
import { cpus, freemem, totalmem } from 'node:os'
import { IftError } from '@ift/core'
import type { Command } from './command.js'
import { withSession } from './command.js'
import { bytes } from '../ui/format.js'
import { version } from '../version.js'

export const doctor: Command = {
  name: 'doctor',
  description: 'Look at this machine: what is there, what is missing, what to do.',
  example: 'npx ift doctor',
  define(verb) {
    verb.option('--json', 'print as JSON')
  },
  run(context) {
    const { terminal, options } = context
    return withSession(context, async (ift) => {
      const rows: [string, string][] = [
        ['ift', version],
        ['node', `${process.version} ${process.platform} ${process.arch}`],
        ['processor', `${cpus().length} × ${cpus()[0]?.model.trim() ?? 'unknown'}`],
        ['memory', `${bytes(freemem())} free of ${bytes(totalmem())}`],
      ]
      const mpi = spawnSync('mpirun', ['--version'], { encoding: 'utf8' })
      const found =
        mpi.status === 0
          ? mpi.stdout.split('\n')[0]!.trim()
          : 'not installed: train --nproc on the CPU needs it'
      rows.push(['mpirun', found])
      let healthy = true
      for (const name of ['cpu', 'cuda']) {
        if (!ift.installed('kernels', name)) {
          rows.push([name, `@ift/kernels-${name} is not installed`])
          continue
        }
        try {
          const definition = await ift.backend(name)
          for (const { name, found, text } of definition.look?.() ?? [])
            rows.push([name, found ? text : `missing: ${text}`])
          const backend = await definition.open({ index: 0, threads: null })
          const { description, preferredDtype } = backend.device
          rows.push([name, `${description}, ${preferredDtype}`])
          backend.close()
        } catch (error) {
          healthy &&= name !== 'cpu'
          const hint = error instanceof IftError && error.hint ? ` ${error.hint}` : ''
          rows.push([name, `${error instanceof Error ? error.message : String(error)}${hint}`])
        }
      }
      if (options['json']) terminal.json(Object.fromEntries(rows))
      else terminal.table(rows)
      return healthy ? 0 : 1
    })
  },
}
