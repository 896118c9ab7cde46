import { cpus, freemem, totalmem } from 'node:os'
import { version } from '@ift/core'
import type { Serving } from '../../serving.js'
import type { MachineReply } from '../types.js'
import type { PageRoutes } from './parts.js'

/** Names of special tokens, at most. */
const mostSpecials = 4096

function modelOf(found: {
  readonly serving: Serving | null
  readonly failure: string | null
}): MachineReply['model'] {
  const { serving, failure } = found
  if (serving === null)
    return {
      state: failure === null ? 'loading' : 'failed',
      error: failure,
      ...{ id: null, family: null, template: null, dtype: null, quantize: null, context: null },
      ...{ specialTokens: [], adapters: [] },
    }
  const { open, models } = serving
  const { most, size } = serving.generator.load.pages
  const room = Math.min(open.shape.maxPositions ?? Infinity, (most - 4) * size)
  return {
    state: 'ready',
    error: null,
    id: models.base.id,
    family: open.definition.name,
    template: open.template.name,
    dtype: open.dtype,
    quantize: open.quantize,
    context: Number.isFinite(room) ? room : null,
    specialTokens: [...open.tokenizer.specials.keys()].slice(0, mostSpecials),
    adapters: open.adapters?.names ?? [],
  }
}

/** `GET /api/machine`. */
export const machineRoutes: PageRoutes = (app, { reader, folders, processes, model, instance }) => {
  app.get('/api/machine', async (context) => {
    const found = model()
    const { rows } = await reader.rows()
    const count = (...states: readonly string[]) => rows.filter(({ state }) => states.includes(state)).length
    const device = found?.serving?.open.backend.device ?? null
    const cores = cpus().length
    const reply: MachineReply = {
      version,
      instance,
      now: new Date().toISOString(),
      device: device?.description ?? `${cpus()[0]?.model ?? process.arch} · ${cores} cores`,
      deviceKind: device?.kind ?? null,
      cores,
      memory: {
        total: totalmem(),
        used: totalmem() - freemem(),
        server: process.memoryUsage().rss,
        device: device?.memory ?? null,
      },
      model: found && modelOf(found),
      runs: {
        total: rows.length,
        training: count('starting', 'training', 'stopping'),
        failed: count('failed'),
      },
      folders: folders.shown,
      canStart: processes.whyNot === null,
      whyNot: processes.whyNot,
    }
    return context.json(reply)
  })
}
