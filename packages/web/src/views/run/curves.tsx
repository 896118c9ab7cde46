import { useMemo } from 'preact/hooks'
import type { RunReply } from '../../api/types.js'
import { json, stored } from '../../app/stored.js'
import { isPhone } from '../../app/width.js'
import { Chart, Legend } from '../../components/chart/chart.js'
import type { ChartGroup } from '../../components/chart/group.js'
import type { Line } from '../../components/chart/line.js'
import { smooth } from '../../components/chart/smooth.js'
import { Panel } from '../../components/panel.js'
import { Segmented } from '../../components/segmented.js'
import { Slider } from '../../components/field.js'
import { fixed, loss, rate, whole } from '../../format/numbers.js'
import type { MetricColumns } from './columns.js'
import { text } from './text.js'

const isShare = (value: unknown): value is number => typeof value === 'number' && value >= 0 && value <= 0.99
const isBoolean = (value: unknown): value is boolean => typeof value === 'boolean'

/** Weight of the mean before in smoothed lines. */
export const smoothing = stored<number>('run.smoothing', () => 0.75, json(isShare))
/** Whether losses are drawn by their logarithm. */
export const logScale = stored<boolean>('run.log', () => false, json(isBoolean))

/** Sums up to each line, for cards. */
function running(values: readonly number[]): Float64Array {
  const sums = new Float64Array(values.length)
  let sum = 0
  values.forEach((value, i) => {
    if (Number.isFinite(value)) sum += value
    sums[i] = sum
  })
  return sums
}

export function LossCurve({
  run,
  train,
  evaluation,
  group,
  version,
}: {
  readonly run: RunReply
  readonly train: MetricColumns
  readonly evaluation: MetricColumns
  readonly group: ChartGroup
  /** The columns grow in place. */
  readonly version: number
}) {
  const words = text()
  const total = run.totalSteps ?? run.plan?.steps ?? null
  const weight = smoothing.value
  const points = useMemo(() => {
    const losses = train.column('loss')
    return {
      each: { x: train.step.slice(), y: losses.slice() },
      smoothed: { x: train.step.slice(), y: smooth(losses, weight) },
      validation: { x: evaluation.step.slice(), y: evaluation.column('loss').slice() },
      tokens: running(train.column('tokens')),
    }
  }, [train, evaluation, version, weight])
  const lines: Line[] = [
    { key: 'each', name: words.train, points: points.each, series: 1, look: 'faint' },
    {
      ...{ key: 'smoothed', name: words.smoothed, points: points.smoothed, series: 1, look: 'line' },
      end: words.trainSmoothed,
    },
    ...(evaluation.length > 0
      ? [
          {
            ...{ key: 'validation', name: words.validation, points: points.validation },
            ...{ series: 2, look: 'rings', end: words.validation },
          } as const satisfies Line,
        ]
      : []),
  ]
  return (
    <Panel
      class="run-loss"
      title={words.loss}
      caption={isPhone.value ? undefined : words.nats}
      beside={
        <>
          <Legend
            lines={lines.map((line) => (line.key === 'each' ? { ...line, name: words.eachStep } : line))}
          />
          {!isPhone.value && (
            <>
              <Segmented
                small
                label={words.scale}
                options={[
                  { value: 'linear', text: words.linear },
                  { value: 'log', text: words.log },
                ]}
                value={logScale.value ? 'log' : 'linear'}
                onChange={(value) => {
                  logScale.value = value === 'log'
                }}
              />
              <span class="run-smooth">
                {words.smooth}
                <Slider
                  label={words.smooth}
                  value={weight}
                  min={0}
                  max={0.99}
                  step={0.01}
                  onInput={(value) => {
                    smoothing.value = value
                  }}
                />
                <span class="run-smooth-value">{fixed(weight, 2)}</span>
              </span>
            </>
          )}
        </>
      }
    >
      <Chart
        name={`${words.loss}, ${words.nats}`}
        lines={lines}
        xName={words.step}
        xText={whole}
        value={loss}
        height={isPhone.value ? 200 : 236}
        group={group}
        planned={total}
        log={logScale.value}
        ends={isPhone.value ? 0 : 92}
        mostYTicks={5}
        beside={(x) => {
          const i = train.step.indexOf(x)
          return i < 0 ? null : words.tokens(whole(points.tokens[i]))
        }}
      />
    </Panel>
  )
}

/** Rate, gradient, throughput and memory. */
export function Curves({
  run,
  train,
  group,
  version,
}: {
  readonly run: RunReply
  readonly train: MetricColumns
  readonly group: ChartGroup
  readonly version: number
}) {
  const words = text()
  const total = run.totalSteps ?? run.plan?.steps ?? null
  const x = useMemo(() => train.step.slice(), [train, version])
  const newest = x.at(-1) ?? 0
  const shared = {
    ...{ xName: words.step, xText: whole, height: isPhone.value ? 104 : 112, group, planned: total },
    ...{ floor: 0, mostYTicks: 2, mostXTicks: 2 },
  }
  const plan = run.plan
  const line = (name: string, title: string, more: Partial<Line> = {}): Line => ({
    ...{ key: name, name: title, points: { x, y: train.column(name) }, series: 1, look: 'line' },
    ...more,
  })
  const toCome = useMemo(() => {
    const steps = plan?.learningRates.steps ?? []
    const from = steps.findIndex((step) => step >= newest)
    const rest = from < 0 ? steps.length : from
    const at = train.newest('learningRate')
    return {
      x: [...(at === null ? [] : [newest]), ...steps.slice(rest)],
      y: [...(at === null ? [] : [at]), ...(plan?.learningRates.rates.slice(rest) ?? [])],
    }
  }, [plan, newest])
  const throughput = train.column('tokensPerSecond')
  const smoothed = useMemo(() => smooth(throughput, smoothing.value), [train, version, smoothing.value])
  const memory = useMemo(() => train.column('memory').map((bytes) => bytes / 2 ** 30), [train, version])
  const gibText = (value: number | null) => fixed(value, 2)
  return (
    <div class="run-curves">
      <Small title={words.learningRate} caption={scheduleOf(run)} newest={rate(train.newest('learningRate'))}>
        <Chart
          {...shared}
          name={words.learningRate}
          value={rate}
          lines={[
            line('learningRate', words.learningRate),
            ...(toCome.x.length > 1 && newest < (total ?? 0)
              ? [{ key: 'toCome', name: words.planned, points: toCome, series: 6, look: 'planned' } as const]
              : []),
          ]}
        />
      </Small>
      <Small
        title={words.gradientNorm}
        caption={words.beforeClipping}
        newest={fixed(train.newest('gradientNorm'), 3)}
        wide
      >
        <Chart
          {...shared}
          name={`${words.gradientNorm}, ${words.beforeClipping}`}
          value={(value) => fixed(value, 3)}
          lines={[line('gradientNorm', words.gradientNorm)]}
        />
      </Small>
      <Small
        title={words.throughput}
        caption={words.rateUnit}
        newest={whole(train.newest('tokensPerSecond'))}
      >
        <Chart
          {...shared}
          name={`${words.throughput}, ${words.rateUnit}`}
          value={whole}
          lines={[
            line('tokensPerSecond', words.eachStep, { look: 'faint' }),
            { key: 'smoothed', name: words.smoothed, points: { x, y: smoothed }, series: 1, look: 'line' },
          ]}
        />
      </Small>
      <Small title={words.memoryNow} caption="GiB" newest={gibText(memory.at(-1) ?? null)} wide>
        <Chart
          {...shared}
          name={`${words.memoryNow}, GiB`}
          value={gibText}
          lines={[
            { key: 'memory', name: words.memoryNow, points: { x, y: memory }, series: 1, look: 'area' },
          ]}
          reference={
            plan === null
              ? undefined
              : {
                  value: plan.memory.total / 2 ** 30,
                  text: words.planLine(gibText(plan.memory.total / 2 ** 30)),
                }
          }
        />
      </Small>
    </div>
  )
}

/** The schedule of a run's config. */
function scheduleOf(run: RunReply): string | undefined {
  const schedule = (run.config?.['train'] as Record<string, unknown> | undefined)?.['schedule']
  return typeof schedule === 'string' ? schedule : undefined
}

function Small({
  title,
  caption,
  newest,
  wide,
  children,
}: {
  readonly title: string
  readonly caption: string | undefined
  readonly newest: string
  /** Left out on phones. */
  readonly wide?: boolean
  readonly children: preact.ComponentChildren
}) {
  if (wide && isPhone.value) return null
  return (
    <Panel
      title={title}
      caption={isPhone.value ? undefined : caption}
      beside={<b class="run-newest">{newest}</b>}
    >
      {children}
    </Panel>
  )
}
