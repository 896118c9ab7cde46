import './segmented.css'
import { useRef } from 'preact/hooks'

export interface Option<T extends string> {
  readonly value: T
  readonly text: string
  /** Shown behind the text, fainter. */
  readonly note?: string
  readonly off?: boolean
}

export interface SegmentedProps<T extends string> {
  readonly label: string
  readonly options: readonly Option<T>[]
  readonly value: T
  readonly onChange: (value: T) => void
  readonly small?: boolean
}

/** A choice of up to six. Arrows move it, as in a group of radio buttons. */
export function Segmented<T extends string>({ label, options, value, onChange, small }: SegmentedProps<T>) {
  const group = useRef<HTMLDivElement>(null)
  const move = (by: number) => {
    const open = options.filter(({ off }) => off !== true)
    const at = open.findIndex((one) => one.value === value)
    const next = open[(at + by + open.length) % open.length]
    if (!next) return
    onChange(next.value)
    group.current?.querySelectorAll('button')[options.indexOf(next)]?.focus()
  }
  return (
    <div
      ref={group}
      class={`segmented${small ? ' segmented-small' : ''}`}
      role="radiogroup"
      aria-label={label}
      onKeyDown={({ key }) => {
        if (key === 'ArrowRight' || key === 'ArrowDown') move(1)
        if (key === 'ArrowLeft' || key === 'ArrowUp') move(-1)
      }}
    >
      {options.map((option) => (
        <button
          key={option.value}
          type="button"
          role="radio"
          class="segmented-option"
          aria-checked={option.value === value}
          aria-disabled={option.off ? true : undefined}
          tabIndex={option.value === value ? 0 : -1}
          onClick={() => {
            if (!option.off) onChange(option.value)
          }}
        >
          {option.text}
        </button>
      ))}
    </div>
  )
}
