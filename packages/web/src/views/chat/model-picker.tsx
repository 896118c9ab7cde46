import './model-picker.css'
import { useEffect, useRef, useState } from 'preact/hooks'
import type { ModelCard } from '../../api/completions.js'
import type { AdapterRow } from '../../api/types.js'
import { faultOf, type Fault } from '../../app/faults.js'
import { machine } from '../../app/connection.js'
import { isPhone } from '../../app/width.js'
import { Icon } from '../../components/icon.js'
import { Picker } from '../../components/picker.js'
import { Notice } from '../../components/notice.js'
import { Popover } from '../../components/popover.js'
import { loss, whole } from '../../format/numbers.js'
import { base, checkpoints, load, models, readCheckpoints, seriesOf } from './models.js'
import { text } from './text.js'

export interface ModelPickerProps {
  readonly value: ModelCard | null
  readonly onChange: (id: string) => void
  /** One name alone, without the base in front. */
  readonly plain?: boolean
}

/** The model that answers: base, or base and adapter. */
export function ModelPicker({ value, onChange, plain }: ModelPickerProps) {
  const button = useRef<HTMLButtonElement>(null)
  const [open, setOpen] = useState(false)
  const [loading, setLoading] = useState<string | null>(null)
  const [fault, setFault] = useState<Fault | null>(null)
  useEffect(() => {
    setFault(null)
    if (open) void readCheckpoints()
  }, [open])
  const adapters = models.value.length - 1
  const parent = value?.parent
  const dot = (id: string) => {
    const series = seriesOf(id)
    return series === null ? null : (
      <span class="model-square" style={{ background: `var(--series-${series})` }} aria-hidden="true" />
    )
  }
  const toLoad = (checkpoints.value?.adapters ?? []).filter(({ model }) => model === null)
  const pick = (id: string) => {
    setOpen(false)
    onChange(id)
    button.current?.focus()
  }
  const choose = (key: string) => {
    const row = toLoad.find((one) => keyOf(one) === key)
    if (row === undefined) pick(key)
    if (row === undefined || loading !== null) return
    setLoading(key)
    load(row)
      .then(pick, (error: unknown) => setFault(faultOf(error)))
      .finally(() => setLoading(null))
  }
  return (
    <>
      <button
        ref={button}
        type="button"
        class={`model-picker${plain ? ' model-picker-plain' : ''}`}
        aria-haspopup="dialog"
        aria-expanded={open}
        onClick={() => setOpen(!open)}
      >
        <span class="for-readers">{text().model}: </span>
        {isPhone.value && !plain ? (
          <span class="model-lines">
            <span class="model-name">{value?.id ?? '—'}</span>
            <span class="model-note">{parent === undefined ? text().base : text().on(parent)}</span>
          </span>
        ) : plain || parent === undefined ? (
          <>
            <span class="model-name">{value?.id ?? '—'}</span>
            <span class="model-note">{value && (parent === undefined ? text().base : text().adapter)}</span>
          </>
        ) : (
          <>
            <span class="model-name">{parent}</span>
            <span class="model-note">+</span>
            {dot(value!.id)}
            <span class="model-name">{value!.id}</span>
          </>
        )}
        <Icon name="chevron-down" />
      </button>
      {open && (
        <Popover anchor={button.current!} label={text().model} fit onClose={() => setOpen(false)}>
          <div class="model-list">
            <Picker
              label={text().model}
              placeholder={text().counts(adapters)}
              search={models.value.length + toLoad.length > 4}
              current={value?.id ?? null}
              items={[
                ...models.value.map((model) => ({
                  key: model.id,
                  text: model.id,
                  note: noteOf(model),
                  indent: model.id !== base.value?.id,
                  before: dot(model.id),
                })),
                ...toLoad.map((row) => ({
                  key: keyOf(row),
                  text: row.name,
                  note: keyOf(row) === loading ? text().loading : `${text().load} · ${factsOf(row)}`,
                  indent: true,
                })),
              ]}
              onPick={choose}
            />
            {fault !== null && <Notice title={text().notLoaded} fault={fault} />}
          </div>
        </Popover>
      )}
    </>
  )
}

/** A checkpoint among models, whose ids are names. */
const keyOf = ({ run, step }: AdapterRow) => `/${run}/${step}`

/** Step and loss of a checkpoint. */
const factsOf = ({ step, loss: own, best }: AdapterRow): string =>
  [text().step(whole(step)), own !== null && text().lossOf(loss(own)), best && text().best]
    .filter(Boolean)
    .join(' · ')

function noteOf(model: ModelCard): string {
  if (model.parent !== undefined) {
    const row = checkpoints.value?.adapters.find((one) => one.model === model.id)
    return [text().adapter, row && factsOf(row)].filter(Boolean).join(' · ')
  }
  const { family, dtype, quantize } = machine.value?.model ?? {}
  return [text().base, family, quantize === 'none' ? null : quantize, dtype].filter(Boolean).join(' · ')
}
