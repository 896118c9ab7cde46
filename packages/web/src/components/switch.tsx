import './switch.css'
import { Icon } from './icon.js'

export interface SwitchProps {
  readonly label: string
  readonly checked: boolean
  readonly onChange: (checked: boolean) => void
  /** The label is for readers of screens alone: what it switches stands beside it. */
  readonly bare?: boolean
  readonly off?: boolean
}

/** Takes effect at once. */
export function Switch({ label, checked, onChange, bare, off }: SwitchProps) {
  return (
    <button
      type="button"
      class="switch"
      role="switch"
      aria-checked={checked}
      aria-label={bare ? label : undefined}
      aria-disabled={off ? true : undefined}
      onClick={() => {
        if (!off) onChange(!checked)
      }}
    >
      <span class="switch-track" />
      {!bare && <span>{label}</span>}
    </button>
  )
}

export interface CheckboxProps {
  readonly label: string
  readonly checked: boolean
  readonly onChange: (checked: boolean) => void
  readonly bare?: boolean
  /** The colour of a series, by its place from 1. */
  readonly series?: number
  /** Why it cannot be selected. */
  readonly off?: string | false | undefined
}

/** Selects. */
export function Checkbox({ label, checked, onChange, bare, series, off }: CheckboxProps) {
  const isOff = off !== undefined && off !== false
  return (
    <label class="checkbox" title={isOff && off !== '' ? off : undefined}>
      <input
        type="checkbox"
        class="checkbox-input"
        checked={checked}
        disabled={isOff}
        aria-label={bare ? label : undefined}
        onChange={(event) => onChange((event.target as HTMLInputElement).checked)}
      />
      <span
        class="checkbox-box"
        style={checked && series !== undefined ? { '--box': `var(--series-${series})` } : undefined}
      >
        {checked && <Icon name="check" size={12} />}
      </span>
      {!bare && <span>{label}</span>}
    </label>
  )
}
