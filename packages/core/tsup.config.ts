import { packageBuild } from '../../tsup.base.js'

export default packageBuild({
  entry: {
    collection: 'src/collection.ts',
    index: 'src/index.ts',
    model: 'src/model/index.ts',
    options: 'src/config/options.ts',
    peft: 'src/peft/index.ts',
    testing: 'src/testing/index.ts',
  },
  // What is used of them, which loads in half the time; the declarations name the packages.
  noExternal: ['zod', 'lossless-json', '@huggingface/jinja'],
})
