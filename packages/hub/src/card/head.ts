import type { CardFacts } from './facts.js'

const isHubId = (id: string | undefined): id is string => id !== undefined

/** Results in the form of Papers with Code, which the hub shows beside a model. */
function modelIndex({ title, results }: CardFacts) {
  if (results.length === 0) return undefined
  return [
    {
      name: title,
      results: results.map(({ task, metrics }) => ({
        task: { type: 'text-generation', name: 'Text generation' },
        dataset: { type: task, name: task },
        metrics: metrics.map(({ name, value }) => ({ type: name.replaceAll(/[^\w.-]+/g, '_'), name, value })),
      })),
    },
  ]
}

/** The lines between `---` that the hub reads (huggingface.co/docs/hub/model-cards). */
export function cardHead(facts: CardFacts): string {
  const { settings, base, licence, languages, sources, method } = facts
  const isPeft = settings.peft_type !== undefined
  const datasets = [...new Set(sources.map(({ id }) => id).filter(isHubId))]
  const fields: Readonly<Record<string, unknown>> = {
    ...(isPeft && { library_name: 'peft' }),
    ...(base?.id !== undefined && { base_model: base.id, base_model_relation: 'adapter' }),
    ...licence.head,
    ...(languages.length > 0 && { language: languages }),
    ...(datasets.length > 0 && { datasets }),
    tags: [...new Set(['ift', method])],
    pipeline_tag: 'text-generation',
    'model-index': modelIndex(facts),
  }
  // What JSON writes is YAML.
  const lines = Object.entries(fields).flatMap(([field, value]) =>
    value === undefined ? [] : [`${field}: ${JSON.stringify(value)}`],
  )
  return ['---', ...lines, '---', ''].join('\n')
}
