/** The whole style of the status page; it stands in the page, and the page's policy names its hash. */
export const style = `
:root {
  color-scheme: light dark;
  --ink: light-dark(#1c2024, #e8eaed); --soft: light-dark(#5b636d, #a0a8b3); --paper: light-dark(#f6f7f9, #101317);
  --card: light-dark(#fff, #181c22); --line: light-dark(#e1e5ea, #2a3038); --link: light-dark(#0b5fc0, #7ab7ff);
  --ok: light-dark(#1a7f4b, #3fb97a); --warn: light-dark(#9a6a00, #d9a520); --part: light-dark(#b84a00, #f0883e); --bad: light-dark(#c0262d, #f2686d);
  --care: light-dark(#2d5fb3, #7aa7f5); --none: light-dark(#c9cfd6, #3a424c);
}
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink); font: 16px/1.5 system-ui, sans-serif; font-variant-numeric: tabular-nums }
main, header, footer { max-width: 54rem; margin: 0 auto; padding: 0 1rem }
header { padding-top: clamp(1.25rem, 5vh, 3rem); padding-bottom: 1rem }
h1 { font-size: 1.375rem; line-height: 1.25; margin: 0; letter-spacing: -.01em; overflow-wrap: anywhere }
h2 { font-size: 1rem; margin: 2.25rem 0 .75rem }
h3 { font-size: 1rem; margin: 0; overflow-wrap: anywhere }
a { color: var(--link) }
ul, ol, dl { list-style: none; margin: 0; padding: 0 }
p { margin: 0 }
.card { background: var(--card); border: 1px solid var(--line); border-radius: 10px; padding: 1rem 1.125rem }
.banner { display: flex; gap: .75rem; align-items: center; font-size: 1.125rem; font-weight: 600 }
.banner small { font-weight: 400; font-size: .875rem; margin-left: auto; color: var(--soft); text-align: right }
.dot { flex: none; inline-size: .75rem; block-size: .75rem; border-radius: 50%; background: var(--tone) }
.operational, .none { --tone: var(--ok) }
.degraded_performance, .degraded, .minor { --tone: var(--warn) }
.partial_outage, .major { --tone: var(--part) }
.major_outage, .outage, .critical { --tone: var(--bad) }
.under_maintenance, .maintenance { --tone: var(--care) }
.unknown { --tone: var(--none) }
.banner, .incident { border-color: color-mix(in srgb, var(--tone) 50%, var(--line)); background: color-mix(in srgb, var(--tone) 7%, var(--card)) }
.components { padding: 0 }
.components > li { padding: .875rem 1.125rem; border-top: 1px solid var(--line) }
.components > li:first-child { border-top: 0 }
.row { display: flex; gap: 1rem; justify-content: space-between; align-items: baseline }
.row .state { color: var(--tone); font-weight: 600; font-size: .875rem; white-space: nowrap }
.bars { display: flex; gap: 2px; block-size: 1.875rem; margin: .5rem 0 .25rem }
.bars i { flex: 1; min-width: 2px; border-radius: 2px; background: var(--tone) }
.scale { display: flex; justify-content: space-between; color: var(--soft); font-size: .8125rem }
details { margin-top: .375rem; font-size: .875rem }
summary { cursor: pointer; color: var(--link); inline-size: fit-content }
details li { padding: .125rem 0; color: var(--soft) }
.incident { margin-bottom: .75rem }
.incident .meta { color: var(--soft); font-size: .875rem; margin-top: .125rem }
.updates { margin-top: .75rem; font-size: .9375rem }
.updates li { padding: .5rem 0; border-top: 1px solid var(--line) }
.updates p { white-space: pre-line; overflow-wrap: anywhere }
.updates time, .quiet { color: var(--soft); font-size: .875rem }
footer { color: var(--soft); font-size: .875rem; padding-top: 2rem; padding-bottom: 2.5rem; display: flex; flex-wrap: wrap; gap: .25rem 1.25rem }
footer p { flex-basis: 100% }
.key { display: flex; flex-wrap: wrap; gap: .25rem 1rem; margin-top: .625rem; color: var(--soft); font-size: .8125rem }
.key li { display: flex; gap: .375rem; align-items: center }
.key .dot { inline-size: .5rem; block-size: .875rem; border-radius: 2px }
:focus-visible { outline: 2px solid var(--link); outline-offset: 2px; border-radius: 4px }
@media (max-width: 40rem) {
  .banner { flex-wrap: wrap } .banner small { margin-left: 1.5rem; text-align: left; flex-basis: 100% }
  .bars i.old { display: none }
  .wide { display: none }
}
@media (min-width: 40.01rem) { .narrow { display: none } }
@media (forced-colors: active) { .dot, .bars i { forced-color-adjust: none } }
`
