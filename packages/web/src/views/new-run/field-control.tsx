import { useState } from 'preact/hooks'
import type { SchemaField, SchemaReply } from '../../api/types.js'
import { language } from '../../app/language.js'
import { Icon } from '../../components/icon.js'
import { TextInput } from '../../components/field.js'
import { Segmented } from '../../components/segmented.js'
import { Select } from '../../components/select.js'
import { Switch } from '../../components/switch.js'
import { whole } from '../../format/numbers.js'
import { stepped } from '../../components/number-text.js'
import { methodName } from '../runs/method.js'
import { valueAt, withMethod } from './draft.js'
import { fieldFault } from './fault.js'
import { labelOf } from './label.js'
import { fieldText, readField } from './read-field.js'
import { draft, methodOf, set, type } from './state.js'
import { text } from './text.js'

interface ControlProps {
  readonly field: SchemaField
  readonly all: SchemaReply
  readonly id: string
  readonly describedBy: string | undefined
}

/** The control of an option, by its kind; model, method and data have their own. */
export function FieldControl(props: ControlProps) {
  const { field, all, id, describedBy } = props
  const words = text()
  const { config, typed } = draft.value
  const label = labelOf(field, language.value)
  const value = valueAt(config, field.path)
  if (field.path === 'peft.method') return <MethodControl {...props} />
  if (field.path === 'weights') return <WeightsControl {...props} />
  if (field.path === 'data') return <SourcesControl all={all} label={label} id={id} />
  if (field.kind === 'switch')
    return (
      <Switch
        bare
        label={label}
        checked={(value ?? field.default) === true}
        onChange={(next) => {
          set(field.path, next === field.default ? undefined : next)
        }}
      />
    )
  if (field.kind === 'choice') {
    const current = fieldText(field, value ?? field.default)
    /** The choice that an absent value is. */
    const whenAbsent = ['auto', 'none'].find((choice) => field.choices.includes(choice)) ?? ''
    const options = [
      ...(field.default === null && whenAbsent === '' ? [{ value: '', text: words.absent }] : []),
      ...field.choices.map((choice) => ({ value: choice, text: choice })),
    ]
    const chosen = current === '' ? whenAbsent : current
    const choose = (next: string) => {
      set(field.path, next === '' || next === field.default ? undefined : next)
    }
    return options.length <= 6 ? (
      <Segmented label={label} options={options} value={chosen} onChange={choose} />
    ) : (
      <Select
        label={label}
        id={id}
        describedBy={describedBy}
        options={options}
        value={chosen}
        onChange={choose}
      />
    )
  }
  const shown = typed[field.path] ?? fieldText(field, value ?? field.default)
  const isNumber = field.kind === 'number' || field.kind === 'integer'
  return (
    <span class={isNumber ? 'new-run-number' : 'new-run-text'}>
      <TextInput
        id={id}
        describedBy={describedBy}
        value={shown}
        wrong={fieldFault(field.path) !== null}
        mono={field.kind === 'json'}
        {...(field.default === null && isNumber && { placeholder: words.absent })}
        onInput={(next) => {
          type(field, next)
        }}
        onKeyDown={(event) => {
          const by = event.key === 'ArrowUp' ? 1 : event.key === 'ArrowDown' ? -1 : 0
          if (!isNumber || by === 0) return
          event.preventDefault()
          const read = readField(field, shown)
          const from = read.kind === 'value' && typeof read.value === 'number' ? read.value : 0
          type(field, fieldText(field, stepped(from, by, field.kind === 'integer')))
        }}
      />
    </span>
  )
}

function MethodControl({ field, all, id }: ControlProps) {
  const label = labelOf(field, language.value)
  const method = methodOf(draft.value.config)
  const options = all.methods.map(({ name, description }) => ({
    value: name,
    text: methodName(name),
    ...(description !== '' && { note: description }),
  }))
  const choose = (next: string) => {
    const known = all.methods.find(({ name }) => name === next)?.fields.map(({ path }) => path) ?? []
    draft.value = { ...draft.value, config: withMethod(draft.value.config, next, known) }
  }
  return options.length <= 6 ? (
    <Segmented label={label} options={options} value={method} onChange={choose} />
  ) : (
    <Select search label={label} id={id} options={options} value={method} onChange={choose} />
  )
}

/** A folder, file or hub id: typed, with those that are known below. */
function WeightsControl({ field, all, id, describedBy }: ControlProps) {
  const value = valueAt(draft.value.config, 'weights')
  const listId = `${id}-list`
  return (
    <span class="new-run-text">
      <input
        class="input"
        id={id}
        list={listId}
        aria-describedby={describedBy}
        aria-invalid={fieldFault('weights') !== null ? true : undefined}
        autocomplete="off"
        spellcheck={false}
        placeholder="org/name"
        value={typeof value === 'string' ? value : ''}
        onInput={(event) => {
          type(field, event.currentTarget.value)
        }}
      />
      <datalist id={listId}>
        {all.weights.map((each) => (
          <option key={each.value} value={each.value}>
            {[each.title, each.detail].filter(Boolean).join(' · ')}
          </option>
        ))}
      </datalist>
    </span>
  )
}

/** A name of an entry of `data`. */
const entryName = (entry: unknown): string => {
  if (typeof entry === 'string') return entry
  const { name, path, select } = Object(entry) as { name?: unknown; path?: unknown; select?: unknown }
  const named = [name, path, select].find((each) => typeof each === 'string')
  return typeof named === 'string' ? named : JSON.stringify(entry)
}

/** Sets and files that are mixed. */
function SourcesControl({
  all,
  label,
  id,
}: {
  readonly all: SchemaReply
  readonly label: string
  readonly id: string
}) {
  const words = text()
  const [typed, setTyped] = useState('')
  const value = valueAt(draft.value.config, 'data')
  const entries: readonly unknown[] = value === undefined ? [] : Array.isArray(value) ? value : [value]
  const change = (next: readonly unknown[]) => {
    set(
      'data',
      next.length === 0 ? undefined : next.length === 1 && typeof next[0] === 'string' ? next[0] : next,
    )
  }
  const add = (name: string) => {
    const entry = name.trim()
    if (entry === '') return
    setTyped('')
    if (!entries.includes(entry)) change([...entries, entry])
  }
  const listId = `${id}-list`
  return (
    <span class="new-run-sources">
      {entries.map((entry, i) => (
        <span
          key={i}
          class="new-run-source"
          title={typeof entry === 'string' ? undefined : JSON.stringify(entry)}
        >
          {entryName(entry)}
          <button
            type="button"
            aria-label={words.removeSource(entryName(entry))}
            onClick={() => {
              change(entries.filter((_, place) => place !== i))
            }}
          >
            <Icon name="close" size={10} />
          </button>
        </span>
      ))}
      <input
        id={id}
        list={listId}
        aria-label={`${label}: ${words.add}`}
        placeholder={words.add}
        autocomplete="off"
        spellcheck={false}
        value={typed}
        onInput={(event) => {
          const next = event.currentTarget.value
          // A choice from the list is taken at once.
          if (
            all.data.some(({ name }) => name === next) &&
            !(event instanceof InputEvent && event.inputType === 'insertText')
          )
            add(next)
          else setTyped(next)
        }}
        onKeyDown={(event) => {
          if (event.isComposing) return
          if (event.key === 'Enter' || event.key === ',') {
            event.preventDefault()
            add(typed)
          } else if (event.key === 'Backspace' && typed === '' && entries.length > 0)
            change(entries.slice(0, -1))
        }}
        onBlur={() => {
          add(typed)
        }}
      />
      <datalist id={listId}>
        {all.data.map(({ name, title, rows, package: missing }) => (
          <option key={name} value={name}>
            {[
              title === name ? null : title,
              rows === null ? null : words.rowsNote(whole(rows)),
              missing === null ? null : words.notInstalled(missing),
            ]
              .filter((part) => part !== null)
              .join(' · ')}
          </option>
        ))}
      </datalist>
    </span>
  )
}
