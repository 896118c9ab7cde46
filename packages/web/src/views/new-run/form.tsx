import type { SchemaField, SchemaReply, SchemaSection } from '../../api/types.js'
import { language } from '../../app/language.js'
import { Field, TextInput } from '../../components/field.js'
import { Notice } from '../../components/notice.js'
import { percent, whole } from '../../format/numbers.js'
import { equal, valueAt } from './draft.js'
import { FaultText } from '../../components/notice.js'
import { fieldFault } from './fault.js'
import { labelOf } from './label.js'
import { FieldControl } from './field-control.js'
import { draft, methodOf, plan, set } from './state.js'
import { fieldText } from './read-field.js'
import { text } from './text.js'

/** The config in its sections. */
export function Form({ all, showsAll }: { readonly all: SchemaReply; readonly showsAll: boolean }) {
  return (
    <>
      {all.sections.map((section) => (
        <Section key={section.key} section={section} all={all} showsAll={showsAll} />
      ))}
    </>
  )
}

function Section({
  section,
  all,
  showsAll,
}: {
  readonly section: SchemaSection
  readonly all: SchemaReply
  readonly showsAll: boolean
}) {
  const words = text()
  const { config, name } = draft.value
  const method = methodOf(config)
  const own = section.key === 'method' ? (all.methods.find((each) => each.name === method)?.fields ?? []) : []
  const shown = [...section.fields, ...own].filter(
    (field) =>
      showsAll ||
      field.common ||
      valueAt(config, field.path) !== undefined ||
      fieldFault(field.path) !== null,
  )
  return (
    <section class="new-run-section" data-section={section.key}>
      <h2>
        {section.title[language.value]} <span>{captionOf(section.key)}</span>
      </h2>
      {shown.map((field) => (
        <FormField key={field.path} field={field} all={all} />
      ))}
      {section.key === 'output' && (
        <Field side label={words.name} help={words.nameHelp}>
          {({ id, describedBy }) => (
            <TextInput
              id={id}
              describedBy={describedBy}
              value={name}
              wrong={name !== '' && !/^[\w.-]{1,100}$/.test(name)}
              onInput={(value) => {
                draft.value = { ...draft.value, name: value }
              }}
            />
          )}
        </Field>
      )}
    </section>
  )
}

/** What the plan says of a section. */
function captionOf(key: SchemaSection['key']): string | null {
  const words = text()
  const made = plan.value?.reply.plan
  if (!made) return null
  if (key === 'method')
    return words.trainedOf(
      whole(made.trainable),
      whole(made.parameters),
      percent(made.trainable / made.parameters, 2),
    )
  if (key === 'data')
    return words.sources(made.mixture.length, whole(made.mixture.reduce((sum, { rows }) => sum + rows, 0)))
  return key === 'training' ? words.stepsOf(whole(made.steps)) : null
}

function FormField({ field, all }: { readonly field: SchemaField; readonly all: SchemaReply }) {
  const words = text()
  const { config, typed } = draft.value
  const value = valueAt(config, field.path)
  const differs = typed[field.path] !== undefined || (value !== undefined && !equal(value, field.default))
  const byDefault = field.default === null ? words.absent : fieldText(field, field.default)
  const made = plan.value?.reply.plan ?? null
  const fault = fieldFault(field.path)
  return (
    <div data-field={field.path} class={field.default === null ? 'new-run-no-default' : undefined}>
      <Field
        side
        label={labelOf(field, language.value)}
        configKey={field.path}
        help={field.help[language.value]}
        error={fault !== null && typeof fault === 'object' ? <FaultText fault={fault} /> : fault}
        changed={
          differs
            ? {
                default: byDefault,
                reset: () => {
                  set(field.path, undefined)
                },
              }
            : null
        }
      >
        {(ids) => <FieldControl {...ids} field={field} all={all} />}
      </Field>
      {field.path === 'maxLength' && made !== null && (made.cut ?? 0) > 0 && (
        <div class="new-run-cut">
          <Notice
            kind="caution"
            actions={
              made.longest !== null && (
                <button
                  type="button"
                  class="new-run-link"
                  onClick={() => {
                    set('maxLength', made.longest)
                  }}
                >
                  {words.use(whole(made.longest))}
                </button>
              )
            }
          >
            {words.cutTitle(whole(made.cut))} {made.longest !== null && words.cutText(whole(made.longest))}
          </Notice>
        </div>
      )}
    </div>
  )
}
