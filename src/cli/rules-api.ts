/** Rules as the API tells of them. */
export type {
  AlertCoverage as CoverageDescription,
  AlertPrecision as AlertReportDescription,
  AlertRule as RuleDescription,
  Backtest as BacktestDescription,
} from '../api/types.ts'

export interface BacktestBody {
  readonly rule: string
  readonly when?: string | undefined
  readonly clearWhen?: string | undefined
  readonly forMs?: number | undefined
  readonly keepFiringForMs?: number | undefined
  readonly from?: string | undefined
  readonly rows?: readonly (readonly [number, number])[] | undefined
  readonly windows?: readonly { readonly from: number; readonly to: number; readonly name?: string | undefined }[] | undefined
}
