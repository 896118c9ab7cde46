import { useState } from 'preact/hooks'
import { ApiError, postJson } from '../../api/client.js'
import type { ColumnsRequest, DataMapping } from '../../api/types.js'
import { Button } from '../../components/button.js'
import { Command } from '../../components/copy.js'
import { Notice } from '../../components/notice.js'
import { Select } from '../../components/select.js'
import { Segmented } from '../../components/segmented.js'
import { text } from './text.js'

/**
 * What the columns of a file are: a form, a column for each of its fields, and three records as proof. A mapping that is in use has its entry
 * of `data`, for the config.
 */
export function MappingStrip({
  name,
  mapping,
  entry,
  onDone,
}: {
  readonly name: string
  readonly mapping: DataMapping
  readonly entry?: unknown
  readonly onDone: () => void
}) {
  const words = text()
  const [format, setFormat] = useState(mapping.format)
  const [columns, setColumns] = useState(mapping.columns)
  const [problem, setProblem] = useState<ApiError | null>(null)
  const { forms, found, records } = mapping
  const form = forms.find((one) => one.format === format)!
  const chosen = Object.fromEntries(
    form.fields.flatMap((field) => (columns[field] === undefined ? [] : [[field, columns[field]]])),
  )
  const lacks = form.needed.filter((field) => chosen[field] === undefined)
  const isInUse =
    entry !== undefined &&
    format === mapping.format &&
    JSON.stringify(chosen) === JSON.stringify(mapping.columns)
  const use = async () => {
    const asked: ColumnsRequest = { entry: mapping.entry, format, columns: chosen }
    try {
      await postJson(`/api/data/${encodeURIComponent(name)}/columns`, asked)
      onDone()
    } catch (error) {
      if (!(error instanceof ApiError)) throw error
      setProblem(error)
    }
  }
  return (
    <section class="data-mapping" aria-label={words.columnsOf(mapping.path)}>
      <header>
        <h2>{words.columnsOf(mapping.path)}</h2>
        <Segmented
          small
          label={words.form}
          options={forms.map((one) => ({ value: one.format, text: one.format }))}
          value={format}
          onChange={setFormat}
        />
        {entry !== undefined && isInUse ? (
          <Command text={JSON.stringify(entry)} />
        ) : (
          <Button
            kind="primary"
            small
            off={lacks.length > 0 && words.lacks(lacks.join(', '))}
            onClick={() => void use()}
          >
            {words.useColumns}
          </Button>
        )}
      </header>
      {(problem ?? mapping.problem) !== null && (
        <Notice title={words.notReadable} fault={problem ?? { code: 'data', message: mapping.problem! }} />
      )}
      <details open={entry === undefined}>
        <summary>{words.firstRecords}</summary>
        <div class="data-mapping-table" tabIndex={0} role="region" aria-label={words.firstRecords}>
          <table>
            <thead>
              <tr>
                {form.fields.map((field) => (
                  <th key={field} scope="col">
                    <code>{field}</code>
                    <Select
                      label={words.columnFor(field)}
                      options={[
                        ...(form.needed.includes(field) ? [] : [{ value: '', text: words.noColumn }]),
                        ...found.map((column) => ({ value: column, text: column })),
                      ]}
                      placeholder={words.chooseColumn}
                      value={columns[field] ?? (form.needed.includes(field) ? null : '')}
                      onChange={(column) => {
                        const { [field]: _, ...rest } = columns
                        setColumns(column === '' ? rest : { ...rest, [field]: column })
                      }}
                    />
                  </th>
                ))}
              </tr>
            </thead>
            <tbody>
              {records.map((record, i) => (
                <tr key={i}>
                  {form.fields.map((field) => (
                    <td key={field} lang="">
                      {record[columns[field] ?? ''] ?? '—'}
                    </td>
                  ))}
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      </details>
    </section>
  )
}
