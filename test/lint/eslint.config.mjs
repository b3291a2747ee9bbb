/** The rule that we recommend to users: a condition that can only be true is a mistake, and a tensor always is. */

import tseslint from 'typescript-eslint';

export default tseslint.config({
  files: ['**/*.ts'],
  languageOptions: { parser: tseslint.parser, parserOptions: { projectService: true } },
  plugins: { '@typescript-eslint': tseslint.plugin },
  rules: { '@typescript-eslint/no-unnecessary-condition': 'error' },
});
