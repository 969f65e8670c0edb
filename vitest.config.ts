/**
 * Projects, one after the other. `unit` lies beside the source, touches nothing outside the process and never sleeps; `integration` uses real sockets,
 * processes and servers, and `e2e` starts the whole product: both mostly wait, two files at a time. `alone` is those of `integration` that need the
 * machine for themselves: they load it, or count what is done in a given time.
 */
import { defineConfig } from 'vitest/config'

/**
 * A machine that is taken away for half a second makes the best test of a deadline fail. On CI, what failed with real sockets and processes is tried once
 * more, and the report says so (`retry x1`): a test that needs it twice in a week is to be mended. Unit tests never sleep and get no second try.
 */
const retry = process.env.CI === 'true' ? 1 : 0

const alone = [
  'test/conformance/http-cache.test.ts',
  'test/integration/balancer-flood-attack.test.ts',
  'test/integration/balancer-desync.test.ts',
  'test/integration/balancer-rate-limit.test.ts',
  'test/integration/balancer-shared-limit.test.ts',
  'test/integration/balancer-hedging.test.ts',
  'test/integration/balancer-large-bodies.test.ts',
  'test/integration/balancer-cache-node.test.ts',
  'test/integration/balancer-cache-deaths.test.ts',
  'test/integration/balancer-cache-redis.test.ts',
]

export default defineConfig({
  test: {
    teardownTimeout: 30_000,
    coverage: {
      provider: 'v8',
      include: ['src/**/*.ts'],
      exclude: ['src/**/*.test.ts', 'src/**/testing/**'],
      reporter: ['text', 'html', 'lcov'],
    },
    projects: [
      {
        test: {
          name: 'unit',
          include: [
            '{src,dashboard/src}/**/*.test.ts',
            'dashboard/src/**/*.test.ts',
            'scripts/**/*.test.ts',
            'bench/**/*.test.ts',
            'test/chaos/**/*.test.ts',
          ],
          testTimeout: 10_000,
          sequence: { groupOrder: 0 },
        },
      },
      {
        test: {
          name: 'integration',
          include: ['test/{conformance,integration,moves}/**/*.test.ts'],
          exclude: alone,
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
          testTimeout: 60_000,
          retry,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'alone',
          include: alone,
          fileParallelism: false,
          sequence: { groupOrder: 2 },
          testTimeout: 60_000,
          retry,
          hookTimeout: 60_000,
        },
      },
      {
        test: {
          name: 'e2e',
          include: ['test/e2e/**/*.test.ts'],
          maxWorkers: 2,
          sequence: { groupOrder: 3 },
          testTimeout: 60_000,
          retry,
          hookTimeout: 60_000,
        },
      },
    ],
  },
})
