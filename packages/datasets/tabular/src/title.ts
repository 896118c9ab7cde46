import { isBlank, textOf, valueOf, type Field } from '@ift/core/collection'

/** Page and section of a table in Wikipedia. */
export const wikipediaTitle =
  (page: Field, section: Field): Field =>
  (record, context) =>
    [page, section]
      .map((field) => textOf(valueOf(field, record, context)) ?? '')
      .filter((text) => !isBlank(text))
      .join(' - ')
