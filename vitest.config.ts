import { availableParallelism } from 'node:os'
import { defineConfig } from 'vitest/config'

// Tests run from source, with the armed fail points and mutants: see `imports` in packages/lockstep/package.json. Nothing
// else belongs here: vitest passes these on to the workers, and `import` there would break a `require` inside pg.
const conditions = ['lockstep-source', 'lockstep-test']
const folders = ['packages/*/src', 'packages/*/test', 'sim', 'explore', 'crash', 'tools', 'examples', 'bench']
const files = (ending: string) => folders.map((folder) => `${folder}/**/*${ending}`)

export default defineConfig({
  ssr: { resolve: { conditions } },
  test: {
    execArgv: ['--conditions=lockstep-source', '--conditions=lockstep-test', '--disable-warning=ExperimentalWarning'],
    pool: 'forks',
    maxWorkers: Math.max(2, availableParallelism() - 1),
    testTimeout: 30_000,
    hookTimeout: 60_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: files('.test.ts'),
          exclude: ['**/node_modules/**', ...files('.service.test.ts')],
        },
      },
      // The conformance suites on real services.
      {
        extends: true,
        test: { name: 'service', include: files('.service.test.ts'), exclude: ['**/node_modules/**'] },
      },
    ],
  },
})
