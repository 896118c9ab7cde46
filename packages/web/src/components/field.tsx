import './field.css'
import type { ComponentChildren } from 'preact'
import { useId, useState } from 'preact/hooks'
import { words } from '../app/language.js'
import { Icon } from './icon.js'
import { readNumber, stepped, writeNumber } from './number-text.js'

const text = words({
  en: {
    byDefault: (value: string) => `default ${value}`,
    reset: 'reset',
    changed: 'differs from the default',
  },
  zh: { byDefault: (value: string) => `默认 ${value}`, reset: '还原', changed: '与默认值不同' },
})

export interface FieldProps {
  readonly label: string
  /** The key of the config, under the label. */
  readonly configKey?: string
  readonly help?: string
  /** `Found …, expected …`: shown beside the value, which stays. */
  readonly error?: ComponentChildren
  /** Set where the value differs from the default, which `reset` goes back to. */
  readonly changed?: { readonly default: string; readonly reset: () => void } | null | undefined
  /** The label stands left of the control. */
  readonly side?: boolean
  /** Takes the id of the control, and of what describes it. */
  readonly children: (ids: {
    readonly id: string
    readonly describedBy: string | undefined
  }) => ComponentChildren
}

/** A control with its label, key, help, default and error. */
export function Field({ label, configKey, help, error, changed, side, children }: FieldProps) {
  const id = useId()
  const described = [help && `${id}-help`, error && `${id}-error`].filter(Boolean).join(' ')
  return (
    <div class={`field${side ? ' field-side' : ''}${error ? ' field-wrong' : ''}`}>
      <div class="field-name">
        {changed && <span class="field-dot" title={text().changed} />}
        <label for={id}>{label}</label>
        {configKey && <code class="field-key">{configKey}</code>}
      </div>
      <div class="field-control">
        <div class="field-line">
          {children({ id, describedBy: described === '' ? undefined : described })}
          {changed && (
            <span class="field-default">
              {text().byDefault(changed.default)} ·{' '}
              <button type="button" class="field-reset" onClick={changed.reset}>
                {text().reset}
              </button>
            </span>
          )}
          {error && (
            <span class="field-error" id={`${id}-error`} role="status">
              <Icon name="warning" />
              {error}
            </span>
          )}
        </div>
        {help && (
          <p class="field-help" id={`${id}-help`}>
            {help}
          </p>
        )}
      </div>
    </div>
  )
}

export interface TextInputProps {
  readonly value: string
  readonly onInput: (value: string) => void
  /** Where no `Field` names it. */
  readonly label?: string
  readonly id?: string
  readonly describedBy?: string | undefined
  readonly placeholder?: string
  readonly wrong?: boolean
  readonly mono?: boolean
  /** Several lines. */
  readonly area?: boolean
  readonly rows?: number
  readonly search?: boolean
  readonly autoFocus?: boolean
  readonly onEnter?: () => void
  readonly onKeyDown?: (event: KeyboardEvent) => void
}

export function TextInput(props: TextInputProps) {
  const {
    value,
    onInput,
    label,
    id,
    describedBy,
    placeholder,
    wrong,
    mono,
    area,
    rows,
    search,
    autoFocus,
    onEnter,
  } = props
  const shared = {
    ...{ id, value, placeholder, rows, autoFocus },
    class: `input${mono ? ' input-mono' : ''}${area ? ' input-area' : ''}${search ? ' input-search' : ''}`,
    'aria-label': label,
    'aria-describedby': describedBy,
    'aria-invalid': wrong ? true : undefined,
    spellcheck: false,
    autocomplete: 'off',
    onInput: (event: Event) => onInput((event.target as HTMLInputElement).value),
    onKeyDown: (event: KeyboardEvent) => {
      props.onKeyDown?.(event)
      if (event.key === 'Enter' && !event.isComposing && !area && onEnter) {
        event.preventDefault()
        onEnter()
      }
    },
  }
  if (area) return <textarea {...shared} />
  if (!search) return <input type="text" {...shared} />
  return (
    <span class="input-with-icon">
      <input type="search" {...shared} />
      <Icon name="search" />
    </span>
  )
}

export interface NumberInputProps {
  /** Null: empty, which stands for what `placeholder` says. */
  readonly value: number | null
  /** Called with each number that can be read, and null for an empty field. */
  readonly onChange: (value: number | null) => void
  readonly label?: string
  readonly id?: string
  readonly describedBy?: string | undefined
  readonly placeholder?: string
  readonly wrong?: boolean
  readonly whole?: boolean
  readonly min?: number
  readonly max?: number
  /** How a value is shown; as short as it can be read back when absent. */
  readonly write?: (value: number) => string
  readonly small?: boolean
}

/** Takes `3e-4`, `1k`, `50 %`; arrows step by a tenth of the leading digit. Text that is no number stays, and is marked as wrong. */
export function NumberInput(props: NumberInputProps) {
  const {
    value,
    onChange,
    label,
    id,
    describedBy,
    placeholder,
    wrong,
    whole = false,
    min,
    max,
    small,
  } = props
  const [typed, setTyped] = useState<string | null>(null)
  const write = props.write ?? writeNumber
  const isUnread = typed !== null && typed.trim() !== '' && readNumber(typed) === null
  const clamped = (next: number) => Math.min(max ?? Infinity, Math.max(min ?? -Infinity, next))
  return (
    <input
      type="text"
      inputMode="decimal"
      class={`input input-number${small ? ' input-small' : ''}`}
      id={id}
      value={typed ?? (value === null ? '' : write(value))}
      placeholder={placeholder}
      aria-label={label}
      aria-describedby={describedBy}
      aria-invalid={wrong || isUnread ? true : undefined}
      autocomplete="off"
      onInput={(event) => {
        const next = (event.target as HTMLInputElement).value
        setTyped(next)
        const read = readNumber(next)
        if (read !== null) onChange(read)
        else if (next.trim() === '') onChange(null)
      }}
      onBlur={() => {
        if (!isUnread) setTyped(null)
      }}
      onKeyDown={(event) => {
        if (event.key !== 'ArrowUp' && event.key !== 'ArrowDown') return
        event.preventDefault()
        setTyped(null)
        onChange(clamped(stepped(value ?? 0, event.key === 'ArrowUp' ? 1 : -1, whole)))
      }}
    />
  )
}

export interface SliderProps {
  readonly label: string
  readonly value: number
  readonly min: number
  readonly max: number
  readonly step: number
  readonly onInput: (value: number) => void
}

export function Slider({ label, value, min, max, step, onInput }: SliderProps) {
  const share = Math.min(1, Math.max(0, (value - min) / (max - min)))
  return (
    <input
      type="range"
      class="slider"
      aria-label={label}
      {...{ min, max, step }}
      value={value}
      style={{ '--share': `${share * 100}%` }}
      onInput={(event) => onInput(Number((event.target as HTMLInputElement).value))}
    />
  )
}
