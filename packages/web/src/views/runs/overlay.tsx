import { useMemo, useState } from 'preact/hooks'
import type { RunRow } from '../../api/types.js'
import { isPhone } from '../../app/width.js'
import { Chart } from '../../components/chart/chart.js'
import { chartGroup } from '../../components/chart/group.js'
import type { Line } from '../../components/chart/line.js'
import { smooth } from '../../components/chart/smooth.js'
import { Panel } from '../../components/panel.js'
import { Segmented } from '../../components/segmented.js'
import { Select } from '../../components/select.js'
import { fixed, loss, middle, rate, whole } from '../../format/numbers.js'
import { duration } from '../../format/time.js'
import { smoothing } from '../run/curves.js'
import { shortNames } from './compare.js'
import { along, type Axis } from './along.js'
import type { Curve } from './curves.js'
import { selected } from './selection.js'
import { text } from './text.js'

type What = 'validationLoss' | 'trainLoss' | 'learningRate' | 'gradientNorm' | 'tokensPerSecond'
const columns: Readonly<Record<Exclude<What, 'validationLoss'>, string>> = {
  ...{
    trainLoss: 'loss',
    learningRate: 'learningRate',
    gradientNorm: 'gradientNorm',
    tokensPerSecond: 'tokensPerSecond',
  },
}

/** Curves of the selected runs over each other. */
export function Overlay({
  chosen,
  curves,
}: {
  readonly chosen: readonly RunRow[]
  readonly curves: ReadonlyMap<string, Curve>
}) {
  const words = text()
  const [what, setWhat] = useState<What>('validationLoss')
  const [axis, setAxis] = useState<Axis>('step')
  const [log, setLog] = useState(false)
  const group = useMemo(chartGroup, [])
  const short = shortNames(chosen.map(({ name }) => name))
  const weight = smoothing.value
  const lines = useMemo(
    () =>
      chosen.flatMap((run, i): Line[] => {
        const curve = curves.get(run.id)
        const series = selected.value.get(run.id)
        if (curve === undefined || series === undefined) return []
        const points = along(curve, what === 'validationLoss' ? null : columns[what], axis)
        const drawn = what === 'trainLoss' ? { x: points.x, y: smooth(points.y, weight) } : points
        return [
          { key: run.id, name: run.name, points: drawn, series, look: 'line', end: middle(short[i]!, 14) },
        ]
      }),
    [chosen.map(({ id }) => id).join(), curves, what, axis, weight],
  )
  const isLoss = what === 'validationLoss' || what === 'trainLoss'
  const value = (y: number | null) =>
    isLoss ? loss(y) : what === 'learningRate' ? rate(y) : fixed(y, what === 'gradientNorm' ? 3 : 0)
  return (
    <Panel
      class="runs-overlay"
      title={
        <Select
          quiet
          label={words.chosen}
          options={(
            ['validationLoss', 'trainLoss', 'learningRate', 'gradientNorm', 'tokensPerSecond'] as const
          ).map((each) => ({ value: each, text: words[each] }))}
          value={what}
          onChange={setWhat}
        />
      }
      beside={
        <>
          <Segmented
            small
            label={words.x}
            options={[
              { value: 'step', text: words.step },
              { value: 'tokens', text: words.tokens },
              { value: 'seconds', text: words.seconds },
            ]}
            value={axis}
            onChange={(next) => {
              group.zoom.value = null
              setAxis(next)
            }}
          />
          <Segmented
            small
            label={words.scale}
            options={[
              { value: 'linear', text: words.linear },
              { value: 'log', text: words.log },
            ]}
            value={log ? 'log' : 'linear'}
            onChange={(next) => {
              setLog(next === 'log')
            }}
          />
        </>
      }
    >
      <Chart
        name={words[what]}
        lines={lines}
        value={value}
        xText={axis === 'seconds' ? duration : whole}
        xName={axis === 'step' ? words.stepAt : axis === 'tokens' ? words.tokensAt : words.timeAt}
        height={isPhone.value ? 260 : 372}
        group={group}
        log={log}
        floor={isLoss ? null : 0}
        ends={isPhone.value ? 72 : 128}
        wholeX={axis !== 'seconds'}
      />
    </Panel>
  )
}
