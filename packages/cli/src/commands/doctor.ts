import { spawnSync } from 'node:child_process'
import { cpus, freemem, totalmem } from 'node:os'
import { cachePath, cacheSize, Ift, IftError, namesOf, verb } from '@ift/core'
import { bytes } from '../ui/format.js'
import { version } from '../version.js'

export const doctor = verb({
  name: 'doctor',
  description: 'Look at this machine: what is there, what is missing, what to do.',
  example: 'npx ift doctor',
  options: { json: { type: 'boolean', description: 'print as JSON' } },
  run({ terminal, session, options: { json } }) {
    return Ift.using(session, async (ift) => {
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
      const kept = await cacheSize(cachePath(ift.rootDir))
      if (kept.files > 0) rows.push(['.ift-cache', `${bytes(kept.bytes)} of data; rm -r .ift-cache is safe`])
      let healthy = true
      const installed = ift.names('backend')
      for (const { package: of, provides } of ift.catalogue())
        for (const name of namesOf(provides, 'backend'))
          if (!installed.includes(name)) rows.push([name, `not installed: npm install ${of}`])
      for (const name of installed) {
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
      for (const { package: of, problem } of ift.packages())
        if (problem) {
          healthy = false
          rows.push([of, problem.message])
        }
      if (json) terminal.json(Object.fromEntries(rows))
      else terminal.table(rows)
      return healthy ? 0 : 1
    })
  },
})
