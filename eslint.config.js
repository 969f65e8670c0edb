/**
 * Lint rules: typescript-eslint's strict and stylistic sets with type information, Node's own rules, and
 * the house rule that time and chance are arguments (they are read in src/kernel/system.ts only).
 * Each rule that is turned off says why.
 */
import eslint from '@eslint/js'
import node from 'eslint-plugin-n'
import { defineConfig, globalIgnores } from 'eslint/config'
import tseslint from 'typescript-eslint'

const typescript = ['**/*.ts', '**/*.tsx']
/** Code that is run by people or by the test runner: it may read the clock, wait and exit. */
const driving = [
  '**/*.test.ts',
  'test/**',
  'dashboard/vite.config.ts',
  'bench/**',
  'scripts/**',
  'examples/**',
  '*.config.{js,ts}',
  '.dependency-cruiser.cjs',
]

const useClock = 'Take a Clock (src/kernel/time.ts): time is an argument, so that tests and simulations can own it.'
const useRandom = 'Take a Random (src/kernel/random.ts), or newId() from src/kernel/system.ts for ids: chance is an argument.'

const timeAndChance = {
  'no-restricted-globals': [
    'error',
    ...['setTimeout', 'setInterval', 'clearTimeout', 'clearInterval', 'performance'].map((name) => ({ name, message: useClock })),
  ],
  'no-restricted-properties': [
    'error',
    { object: 'Date', property: 'now', message: useClock },
    { object: 'performance', property: 'now', message: useClock },
    { object: 'globalThis', property: 'setTimeout', message: useClock },
    { object: 'globalThis', property: 'setInterval', message: useClock },
    { object: 'Math', property: 'random', message: useRandom },
    { object: 'crypto', property: 'randomUUID', message: useRandom },
    { object: 'process', property: 'hrtime', message: useClock },
  ],
  'no-restricted-syntax': [
    'error',
    { selector: 'NewExpression[callee.name="Date"][arguments.length=0]', message: useClock },
    { selector: 'CallExpression[callee.name="Date"]', message: useClock },
  ],
  'no-restricted-imports': [
    'error',
    {
      paths: [
        { name: 'node:timers', message: useClock },
        { name: 'node:timers/promises', message: useClock },
        { name: 'node:perf_hooks', importNames: ['performance'], message: useClock },
        { name: 'node:crypto', importNames: ['randomUUID'], message: useRandom },
      ],
    },
  ],
}

const allowTimeAndChance = Object.fromEntries(Object.keys(timeAndChance).map((rule) => [rule, 'off']))

export default defineConfig(
  globalIgnores(['dist/', 'coverage/', 'bench/results/', 'test/artifacts/', '.holdfast/']),
  eslint.configs.recommended,
  node.configs['flat/recommended-module'],
  {
    linterOptions: { reportUnusedDisableDirectives: 'error' },
    rules: {
      eqeqeq: 'error',
      'no-console': 'error',
      'object-shorthand': 'error',
      'prefer-template': 'error',
      // TypeScript resolves imports, knip finds the undeclared ones, and bin.ts checks the version of Node first.
      'n/no-missing-import': 'off',
      'n/no-unpublished-import': 'off',
      'n/no-extraneous-import': 'off',
      'n/prefer-node-protocol': 'error',
    },
  },
  {
    files: typescript,
    extends: [tseslint.configs.strictTypeChecked, tseslint.configs.stylisticTypeChecked],
    languageOptions: { parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname } },
    rules: {
      '@typescript-eslint/restrict-template-expressions': ['error', { allowNumber: true }],
      // `() => emitter.emit('x')` is what people write; the braces would say nothing.
      '@typescript-eslint/no-confusing-void-expression': ['error', { ignoreArrowShorthand: true, ignoreVoidReturningFunctions: true }],
      '@typescript-eslint/consistent-type-imports': ['error', { fixStyle: 'inline-type-imports' }],
      '@typescript-eslint/switch-exhaustiveness-check': ['error', { considerDefaultExhaustiveForUnions: true }],
      '@typescript-eslint/no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_', caughtErrorsIgnorePattern: '^_' }],
      // An interface promises a promise; an implementation that need not wait keeps the signature.
      '@typescript-eslint/require-await': 'off',
      // `while (true)` with a way out is the honest form of a loop that ends in the middle.
      '@typescript-eslint/no-unnecessary-condition': ['error', { allowConstantLoopConditions: 'only-allowed-literals' }],
    },
  },
  { files: ['src/**/*.ts'], rules: timeAndChance },
  { files: ['src/kernel/system.ts', ...driving], rules: allowTimeAndChance },
  {
    // The processes of the data plane: they stamp every request, where a call through an interface is measurable; they own
    // the process they run in; and no simulation drives them (their cores are pure).
    files: ['src/balancer/worker/**', 'src/balancer/http2/**', 'src/balancer/primary/**'],
    rules: { 'no-restricted-globals': 'off', 'no-restricted-properties': 'off', 'n/no-process-exit': 'off' },
  },
  {
    // `table[byte]!`: an index that the line above has bounded; a check at run time would cost on every byte.
    // `parents.get(name)!` in a graph: a key that the same function has put there.
    files: ['src/balancer/**', 'src/dependencies/**'],
    rules: { '@typescript-eslint/no-non-null-assertion': 'off' },
  },
  {
    files: driving,
    rules: {
      'no-console': 'off',
      'n/no-process-exit': 'off',
      // Never published: what Node 20 lacks is lacking in the tests too, and shows.
      'n/no-unsupported-features/node-builtins': 'off',
    },
  },
  {
    // Runs in browsers, and is bundled: what Node has is neither here nor there.
    files: ['dashboard/src/**'],
    rules: {
      'n/no-unsupported-features/node-builtins': 'off',
      'n/no-unsupported-features/es-syntax': 'off',
      'n/no-unsupported-features/es-builtins': 'off',
    },
  },
  {
    // The command line owns the process it runs in; the reporter ends the one that asked it to.
    files: ['src/bin.ts', 'src/cli/**', 'src/app/run.ts', 'src/instance/index.ts'],
    rules: { 'n/no-process-exit': 'off' },
  },
  {
    files: ['**/*.test.ts', 'test/**'],
    rules: {
      // In a test `!` is an assertion: when it is wrong, the next line fails.
      '@typescript-eslint/no-non-null-assertion': 'off',
      // expect(x.method).toHaveBeenCalled() passes a method on purpose.
      '@typescript-eslint/unbound-method': 'off',
      '@typescript-eslint/no-empty-function': 'off',
    },
  },
  {
    files: ['**/*.{js,mjs,cjs}'],
    extends: [tseslint.configs.disableTypeChecked],
    rules: { 'no-unused-vars': ['error', { argsIgnorePattern: '^_', varsIgnorePattern: '^_', ignoreRestSiblings: true }] },
    languageOptions: {
      globals: Object.fromEntries(
        'AbortController AbortSignal Buffer URL clearInterval clearTimeout console fetch module performance process queueMicrotask setImmediate setInterval setTimeout structuredClone'
          .split(' ')
          .map((name) => [name, 'readonly']),
      ),
    },
  },
)
