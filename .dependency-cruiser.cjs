/**
 * Who may import whom (ARCHITECTURE.md). Direction:
 *
 *   api, cli → app → controllers and technology folders → ports → core → kernel
 *
 * A room is a folder of src/. What one room may use of another: its index.ts, its core/, and its contracts
 * (types.ts, port.ts, ports.ts). Tests beside the source may look further.
 */
const room = '^src/([^/]+)/'
const contracts = '(index|types|port|ports)\\.ts$'
const tests = '(\\.test\\.ts$|/testing/)'

/** @type {import('dependency-cruiser').IConfiguration} */
module.exports = {
  forbidden: [
    {
      name: 'no-circles',
      comment: 'two modules that need each other are one module, or lack a third',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'kernel-is-the-floor',
      comment: 'the kernel imports nothing of ours',
      severity: 'error',
      from: { path: '^src/kernel/', pathNot: tests },
      to: { path: '^src/', pathNot: '^src/kernel/' },
    },
    {
      name: 'core-decides-only',
      comment: 'a core imports cores, the kernel and contracts: no controller, no technology folder',
      severity: 'error',
      from: { path: '^src/[^/]+/core/', pathNot: tests },
      to: { path: '^src/', pathNot: ['^src/kernel/', '^src/[^/]+/core/', '^src/[^/]+/(types|port|ports)\\.ts$'] },
    },
    {
      name: 'core-has-no-io',
      comment: 'a core does no I/O and reads no clock; Buffer and the like are globals',
      severity: 'error',
      from: { path: '^src/[^/]+/core/', pathNot: tests },
      to: { dependencyTypes: ['core'] },
    },
    {
      name: 'core-uses-no-real-clock',
      comment: 'time and chance are arguments of a core',
      severity: 'error',
      from: { path: '^src/[^/]+/core/', pathNot: tests },
      to: { path: '^src/kernel/system\\.ts$' },
    },
    {
      name: 'knock-at-the-front-door',
      comment: 'another room is used through its index.ts, core/ or contracts, never through its inside',
      severity: 'error',
      from: { path: `${room}.+`, pathNot: [tests, '^src/app/'] },
      to: { path: '^src/[^/]+/.+', pathNot: ['^src/$1/', '^src/kernel/', '^src/[^/]+/core/', `^src/[^/]+/${contracts}`, '^src/app/'] },
    },
    {
      name: 'app-through-the-front-door-too',
      comment: 'app composes parts; it does not reach into them',
      severity: 'error',
      from: { path: '^src/app/', pathNot: tests },
      to: { path: '^src/[^/]+/.+', pathNot: ['^src/(app|kernel)/', '^src/[^/]+/core/', `^src/[^/]+/${contracts}`] },
    },
    {
      name: 'app-is-the-top',
      comment: 'only the faces (api, cli, library, bin, index) know the app',
      severity: 'error',
      from: { path: '^src/', pathNot: ['^src/(app|api|cli|library)/', '^src/(bin|index)\\.ts$', tests] },
      to: { path: '^src/app/' },
    },
    {
      name: 'faces-are-last',
      comment: 'nothing builds on api or cli but the app that starts them and the entry points',
      severity: 'error',
      from: { path: '^src/', pathNot: ['^src/(api|cli|app|library)/', '^src/(bin|index)\\.ts$', tests] },
      to: { path: '^src/(api|cli)/' },
    },
    {
      name: 'no-test-code-in-the-product',
      severity: 'error',
      from: { path: '^src/', pathNot: tests },
      to: { path: ['\\.test\\.ts$', '^src/.+/testing/', '^(test|bench|scripts|examples)/'] },
    },
    {
      name: 'no-development-tool-in-the-product',
      comment: 'what is imported at run time is a dependency of the package; optional peers are imported when their feature is used',
      severity: 'error',
      from: { path: '^src/', pathNot: tests },
      to: {
        dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'],
        dependencyTypesNot: ['type-only'],
        pathNot: '^node_modules/(pg|redis|acme-client)/',
      },
    },
    {
      name: 'no-unresolvable',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: { exportsFields: ['exports'], conditionNames: ['types', 'import', 'node', 'default'] },
  },
}
