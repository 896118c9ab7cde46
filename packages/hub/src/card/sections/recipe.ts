import type { CardFacts } from '../facts.js'
import { cell, count, table } from '../names.js'

const duration = (seconds: number): string =>
  seconds < 120
    ? `${seconds.toFixed(1)} s`
    : seconds < 7200
      ? `${(seconds / 60).toFixed(1)} min`
      : `${(seconds / 3600).toFixed(1)} h`

const object = (value: unknown): Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : {}

const shown = (value: unknown): string =>
  typeof value === 'string' ? value : Array.isArray(value) ? value.join(', ') : JSON.stringify(value)

/** Settings that somebody needs who trains the same again, in the order shown. */
const trainFields = [
  ['epochs', 'epochs'],
  ['batchSize', 'rows a step'],
  ['tokensPerStep', 'tokens a step'],
  ['learningRate', 'learning rate'],
  ['schedule', 'schedule'],
  ['warmupSteps', 'warm-up steps'],
  ['warmupRatio', 'warm-up ratio'],
  ['weightDecay', 'weight decay'],
  ['clipNorm', 'clipping norm'],
  ['seed', 'seed'],
] as const

/** Settings that say nothing where another is there. */
const overruled: Readonly<Record<string, string>> = {
  epochs: 'maxSteps',
  batchSize: 'tokensPerStep',
  warmupRatio: 'warmupSteps',
}

/** How the adapter was trained, on what, and for how long. */
export function recipeSection({
  run: { manifest, plan, result },
  settings,
  method,
}: CardFacts): string | null {
  const rows: (readonly [string, string])[] = [['method', method]]
  if (settings.r !== undefined)
    rows.push([
      'rank',
      `${settings.r}${settings.lora_alpha === undefined ? '' : `, alpha ${settings.lora_alpha}`}`,
    ])
  const { target_modules: targets } = settings
  if (targets != null)
    rows.push(['modules', typeof targets === 'string' ? targets : targets.toSorted().join(', ')])
  if (plan) rows.push(['trained parameters', `${count(plan.trainable)} of ${count(plan.parameters)}`])
  if (manifest) {
    const train = object(manifest.config['train'])
    const optimizer = object(train['optimizer'])
    const { name = 'adamw', ...options } = optimizer
    const further = Object.entries(options)
      .filter(([, value]) => value !== undefined)
      .map(([key, value]) => `${key} ${shown(value)}`)
    rows.push(['optimizer', [shown(name), ...further].join(', ')])
    // Steps that were set end a run before its epochs do.
    if (train['maxSteps'] !== undefined) rows.push(['steps at most', shown(train['maxSteps'])])
    for (const [field, name] of trainFields)
      if (train[field] !== undefined && train[overruled[field] ?? ''] === undefined)
        rows.push([name, shown(train[field])])
    rows.push(['longest sequence', `${shown(manifest.config['maxLength'])} tokens`])
    rows.push(['trained on', shown(manifest.config['trainOn'])])
    const { dtype, quantize } = manifest.identity as Partial<typeof manifest.identity>
    if (dtype !== undefined)
      rows.push([
        'numbers',
        quantize === undefined || quantize === 'none' ? dtype : `${dtype}, base in ${quantize}`,
      ])
    rows.push(['hardware', manifest.device])
    rows.push(['software', `ift ${manifest.ift}, Node ${manifest.node}`])
    rows.push(['begun', manifest.started.slice(0, 10)])
  }
  if (result && Number.isFinite(result.seconds)) {
    rows.push(['steps', count(result.steps)])
    rows.push(['time', duration(result.seconds)])
    rows.push(['tokens', `${count(result.tokens)}, ${count(result.trainedTokens)} of them learned`])
    rows.push(['loss at the end', result.finalLoss.toFixed(4)])
    if (result.bestEval)
      rows.push([
        'best validation loss',
        `${result.bestEval.loss.toFixed(4)} at step ${result.bestEval.step}`,
      ])
  }
  return `## Recipe\n\n${table(
    ['', ''],
    rows.map(([name, value]) => [name, cell(value)]),
  )}`
}
