/** The rule machine against promtool, the anomaly rule against labelled series: small here, whole in `npm run conformance -- alerts`. */
import { expect, it } from 'vitest'
import { nabDirectory, nabFloor, scoreNab } from './nab.ts'
import { comparePromtool } from './promtool.ts'

it('fires exactly when promtool says', async () => {
  expect(await comparePromtool(40, 20_260_301)).toEqual({ cases: 40, compared: 1_200, differences: undefined })
})

const directory = nabDirectory()
if (directory === undefined)
  console.log('skipped: the labelled series of the Numenta Anomaly Benchmark do not lie beside the project (../shared/data/nab)')
it.skipIf(directory === undefined)('catches labelled anomalies, and cries seldom for nothing', () => {
  const { windows, caught, falseEpisodes } = scoreNab(directory ?? '')
  console.log(`anomaly rule on NAB: ${falseEpisodes} false episodes at ${caught} of ${windows} windows`)
  expect(caught).toBeGreaterThanOrEqual(nabFloor.caught)
  expect(falseEpisodes).toBeLessThanOrEqual(nabFloor.falseEpisodes)
})
