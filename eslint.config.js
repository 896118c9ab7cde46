import tseslint from 'typescript-eslint'

export default tseslint.config(
  {
    ignores: [
      '**/dist/**',
      'packages/web/ui/**',
      '**/generated/**',
      '**/node_modules/**',
      'target/**',
      '**/npm/**',
      '**/fixtures/**',
    ],
  },
  ...tseslint.configs.strictTypeChecked,
  {
    // One program over all sources: packages are linted against each other's sources, not what was built last.
    languageOptions: {
      parserOptions: {
        project: ['./tsconfig.json', './packages/web/tsconfig.json'],
        tsconfigRootDir: import.meta.dirname,
      },
    },
    rules: {
      // Numbers in messages are what a reader of an error wants to see.
      '@typescript-eslint/restrict-template-expressions': [
        'error',
        { allowNumber: true, allowBoolean: true },
      ],
      // Index access is already `T | undefined`; `!` states an invariant of the loop around it.
      '@typescript-eslint/no-non-null-assertion': 'off',
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true }],
      '@typescript-eslint/unified-signatures': 'off',
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_' }],
    },
  },
  {
    files: ['packages/{core,tensor}/src/**/*.ts'],
    ignores: ['**/*.test.ts', 'packages/core/src/config/**'],
    rules: {
      'no-console': 'error',
      'no-restricted-properties': [
        'error',
        {
          object: 'process',
          property: 'exit',
          message: 'Throw an IftError; the host decides about the process.',
        },
        { object: 'process', property: 'env', message: 'Only core/config reads the environment.' },
      ],
    },
  },
  { files: ['**/*.js', '**/*.mjs'], ...tseslint.configs.disableTypeChecked },
)
