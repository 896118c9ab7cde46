/** What a plugin is built and tested with, in the versions that ift itself uses; a test compares them. */
export const tools = {
  '@types/node': '^20.19.0',
  tsup: '8.5.1',
  typescript: '6.0.3',
  vitest: '4.1.12',
} as const
