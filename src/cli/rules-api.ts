/** Rules as the API tells of them. */
export interface RuleDescription {
  readonly name: string
  readonly when: string
  readonly forMs: number
  readonly severity: string
  readonly shipped: boolean
  readonly state: 'inactive' | 'pending' | 'firing' | 'failing' | 'off'
  readonly alerts: readonly {
    readonly labels: Readonly<Record<string, string>>
    readonly phase: 'pending' | 'firing'
    readonly since: number
    readonly value: string
  }[]
  readonly lastAt: number | null
  readonly tookMs: number
  readonly missed: number
  readonly error: string | null
}

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

export interface BacktestDescription {
  readonly rule: string
  readonly when: string
  readonly sentence: string
  readonly fired: number
  readonly evaluations: number
  readonly outside?: number | null | undefined
  readonly error?: string | null | undefined
  readonly windows: readonly { readonly from: number; readonly to: number; readonly name?: string | null | undefined; readonly caught: boolean }[]
  readonly episodes: readonly {
    readonly labels: Readonly<Record<string, string>>
    readonly from: number
    readonly to?: number | null | undefined
    readonly flapped: boolean
    readonly inWindow?: boolean | null | undefined
    readonly impact?: boolean | null | undefined
  }[]
}

export interface CoverageDescription {
  readonly coverage: number
  readonly cells: readonly {
    readonly fault: string
    readonly what: string
    readonly target: string | null
    readonly severity: string
    readonly withinMs: number
    readonly fired: readonly { readonly rule: string; readonly severity: string; readonly afterMs: number }[]
    readonly covered: boolean
    readonly missing: readonly string[]
  }[]
}

export interface AlertReportDescription {
  readonly from: number
  readonly to: number
  readonly pages: number
  readonly precision: number | null
  readonly rules: readonly {
    readonly rule: string
    readonly pages: number
    readonly noise: number
    readonly precision: number
    readonly ackMs: number | null
    readonly suggestion: { readonly forMs: number; readonly spares: number } | null
  }[]
  readonly noisiest: readonly string[]
  readonly missed: readonly { readonly service: string; readonly from: number; readonly to: number; readonly spent: number }[]
}
