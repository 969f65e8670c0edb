/** A back-test as JSON, the same wherever it was made: what there is none of is null. */
import type { BacktestReport } from './backtest.ts'

const shownWindow = ({ name, ...window }: BacktestReport['windows'][number]) => ({ ...window, name: name ?? null })

const shownEpisode = ({ to, inWindow, impact, ...episode }: BacktestReport['episodes'][number]) => ({
  ...episode,
  to: to ?? null,
  inWindow: inWindow ?? null,
  impact: impact ?? null,
})

export const shownBacktest = <T extends BacktestReport>({ outside, error, windows, episodes, ...rest }: T) => ({
  ...rest,
  outside: outside ?? null,
  error: error ?? null,
  windows: windows.map(shownWindow),
  episodes: episodes.map(shownEpisode),
})
