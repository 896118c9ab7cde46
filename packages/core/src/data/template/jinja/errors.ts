/** An error of the template, with Python's words where Python has some. */
export class TemplateError extends Error {}
