import assert from 'node:assert/strict'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Page } from 'playwright-core'
import { root } from '../../scripts/source-graph.js'

const axe = readFileSync(join(root, 'node_modules/axe-core/axe.min.js'), 'utf8')

/**
 * Asserts that axe finds nothing on the page as it is now, and that it doesn't scroll sideways.
 * The debugger injects axe, so the content security policy doesn't apply to it.
 * @param ignoredRules for pages whose markup isn't ours
 */
export async function assertAccessible(
  page: Page,
  state: string,
  ignoredRules: readonly string[] = [],
): Promise<void> {
  await page.evaluate(axe)
  const rules = Object.fromEntries(ignoredRules.map((id) => [id, { enabled: false }]))
  const options = { iframes: false, rules }
  // The sandboxed frame of an email runs no scripts, so axe can't look into it.
  const violations = (await page.evaluate(
    `axe.run({ exclude: ['iframe'] }, ${JSON.stringify(options)}).then(({ violations }) =>
      violations.flatMap(({ id, nodes }) =>
        nodes.map(({ html, failureSummary }) => [id, html, failureSummary].join(' | '))))`,
  )) as string[]
  assert.deepEqual(violations, [], state)
  const overflow = await page.evaluate('document.documentElement.scrollWidth - innerWidth')
  assert.equal(overflow, 0, `${state} scrolls sideways`)
}
