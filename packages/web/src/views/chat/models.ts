import { computed, effect, signal } from '@preact/signals'
import { getJson, postJson } from '../../api/client.js'
import { models as ask, type ModelCard } from '../../api/completions.js'
import type { AdaptersReply, AdapterRow, LoadReply, LoadRequest } from '../../api/types.js'
import { connection, hasModel, machine } from '../../app/connection.js'

/** What /v1 answers with, the base first; empty without a model. */
export const models = signal<readonly ModelCard[]>([])

let asked: string | null = null

/** Asks for the models whenever the server has others. */
export function watchModels(): void {
  if (asked !== null) return
  asked = ''
  effect(() => {
    const found = machine.value
    const key = hasModel.value && found ? `${found.instance} ${found.model?.adapters.join() ?? ''}` : ''
    if (connection.value !== 'connected' || key === asked) return
    asked = key
    if (key === '') models.value = []
    else
      void ask().then(
        (list) => (models.value = list),
        // Asked again with the next look at the machine.
        () => (asked = ''),
      )
  })
}

export const base = computed(() => models.value[0] ?? null)

/** The model of a name; the base where there is none of it any more. */
export const modelNamed = (id: string | null): ModelCard | null =>
  models.value.find((model) => model.id === id) ?? base.value

/** Colour of the square beside a name: of an adapter by its place, none of the base. */
export const seriesOf = (id: string): number | null => {
  const at = models.value.findIndex((model) => model.id === id)
  return at <= 0 ? null : ((at - 1) % 6) + 1
}

/** Checkpoints of runs over the base that is served; null until they were asked for. */
export const checkpoints = signal<AdaptersReply | null>(null)

/** Asks for them: whenever somebody is about to choose, since runs go on. */
export async function readCheckpoints(): Promise<void> {
  checkpoints.value = await getJson<AdaptersReply>('/api/adapters').catch(() => checkpoints.peek())
}

/** Loads the adapter of a checkpoint; the model that answers with it then. Throws `ApiError`. */
export async function load({ run, step }: AdapterRow): Promise<string> {
  const asked: LoadRequest = { run, step }
  const { model } = await postJson<LoadReply>('/api/adapters', asked)
  models.value = await ask()
  return model
}
