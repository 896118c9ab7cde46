import { computed, effect, signal } from '@preact/signals'
import { models as ask, type ModelCard } from '../../api/completions.js'
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
