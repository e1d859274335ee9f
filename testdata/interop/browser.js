// A real browser: Debian's Chromium, one for all tests of a file.
import assert from 'node:assert/strict'
import { join } from 'node:path'
import { chromium } from 'playwright-core'

const screenshots = process.env.UPDATE_SCREENSHOTS === '1' && join(import.meta.dirname, '../../docs/screenshots')

let browser

export async function startBrowser() {
  browser = await chromium.launch({
    executablePath: process.env.CHROMIUM ?? '/usr/bin/chromium', timeout: 60_000,
    args: ['--no-sandbox', '--disable-gpu', '--disable-quic', '--disable-background-networking', '--no-first-run'],
  })
}

export async function stopBrowser() { await browser?.close() }

/** visit runs a person's visit in a browser of its own, and wants nothing to be
 * complained about on its console: a violation of a policy, a missing file. Only
 * the note of a page with the status that the visit is to meet may be there. */
export async function visit(person, { status, ...options } = {}) {
  const context = await browser.newContext({ viewport: { width: 1200, height: 900 }, ...options })
  context.setDefaultTimeout(20_000)
  const complaints = []
  context.on('page', (page) => {
    page.on('console', (message) => { if (['error', 'warning'].includes(message.type())) complaints.push(message.text()) })
    page.on('pageerror', (error) => complaints.push(String(error)))
    page.on('requestfailed', (request) => complaints.push(`${request.url()}: ${request.failure()?.errorText}`))
  })
  try {
    await person(await context.newPage(), complaints)
    assert.deepEqual(complaints.filter((text) => !text.includes(`responded with a status of ${status} `)), [])
  } finally {
    await context.close()
  }
}

/** look wants a page to fit a narrow phone, and takes its pictures when asked to. */
export async function look(page, name, ...kinds) {
  const size = page.viewportSize()
  await page.setViewportSize({ width: 320, height: 640 })
  assert.equal(await page.evaluate('document.documentElement.scrollWidth'), 320, `${name} is wider than a narrow phone`)
  for (const kind of screenshots ? kinds : []) {
    const phone = kind.startsWith('phone')
    await page.setViewportSize(phone ? { width: 390, height: 844 } : { width: 1200, height: 900 })
    await page.emulateMedia({ colorScheme: kind.endsWith('dark') ? 'dark' : 'light' })
    const height = Math.ceil(await page.evaluate('document.querySelector("main").getBoundingClientRect().bottom + scrollY')) + 40
    await page.screenshot({
      path: join(screenshots, `${name}-${kind}.png`), animations: 'disabled', caret: 'hide', fullPage: true,
      clip: phone ? { x: 0, y: 0, width: 390, height: Math.max(height, 600) } : { x: 220, y: 0, width: 760, height },
    })
  }
  await page.emulateMedia({ colorScheme: null })
  await page.setViewportSize(size)
}
