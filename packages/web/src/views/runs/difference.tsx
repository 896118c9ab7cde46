import { useEffect, useState } from 'preact/hooks'
import { getJson } from '../../api/client.js'
import type { DifferenceReply, RunRow } from '../../api/types.js'
import { Stroke } from '../../components/chart/chart.js'
import { Panel } from '../../components/panel.js'
import { Switch } from '../../components/switch.js'
import { bestOf } from '../../components/table-order.js'
import { gib, loss, middle, perplexity, whole } from '../../format/numbers.js'
import { duration } from '../../format/time.js'
import { marked, otherValidation, shortNames, valueText } from './compare.js'
import type { Curve } from './curves.js'
import { selected } from './selection.js'
import { text } from './text.js'

interface Result {
  readonly name: string
  readonly values: readonly (number | null)[]
  readonly write: (value: number | null) => string
  readonly better: 'low' | 'high' | null
}

/** Options, files and results of the selected runs beside each other; the first is the reference. */
export function Difference({
  chosen,
  curves,
}: {
  readonly chosen: readonly RunRow[]
  readonly curves: ReadonlyMap<string, Curve>
}) {
  const words = text()
  const [only, setOnly] = useState(true)
  const [reply, setReply] = useState<DifferenceReply | null>(null)
  const ids = chosen.map(({ id }) => id)
  useEffect(() => {
    const [first, ...others] = ids
    const stop = new AbortController()
    setReply(null)
    if (first !== undefined && others.length > 0)
      getJson<DifferenceReply>(
        `/api/runs/${encodeURIComponent(first)}/difference?${others.map((id) => `with=${encodeURIComponent(id)}`).join('&')}`,
        { signal: stop.signal },
      ).then(setReply, () => undefined)
    return () => {
      stop.abort()
    }
  }, [ids.join()])
  const short = shortNames(chosen.map(({ name }) => name))
  const differences = reply?.differences.map(({ path, values }) => marked(path, values)) ?? []
  const others = only
    ? []
    : (reply?.same.map(({ path, value }) =>
        marked(
          path,
          chosen.map(() => value),
        ),
      ) ?? [])
  const results = resultsOf(chosen, curves)
  return (
    <Panel
      flush
      class="runs-difference"
      title={words.whatDiffers}
      caption={reply === null ? undefined : words.ofOptions(differences.length, reply.options)}
      beside={<Switch label={words.onlyDifferences} checked={only} onChange={setOnly} />}
    >
      <div class="runs-difference-frame" tabIndex={0} role="group" aria-label={words.whatDiffers}>
        <table>
          <thead>
            <tr>
              <th scope="col">
                <span class="for-readers">{words.option}</span>
              </th>
              {chosen.map((run, i) => (
                <th scope="col" key={run.id} title={run.name}>
                  <Stroke series={selected.value.get(run.id) ?? 1} look="line" />
                  <span>{middle(short[i]!, 16)}</span>
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {[...differences, ...others].map(({ path, values, differs }) => (
              <tr key={path}>
                <th scope="row">
                  <code>{path}</code>
                </th>
                {values.map((value, i) => (
                  <td key={ids[i]} title={valueText(value, 400)}>
                    <span class={differs[i] ? 'runs-differs' : undefined}>{valueText(value)}</span>
                  </td>
                ))}
              </tr>
            ))}
            {reply !== null && differences.length === 0 && only && (
              <tr>
                <td colSpan={chosen.length + 1} class="runs-same">
                  {words.nothingDiffers}
                </td>
              </tr>
            )}
            {reply?.files.map((file) => (
              <tr key={`file ${file.what}`}>
                <th scope="row">
                  {file.what}
                  {file.sameName && <span class="runs-caution"> {words.sameName}</span>}
                </th>
                {file.hashes.map((hash, i) => (
                  <td key={ids[i]} title={hash ?? undefined}>
                    <span class={hash !== file.hashes[0] ? 'runs-differs' : undefined}>
                      {file.sameName ? (hash?.slice(0, 8) ?? '—') : middle(file.names[i] ?? '—', 18)}
                    </span>
                  </td>
                ))}
              </tr>
            ))}
            <tr class="runs-results">
              <th scope="rowgroup" colSpan={chosen.length + 1}>
                {words.results}
              </th>
            </tr>
            {results.map(({ name, values, write, better }) => {
              const best = better === null ? null : bestOf(values, (value) => value, better)
              return (
                <tr key={name}>
                  <th scope="row">{name}</th>
                  {values.map((value, i) => (
                    <td key={ids[i]} class={best !== null && value === best ? 'runs-best' : undefined}>
                      {write(value)}
                    </td>
                  ))}
                </tr>
              )
            })}
          </tbody>
        </table>
      </div>
    </Panel>
  )
}

function resultsOf(chosen: readonly RunRow[], curves: ReadonlyMap<string, Curve>): readonly Result[] {
  const words = text()
  const losses = chosen.map((run) => run.bestEval?.loss ?? null)
  const comparable = !otherValidation(chosen)
  return [
    { name: words.validationLoss, values: losses, write: loss, better: comparable ? 'low' : null },
    {
      name: words.perplexity,
      values: losses.map((value) => (value === null ? null : Math.exp(value))),
      write: perplexity,
      better: comparable ? 'low' : null,
    },
    {
      name: words.trained,
      values: chosen.map((run) => curves.get(run.id)?.detail.plan?.trainable ?? null),
      write: whole,
      better: null,
    },
    {
      name: words.tokensPerSecond,
      values: chosen.map((run) => run.tokensPerSecond),
      write: whole,
      better: 'high',
    },
    { name: words.peakMemory, values: chosen.map((run) => run.peakMemory), write: gib, better: 'low' },
    { name: words.time, values: chosen.map((run) => run.seconds), write: duration, better: 'low' },
  ]
}
