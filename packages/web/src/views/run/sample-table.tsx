import { useMemo, useState } from 'preact/hooks'
import type { SampleRow } from '../../api/types.js'
import { languageOf } from '../../app/language.js'
import { isPhone } from '../../app/width.js'
import { Panel } from '../../components/panel.js'
import { Segmented } from '../../components/segmented.js'
import { whole } from '../../format/numbers.js'
import { differing } from './differing.js'
import { asBefore, sampleTable, shownColumns } from './samples.js'
import { text } from './text.js'

/** Characters of an answer before it is folded, about four lines. */
const folded = 220

/** Answers to the fixed prompts over the steps. */
export function SampleTable({
  samples,
  every,
}: {
  readonly samples: readonly SampleRow[]
  readonly every: number | null
}) {
  const words = text()
  const [all, setAll] = useState(false)
  const table = useMemo(() => sampleTable(samples), [samples])
  const { steps, rows } = table
  const phone = isPhone.value
  const shown = phone && steps.length > 0 ? [steps.length - 1] : shownColumns(steps.length, all)
  if (steps.length === 0)
    return every === null ? null : (
      <Panel title={words.samples} caption={words.samplesCaption(every)}>
        <p class="run-samples-none">{words.noSamples}</p>
      </Panel>
    )
  if (phone)
    return (
      <Panel title={words.samples} caption={words.samplesNewest(steps.at(-1)!)}>
        {rows.map(({ index, prompt, answers }) => (
          <div key={index} class="run-sample">
            <p class="run-sample-prompt" lang={languageOf(prompt)}>
              {prompt}
            </p>
            <Answer now={answers[shown[0]!] ?? null} before={null} same={false} />
          </div>
        ))}
      </Panel>
    )
  return (
    <Panel
      flush
      title={words.samples}
      caption={every === null ? undefined : words.samplesCaption(every)}
      beside={
        steps.length > 3 && (
          <>
            <span class="panel-caption">{words.columns}</span>
            <Segmented
              small
              label={words.columns}
              options={[
                { value: 'all', text: words.all(steps.length) },
                { value: 'some', text: words.firstMiddleNewest },
              ]}
              value={all ? 'all' : 'some'}
              onChange={(value) => {
                setAll(value === 'all')
              }}
            />
          </>
        )
      }
    >
      <div class="run-samples" tabIndex={0} role="group" aria-label={words.samples}>
        <table>
          <thead>
            <tr>
              <th scope="col">{words.prompt}</th>
              {shown.map((column, place) => (
                <th scope="col" key={column}>
                  {words.step(whole(steps[column]))}
                  {steps[column] === 0 && ` · ${words.base}`}
                  {place === shown.length - 1 && steps.length > 1 && (
                    <>
                      {' · '}
                      <span class="run-samples-newest">{words.newest}</span>
                    </>
                  )}
                </th>
              ))}
            </tr>
          </thead>
          <tbody>
            {rows.map(({ index, prompt, answers }) => (
              <tr key={index}>
                <th scope="row" lang={languageOf(prompt)}>
                  <Folded text={prompt} />
                </th>
                {shown.map((column, place) => (
                  <td key={column}>
                    <Answer
                      now={answers[column] ?? null}
                      before={place === 0 ? null : (answers[shown[place - 1]!] ?? null)}
                      same={asBefore(answers, shown, place)}
                    />
                  </td>
                ))}
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </Panel>
  )
}

/** An answer; under the pointer, the words that the column before has not. */
function Answer({
  now,
  before,
  same,
}: {
  readonly now: SampleRow | null
  readonly before: SampleRow | null
  readonly same: boolean
}) {
  const words = text()
  const [compared, setCompared] = useState(false)
  if (now === null) return <span class="run-sample-missing">—</span>
  if (same) return <span class="run-sample-same">{words.asBefore}</span>
  return (
    <div
      class="run-sample-answer"
      lang={languageOf(now.answer)}
      onMouseEnter={() => {
        setCompared(true)
      }}
      onMouseLeave={() => {
        setCompared(false)
      }}
    >
      <Folded text={now.answer} before={compared ? (before?.answer ?? null) : null} />
      {now.ended === 'length' && <small>{words.cutOff}</small>}
      {now.ended === 'error' && <small class="run-sample-error">{words.refused}</small>}
    </div>
  )
}

function Folded({ text: value, before = null }: { readonly text: string; readonly before?: string | null }) {
  const words = text()
  const [open, setOpen] = useState(false)
  const isLong = value.length > folded || value.split('\n').length > 4
  const parts = useMemo(
    () => (before === null ? [{ text: value, isNew: false }] : differing(before, value)),
    [value, before],
  )
  return (
    <>
      <span class={isLong && !open ? 'run-folded' : 'run-unfolded'}>
        {parts.map((part, i) => (part.isNew ? <mark key={i}>{part.text}</mark> : part.text))}
      </span>
      {isLong && (
        <button
          type="button"
          class="run-more"
          aria-expanded={open}
          onClick={() => {
            setOpen(!open)
          }}
        >
          {open ? words.less : words.more}
        </button>
      )}
    </>
  )
}
