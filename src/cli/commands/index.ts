import type { Command } from '../command.ts'
import { alertsCoverage, alertsReport } from './alert-quality.ts'
import { alertRules, alertsBacktest } from './alert-rules.ts'
import { apikeyCreate, apikeyList, apikeyRevoke } from './apikey.ts'
import { alerts, alertsAck, alertsRoutes } from './alerts.ts'
import { breaker } from './breaker.ts'
import { cacheClear, cacheDel, cacheGet, cachePurge, cacheSet, cacheStats } from './cache.ts'
import { metricsList, metricsQuery } from './metrics.ts'
import { profile } from './profile.ts'
import { quarantine, quarantineForget } from './quarantine.ts'
import { checks, checksHeartbeat, checksPause, checksResume, checksRun } from './checks.ts'
import { configCheck, configDiff, configExplain, configShow } from './config.ts'
import { dependencies, impact } from './dependencies.ts'
import { doctor } from './doctor.ts'
import { down } from './down.ts'
import { events } from './events.ts'
import { explain } from './explain.ts'
import { incidents } from './incidents.ts'
import { logs } from './logs.ts'
import { maintenance } from './maintenance.ts'
import { policies } from './policies.ts'
import { restart } from './restart.ts'
import { scale } from './scale.ts'
import { silence, silenceExpire, silenceList } from './silence.ts'
import { split } from './split.ts'
import { status } from './status.ts'
import { tokenCreate } from './token.ts'
import { up } from './up.ts'

/** In the order of `--help`. */
export const commands: readonly Command[] = [
  up,
  down,
  status,
  logs,
  events,
  explain,
  dependencies,
  impact,
  profile,
  scale,
  restart,
  maintenance,
  split,
  breaker,
  alerts,
  alertsAck,
  alertsRoutes,
  silence,
  silenceList,
  silenceExpire,
  incidents,
  quarantine,
  quarantineForget,
  checks,
  checksRun,
  checksPause,
  checksResume,
  checksHeartbeat,
  policies,
  alertRules,
  alertsBacktest,
  alertsCoverage,
  alertsReport,
  metricsList,
  metricsQuery,
  cacheStats,
  cacheGet,
  cacheSet,
  cacheDel,
  cacheClear,
  cachePurge,
  configCheck,
  configShow,
  configExplain,
  configDiff,
  tokenCreate,
  apikeyCreate,
  apikeyList,
  apikeyRevoke,
  doctor,
]
