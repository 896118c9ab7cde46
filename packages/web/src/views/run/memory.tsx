import type { RunReply } from '../../api/types.js'
import { PairBar } from '../../components/bars/stacked.js'
import { Panel } from '../../components/panel.js'
import { gib, percent } from '../../format/numbers.js'
import type { MetricColumns } from './columns.js'
import { text } from './text.js'

/** Plan beside measured: what the run was to take, part by part, and what it took. */
export function MemoryPanel({ run, train }: { readonly run: RunReply; readonly train: MetricColumns }) {
  const words = text()
  const memory = run.plan?.memory ?? null
  const peaks = train.column('peakMemory').slice(-100)
  const peak = Math.max(run.measured.peakMemory ?? 0, ...peaks.filter((value) => Number.isFinite(value)))
  const measured = peak > 0 ? peak : null
  const whole = Math.max(memory?.total ?? 0, measured ?? 0)
  const parts =
    memory === null
      ? []
      : ([
          [run.plan === null ? words.weights : `${words.weights}, ${run.plan.dtype}`, memory.weights],
          [words.trainedState, memory.training],
          [words.activations, memory.activations],
          [words.workspace, memory.workspace],
        ] as const)
  const ratio = memory === null || measured === null ? null : measured / memory.total - 1
  return (
    <Panel
      class="run-memory"
      title={words.memory}
      caption="GiB"
      beside={
        <span class="run-memory-legend">
          <i class="run-memory-planned" /> {words.planned}
          <i class="run-memory-peak" /> {words.peak}
        </span>
      }
    >
      <dl class="run-memory-figures">
        <Big value={gib(measured)} name={words.measuredPeak} />
        <Big value={gib(memory?.total)} name={words.planned} faint />
        <Big value={gib(run.plan?.budget)} name={words.freeAtStart} faint />
      </dl>
      <table class="run-memory-table">
        <colgroup>
          <col class="run-memory-name" />
          <col />
          <col class="run-memory-number" />
          <col class="run-memory-number" />
        </colgroup>
        <thead class="for-readers">
          <tr>
            <th scope="col">{words.memory}</th>
            <th scope="col">{words.planBeside}</th>
            <th scope="col">{words.planned}</th>
            <th scope="col">{words.peak}</th>
          </tr>
        </thead>
        <tbody>
          {parts.map(([name, value]) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td class="run-memory-bar">
                <PairBar planned={value} measured={null} whole={whole} />
              </td>
              <td>{gib(value)}</td>
              <td />
            </tr>
          ))}
          <tr class="run-memory-total">
            <th scope="row">{words.total}</th>
            <td class="run-memory-bar">
              <PairBar planned={memory?.total ?? null} measured={measured} whole={whole} />
            </td>
            <td>{gib(memory?.total)}</td>
            <td>
              <b>{gib(measured)}</b>
            </td>
          </tr>
        </tbody>
      </table>
      {ratio !== null && (
        <p class="run-memory-note">
          {Math.abs(ratio) < 0.005
            ? words.asPlanned
            : ratio < 0
              ? words.underPlan(percent(-ratio))
              : words.overPlan(percent(ratio))}
        </p>
      )}
    </Panel>
  )
}

function Big({
  value,
  name,
  faint,
}: {
  readonly value: string
  readonly name: string
  readonly faint?: boolean
}) {
  return (
    <div class={faint ? 'run-memory-figure run-memory-faint' : 'run-memory-figure'}>
      <dd>{value}</dd>
      <dt>{name}</dt>
    </div>
  )
}
