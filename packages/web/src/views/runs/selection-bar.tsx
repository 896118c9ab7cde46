import type { RunRow } from '../../api/types.js'
import { pathOf } from '../../app/routes.js'
import { Button } from '../../components/button.js'
import { copyText } from '../../components/copy.js'
import { csv } from './csv.js'
import { selected } from './selection.js'
import { text } from './text.js'

/** What can be done with the selected runs. */
export function SelectionBar({
  chosen,
  served,
}: {
  readonly chosen: readonly RunRow[]
  /** Names by which the server answers with them. */
  readonly served: readonly (string | null)[]
}) {
  const words = text()
  const [first, second] = served.filter((name) => name !== null)
  const table = () =>
    csv(
      [
        ...[
          'name',
          'state',
          'base',
          'method',
          'rank',
          'data',
          'learning_rate',
          'quantize',
          'best_validation_loss',
        ],
        ...['best_step', 'steps', 'tokens_per_second', 'peak_memory_bytes', 'seconds', 'started'],
      ],
      chosen.map((run) => [
        ...[
          run.name,
          run.state,
          run.base,
          run.method,
          run.rank,
          run.data.join(' '),
          run.learningRate,
          run.quantize,
        ],
        ...[
          run.bestEval?.loss ?? null,
          run.bestEval?.step ?? null,
          run.step,
          run.tokensPerSecond,
          run.peakMemory,
        ],
        ...[run.seconds, run.started],
      ]),
    )
  return (
    <div class="runs-selection">
      <b>{words.selected(chosen.length)}</b>
      <span class="runs-faint">{words.atMost}</span>
      <span class="runs-space" />
      <Button
        kind="quiet"
        onClick={() => {
          selected.value = new Map()
        }}
      >
        {words.clear}
      </Button>
      <Button
        icon="compare"
        off={first === undefined && words.notServed}
        href={pathOf('compare', null, {
          ...(first !== undefined && { a: first }),
          ...(second !== undefined && { b: second }),
        })}
      >
        {words.compareInChat}
      </Button>
      <Button onClick={() => void copyText(table())}>{words.copyCsv}</Button>
    </div>
  )
}
