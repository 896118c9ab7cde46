import './model-picker.css'
import { useRef, useState } from 'preact/hooks'
import type { ModelCard } from '../../api/completions.js'
import { machine } from '../../app/connection.js'
import { isPhone } from '../../app/width.js'
import { Icon } from '../../components/icon.js'
import { Picker } from '../../components/picker.js'
import { Popover } from '../../components/popover.js'
import { base, models, seriesOf } from './models.js'
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
  const adapters = models.value.length - 1
  const parent = value?.parent
  const dot = (id: string) => {
    const series = seriesOf(id)
    return series === null ? null : (
      <span class="model-square" style={{ background: `var(--series-${series})` }} aria-hidden="true" />
    )
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
              search={models.value.length > 4}
              current={value?.id ?? null}
              items={models.value.map((model) => ({
                key: model.id,
                text: model.id,
                note: noteOf(model),
                indent: model.id !== base.value?.id,
                before: dot(model.id),
              }))}
              onPick={(id) => {
                setOpen(false)
                onChange(id)
                button.current?.focus()
              }}
            />
          </div>
        </Popover>
      )}
    </>
  )
}

function noteOf(model: ModelCard): string {
  if (model.parent !== undefined) return text().adapter
  const { family, dtype, quantize } = machine.value?.model ?? {}
  return [text().base, family, quantize === 'none' ? null : quantize, dtype].filter(Boolean).join(' · ')
}
