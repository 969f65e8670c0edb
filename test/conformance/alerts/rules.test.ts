/** The rule machine against promtool, routes and what is told against Alertmanager, the anomaly rule against labelled series: small here, whole in `npm run conformance -- alerts`. */
import { expect, it } from 'vitest'
import { nabDirectory, nabFloor, scoreNab } from './nab.ts'
import { hasAlertmanager } from '../../support/alertmanager.ts'
import { comparePromtool } from './promtool.ts'
import { compareRouting } from './routing.ts'
import { compareTimelines } from './timelines.ts'

it('fires exactly when promtool says', async () => {
  expect(await comparePromtool(40, 20_260_301)).toEqual({ cases: 40, compared: 1_200, differences: undefined })
})

if (!hasAlertmanager()) console.log('skipped: routes beside amtool, timelines beside Alertmanager: there is none on this machine')
it.skipIf(!hasAlertmanager())('tells whom amtool says', async () => {
  expect(await compareRouting(200, 12, 42)).toEqual({ runs: 12, questions: 2_400, difference: undefined })
})

it.skipIf(!hasAlertmanager())('tells what a real Alertmanager tells, in its order', async () => {
  const { differences, notifications } = await compareTimelines(20, 20_260_301, 9)
  expect(differences).toEqual([])
  expect(notifications).toBeGreaterThan(20)
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
