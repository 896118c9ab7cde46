import { defineExport, writeFileAtomic, type ExportDefinition, type ExportedModel } from '@ift/core'

/** Names, shapes and types of the parameters of a model. */
export const describeModel = ({ model, names }: Pick<ExportedModel, 'model' | 'names'>) =>
  [...model.namedParameters()].map(([path, { shape, value }]) => ({
    name: names.get(path) ?? path,
    shape,
    dtype: value.dtype,
  }))

export const format: ExportDefinition = {
  name: '__name__',
  description: 'Names, shapes and types of all parameters, as JSON.',
  async run(context) {
    const { out } = context
    const exported = await context.merged()
    // Refuses a path that is read.
    await context.claim(out)
    await writeFileAtomic(out, `${JSON.stringify(describeModel(exported), null, 2)}\n`)
    return { written: [out] }
  },
}

export const plugin = defineExport(format)
