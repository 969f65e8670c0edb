#!/usr/bin/env node
/* eslint n/hashbang: "off" -- compiled, this file is the `bin` of package.json */
/**
 * The `holdfast` program. An old Node would fail on the syntax or the built-in modules of what is imported, with words that help
 * nobody; so its version is looked at before anything else is loaded. Keep this file plain.
 */
const oldest = [20, 19]
const [major = 0, minor = 0] = process.versions.node.split('.').map(Number)

if (major < (oldest[0] ?? 0) || (major === oldest[0] && minor < (oldest[1] ?? 0))) {
  process.stderr.write(
    `error: holdfast needs Node ${oldest.join('.')} or later, this is ${process.versions.node}; install a newer one from https://nodejs.org\n`,
  )
  process.exitCode = 2
} else {
  const { main } = await import('./cli/index.ts')
  await main()
}
