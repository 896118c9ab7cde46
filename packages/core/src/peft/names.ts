/** Prefix of the name of every tensor of a module in an adapter file of Hugging Face PEFT. */
export const modulePrefix = 'base_model.model.'

/** Prefix of a tensor that belongs to the whole adapter. */
export const sharedPrefix = 'base_model.'

/** Whether PEFT writes the frozen weights of the layer at a path into the adapter when it adapts the layer. */
export const isSavedWithBase = (path: string): boolean => /(?:^|\.)(?:embed_tokens|lm_head)$/.test(path)
