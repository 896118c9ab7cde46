import './parameter-drawer.css'
import { useState } from 'preact/hooks'
import { textOfTokens } from '../../api/completions.js'
import { faultLine, faultOf } from '../../app/faults.js'
import { Button } from '../../components/button.js'
import { Dialog } from '../../components/dialog.js'
import { Field, NumberInput, Slider, TextInput } from '../../components/field.js'
import { Icon } from '../../components/icon.js'
import { Switch } from '../../components/switch.js'
import { TintLegend } from '../../components/token-chip.js'
import { defaults, readStop, readTools, writeStop, type Parameters } from './parameters.js'
import type { ChatSession } from './session.js'
import { text } from './text.js'

const sliders = [
  { key: 'temperature', max: 2, step: 0.05, digits: 2 },
  { key: 'topP', max: 1, step: 0.01, digits: 2 },
  { key: 'topK', max: 200, step: 1, digits: 0 },
  { key: 'minP', max: 1, step: 0.01, digits: 2 },
  { key: 'repetitionPenalty', min: 1, max: 2, step: 0.01, digits: 2 },
] as const

const furtherSliders = [
  { key: 'presencePenalty', min: -2, max: 2, step: 0.05, digits: 2 },
  { key: 'frequencyPenalty', min: -2, max: 2, step: 0.05, digits: 2 },
] as const

/** A setting of sampling: slider and box are one control. */
function Setting({
  setting: { key, max, step, digits, ...rest },
  parameters,
  onChange,
}: {
  readonly setting: (typeof sliders)[number] | (typeof furtherSliders)[number]
  readonly parameters: Parameters
  readonly onChange: (change: Partial<Parameters>) => void
}) {
  const min = 'min' in rest ? rest.min : 0
  const value = parameters[key]
  const least = key === 'repetitionPenalty' ? 0.01 : min
  const set = (next: number) => onChange({ [key]: Math.max(least, next) })
  return (
    <div class="setting">
      <span class="setting-name">{text()[key]}</span>
      <NumberInput
        small
        label={text()[key]}
        value={value}
        min={least}
        max={key === 'topK' ? 1e6 : key === 'repetitionPenalty' || key === 'temperature' ? 100 : max}
        whole={key === 'topK'}
        write={(one) => (key === 'topK' && one === 0 ? text().off : one.toFixed(digits))}
        onChange={(next) => set(next ?? defaults[key])}
      />
      <Slider label={text()[key]} {...{ value, min, max, step }} onInput={set} />
    </div>
  )
}

export interface SamplingFieldsProps {
  readonly parameters: Parameters
  readonly onChange: (change: Partial<Parameters>) => void
}

/** How answers are chosen: the fields that Chat and Compare share. */
export function SamplingFields({ parameters, onChange }: SamplingFieldsProps) {
  const [isMore, setMore] = useState(parameters.presencePenalty !== 0 || parameters.frequencyPenalty !== 0)
  return (
    <>
      {[...sliders, ...(isMore ? furtherSliders : [])].map((setting) => (
        <Setting key={setting.key} {...{ setting, parameters, onChange }} />
      ))}
      {!isMore && (
        <button type="button" class="setting-more" onClick={() => setMore(true)}>
          {text().moreParameters}
          <Icon name="chevron-down" size={12} />
        </button>
      )}
      <div class="setting-pair">
        <Field label={text().mostTokens}>
          {({ id }) => (
            <NumberInput
              id={id}
              whole
              min={1}
              value={parameters.maxTokens}
              onChange={(next) =>
                onChange({ maxTokens: Math.max(1, Math.round(next ?? defaults.maxTokens)) })
              }
            />
          )}
        </Field>
        <Field label={text().seed}>
          {({ id }) => (
            <NumberInput
              id={id}
              whole
              value={parameters.seed}
              placeholder={text().random}
              onChange={(next) => onChange({ seed: next === null ? null : Math.round(next) })}
            />
          )}
        </Field>
      </div>
      <Stops stops={parameters.stops} onChange={(stops) => onChange({ stops })} />
    </>
  )
}

/** What stands before every conversation: in Chat and Compare. */
export function SystemField({
  value,
  onInput,
}: {
  readonly value: string
  readonly onInput: (value: string) => void
}) {
  return (
    <Field label={text().system}>{({ id }) => <TextInput area rows={3} {...{ id, value, onInput }} />}</Field>
  )
}

function Stops({
  stops,
  onChange,
}: {
  readonly stops: readonly string[]
  readonly onChange: (stops: readonly string[]) => void
}) {
  const [typed, setTyped] = useState('')
  const add = () => {
    const stop = readStop(typed)
    if (stop !== '' && !stops.includes(stop) && stops.length < 16) onChange([...stops, stop.slice(0, 256)])
    setTyped('')
  }
  return (
    <Field label={text().stopAt}>
      {({ id }) => (
        <span class="stops input">
          {stops.map((stop) => (
            <button
              key={stop}
              type="button"
              class="stops-one"
              aria-label={text().removeStop(writeStop(stop))}
              onClick={() => onChange(stops.filter((one) => one !== stop))}
            >
              {writeStop(stop)}
            </button>
          ))}
          <input
            id={id}
            class="stops-field"
            value={typed}
            placeholder={text().add}
            autocomplete="off"
            spellcheck={false}
            onInput={(event) => setTyped((event.target as HTMLInputElement).value)}
            onBlur={add}
            onKeyDown={(event) => {
              if (event.isComposing) return
              if (event.key === 'Enter') {
                event.preventDefault()
                add()
              } else if (event.key === 'Backspace' && typed === '') onChange(stops.slice(0, -1))
            }}
          />
        </span>
      )}
    </Field>
  )
}

/** Settings of a conversation. */
export function ParameterDrawer({ session }: { readonly session: ChatSession }) {
  const { parameters, system, tools, tint } = session.conversation.value
  const { value: tokens } = session.tokens
  const [seen, setSeen] = useState<string | null>(null)
  let wrong: string | null = null
  try {
    readTools(tools)
  } catch (error) {
    wrong = error instanceof Error ? error.message : String(error)
  }
  const look = () => {
    if (tokens && session.model)
      void textOfTokens(session.model.id, tokens).then(setSeen, (error: unknown) =>
        setSeen(faultLine(faultOf(error))),
      )
  }
  return (
    <div class="parameters">
      <header class="parameters-head">
        <h2 class="parameters-title">{text().parameters}</h2>
        <Button
          kind="quiet"
          small
          onClick={() => session.set({ parameters: defaults, system: '', tools: '' })}
        >
          {text().reset}
        </Button>
      </header>
      <SamplingFields parameters={parameters} onChange={(change) => session.set({ parameters: change })} />
      <SystemField value={system} onInput={(value) => session.set({ system: value })} />
      <details class="parameters-tools" open={tools !== ''}>
        <summary>{text().tools}</summary>
        <Field label={text().tools} help={text().toolsHelp} error={wrong}>
          {({ id, describedBy }) => (
            <TextInput
              {...{ area: true, mono: true, rows: 4, id, describedBy }}
              wrong={wrong !== null}
              value={tools}
              onInput={(value) => session.set({ tools: value })}
            />
          )}
        </Field>
      </details>
      <section class="parameters-part">
        <div class="parameters-line">
          <h2 class="parameters-title">{text().probability}</h2>
          <Switch
            bare
            label={text().probability}
            checked={tint}
            onChange={(value) => session.set({ tint: value })}
          />
        </div>
        <TintLegend />
        <p class="parameters-help">{text().probabilityHelp}</p>
      </section>
      <dl class="parameters-part parameters-facts">
        <div class="parameters-line">
          <dt>{text().template}</dt>
          <dd>{session.model?.template ?? '—'}</dd>
        </div>
        <div class="parameters-line">
          <dt>{text().sees}</dt>
          <dd>
            {tokens ? (
              <button type="button" class="link" onClick={look}>
                {text().tokens(tokens.length.toLocaleString('en'))}
              </button>
            ) : (
              text().seesNothing
            )}
          </dd>
        </div>
      </dl>
      {seen !== null && (
        <Dialog title={text().sees} wide closable onClose={() => setSeen(null)}>
          <pre class="parameters-seen" tabIndex={0}>
            {seen}
          </pre>
        </Dialog>
      )}
    </div>
  )
}
