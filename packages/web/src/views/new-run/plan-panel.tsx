import { StackedBar, Swatch, type Part } from '../../components/bars/stacked.js'
import { Button } from '../../components/button.js'
import { Notice } from '../../components/notice.js'
import { FaultText } from '../../components/notice.js'
import { Panel } from '../../components/panel.js'
import type { NewRunPlan } from '../../api/types.js'
import { gib, missing, percent, whole } from '../../format/numbers.js'
import { duration } from '../../format/time.js'
import { laidOver } from './draft.js'
import { draft, plan } from './state.js'
import { text } from './text.js'

/** Memory, time and steps. */
export function PlanFigures({ pinned }: { readonly pinned?: boolean }) {
  const words = text()
  const made = plan.value?.reply.plan ?? null
  const isOld = plan.value?.isOld === true
  return (
    <dl class={`new-run-figures${pinned ? ' new-run-pinned' : ''}${isOld ? ' new-run-old' : ''}`}>
      <div>
        <dd>{made === null ? missing : `${gib(made.memory.total)} GiB`}</dd>
        <dt>{words.memory}</dt>
      </div>
      <div>
        <dd>{duration(made?.time?.seconds)}</dd>
        <dt>{timeNote(made)}</dt>
      </div>
      <div>
        <dd>{whole(made?.steps)}</dd>
        <dt>{words.steps}</dt>
      </div>
    </dl>
  )
}

/** The rate of the time, and where it is from. */
function timeNote(made: NewRunPlan | null): string {
  const words = text()
  if (made?.time == null) return words.unknownTime
  const { tokensPerSecond, from, run } = made.time
  return `${words.atRate(whole(tokensPerSecond))}, ${from === 'run' && run !== null ? words.fromRun(run) : words.measuredHere}`
}

/** What the run would be, from the sizes. */
export function PlanPanel() {
  const words = text()
  const now = plan.value
  const made = now?.reply.plan ?? null
  const problem = now?.reply.problem ?? null
  return (
    <Panel class="new-run-plan-panel" title={words.plan} caption={words.planCaption}>
      <PlanFigures />
      {made === null && (
        <div class="new-run-waits">{problem !== null ? <FaultText fault={problem} /> : words.planWaits}</div>
      )}
      {made !== null && <Made made={made} isOld={now?.isOld === true} />}
    </Panel>
  )
}

function Made({ made, isOld }: { readonly made: NewRunPlan; readonly isOld: boolean }) {
  const words = text()
  const { memory, free } = made
  const parts: readonly Part[] = [
    { name: words.weights, value: memory.weights, series: 1 },
    { name: words.trainedState, value: memory.training, series: 2 },
    { name: words.activations, value: memory.activations, series: 3 },
    { name: words.workspace, value: memory.workspace, series: 4 },
  ]
  const over = free !== null && memory.reserved > free ? memory.reserved - free : null
  const rows: readonly (readonly [string, string])[] = [
    [words.sequences, whole(made.sequences)],
    ...(made.heldOut > 0 ? [[words.heldOut, whole(made.heldOut)] as const] : []),
    [words.tokensPerEpoch, whole(made.tokensPerEpoch)],
    [
      words.trainedTokens,
      made.trainedTokens === null || made.tokensPerEpoch === null
        ? whole(made.trainedTokens)
        : `${whole(made.trainedTokens)} · ${percent(made.trainedTokens / made.tokensPerEpoch)}`,
    ],
    [
      words.recomputed,
      made.layers === null
        ? whole(memory.recomputeLayers)
        : words.ofLayers(memory.recomputeLayers, made.layers),
    ],
    [words.parameters, whole(made.trainable)],
  ]
  return (
    <div class={isOld ? 'new-run-old' : undefined}>
      <StackedBar
        label={`${words.memoryBar}: ${parts.map(({ name, value }) => `${name} ${gib(value)} GiB`).join(', ')}`}
        parts={parts}
        {...(free !== null && { whole: free })}
        state={over === null ? undefined : 'over'}
      />
      <div class="new-run-scale">
        <span>0</span>
        <span>{free === null ? `${gib(memory.total)} GiB` : words.freeNow(gib(free))}</span>
      </div>
      {over !== null && (
        <Notice title={words.over(gib(over))}>
          {made.remedies.length > 0 && (
            <>
              {words.wouldFit}
              <span class="new-run-remedies">
                {made.remedies.map(({ flag, changes, saves, fits }) => (
                  <Button
                    key={flag}
                    small
                    onClick={() => {
                      draft.value = { ...draft.value, config: laidOver(draft.value.config, changes) }
                    }}
                  >
                    {words.saves(flag, gib(saves))}
                    {fits && ` · ${words.fits}`}
                  </Button>
                ))}
              </span>
            </>
          )}
        </Notice>
      )}
      <table class="new-run-parts">
        <tbody>
          {parts.map(({ name, value, series }) => (
            <tr key={name}>
              <th scope="row">
                <Swatch series={series} /> {name}
              </th>
              <td>{gib(value)}</td>
            </tr>
          ))}
        </tbody>
        <tbody class="new-run-facts">
          {rows.map(([name, value]) => (
            <tr key={name}>
              <th scope="row">{name}</th>
              <td>{value}</td>
            </tr>
          ))}
        </tbody>
      </table>
      {made.notes.map((note) => (
        <p key={note} class="new-run-waits">
          {note}
        </p>
      ))}
    </div>
  )
}
