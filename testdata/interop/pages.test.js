// People at the pages of the service, in a real browser.
import assert from 'node:assert/strict'
import { createHash, randomBytes } from 'node:crypto'
import { createServer } from 'node:http'
import { once } from 'node:events'
import { networkInterfaces } from 'node:os'
import { after, before, describe, test } from 'node:test'
import { look, startBrowser, stopBrowser, visit } from './browser.js'
import { alice, Callback, Service, waitFor } from './service.js'

let service, callback, app
before(async () => {
  service = await Service.start()
  callback = await Callback.listen()
  await startBrowser()
  app = service.application('Weather Station', '--client-id', 'weather-station', '--public', '--grant', 'code', '--grant', 'refresh_token', '--grant', 'device_code',
    '--redirect-uri', 'http://127.0.0.1/callback', '--redirect-uri', 'http://[::1]/callback', '--scope', 'openid', '--scope', 'profile', '--scope', 'read')
})
after(async () => {
  await stopBrowser()
  await callback?.close()
  await service?.stop()
})

const heading = (page) => page.locator('h1').innerText()

/** authorizationURL is where the application sends people. */
function authorizationURL(uri, more = {}) {
  const verifier = randomBytes(32).toString('base64url')
  const state = randomBytes(8).toString('hex')
  const url = `${service.url}/oauth2/authorize?` + new URLSearchParams({
    response_type: 'code', client_id: app.client_id, redirect_uri: uri, scope: 'openid profile read', state, ...more,
    code_challenge: createHash('sha256').update(verifier).digest('base64url'), code_challenge_method: 'S256',
  })
  return { url, uri, verifier, state }
}

async function tokens(form) {
  const response = await fetch(`${service.url}/oauth2/token`, { method: 'POST', body: new URLSearchParams({ client_id: app.client_id, ...form }) })
  return { status: response.status, ...service.keep(await response.json()) }
}

/** trade is what the application does when the browser has come back. */
async function trade({ uri, verifier, state }, at = callback) {
  const answer = await at.next()
  assert.equal(answer.searchParams.get('state'), state)
  assert.equal(answer.searchParams.get('iss'), service.url)
  service.keep({ code: answer.searchParams.get('code') })
  const set = await tokens({ grant_type: 'authorization_code', code: answer.searchParams.get('code'), redirect_uri: uri, code_verifier: verifier })
  assert.equal(set.status, 200, JSON.stringify(set))
  return set
}

const refresh = async (set) => await tokens({ grant_type: 'refresh_token', refresh_token: set.refresh_token })

async function startDevice() {
  const response = await fetch(`${service.url}/oauth2/device_authorization`, {
    method: 'POST', body: new URLSearchParams({ client_id: app.client_id, scope: 'openid read' }),
  })
  assert.equal(response.status, 200)
  return service.keep(await response.json())
}

const pollDevice = async ({ device_code }) => await tokens({ grant_type: 'urn:ietf:params:oauth:grant-type:device_code', device_code })

async function logIn(page, password = alice.password) {
  await page.getByLabel('Username').fill(alice.name)
  await page.getByLabel('Password').fill(password)
  await page.getByRole('button', { name: 'Log in' }).click()
}

/** account logs in at the account page. */
async function account(page) {
  await page.goto(`${service.url}/account`)
  await logIn(page)
  assert.equal(await heading(page), 'My logins and tokens')
}

describe('an application asks', () => {
  test('a person logs in at the second try, allows it, and arrives at the application', () => visit(async (page) => {
    const flow = authorizationURL(callback.uri)
    await page.goto(flow.url)
    await look(page, 'login', 'desktop', 'phone', 'desktop-dark')
    assert.match(await page.locator('main').innerText(), /to continue to Weather Station/)
    await logIn(page, 'wrong')
    assert.equal(await page.getByRole('alert').innerText(), 'Wrong user name or password.')
    assert.equal(await page.getByLabel('Username').inputValue(), alice.name)
    assert.equal(await page.getByLabel('Password').inputValue(), '')
    await look(page, 'login-wrong', 'desktop', 'phone-dark')
    await logIn(page)
    assert.equal(await heading(page), 'Allow Weather Station to act for you?')
    await look(page, 'consent', 'desktop', 'phone', 'desktop-dark')
    await page.getByRole('button', { name: 'Allow' }).click()
    await page.waitForURL((url) => url.origin === callback.origin)
    assert.equal(await heading(page), 'Welcome back')
    const set = await trade(flow)
    assert.equal(set.scope, 'openid profile read')
    assert.ok(set.id_token && set.refresh_token)
  }, { status: 401 }))

  test('a person denies it, and arrives at the application', () => visit(async (page) => {
    const flow = authorizationURL(callback.uri)
    await page.goto(flow.url)
    await logIn(page)
    await page.getByRole('button', { name: 'Deny' }).click()
    await page.waitForURL((url) => url.origin === callback.origin)
    const { searchParams } = await callback.next()
    assert.equal(searchParams.get('error'), 'access_denied')
    assert.equal(searchParams.get('state'), flow.state)
    assert.equal(searchParams.get('code'), null)
  }))

  const six = Object.values(networkInterfaces()).flat().some((i) => i.address === '::1')
  test('a person arrives at an application on [::1]', { skip: !six && 'the machine has no [::1]' }, () => visit(async (page) => {
    const there = await Callback.listen('::1')
    try {
      const flow = authorizationURL(there.uri)
      await page.goto(flow.url)
      await logIn(page)
      await page.getByRole('button', { name: 'Allow' }).click()
      await page.waitForURL((url) => url.origin === there.origin)
      await trade(flow, there)
    } finally {
      await there.close()
    }
  }))

  test('a person arrives by way of a service over TLS', async () => {
    const secure = await Service.start({ SERVER_TLS: 'self-signed' })
    try {
      const { client_id } = secure.application('Weather Station', '--public', '--grant', 'code', '--redirect-uri', 'http://127.0.0.1/callback')
      await visit(async (page) => {
        await page.goto(authorizationURL(callback.uri, { client_id, scope: '' }).url.replace(service.url, secure.url))
        await logIn(page)
        await page.getByRole('button', { name: 'Allow' }).click()
        await page.waitForURL((url) => url.origin === callback.origin)
        const answer = await callback.next()
        assert.ok(secure.keep({ code: answer.searchParams.get('code') }).code)
        assert.equal(answer.searchParams.get('iss'), secure.url)
        const cookies = await page.context().cookies(secure.url)
        assert.ok(cookies.some((c) => c.name.startsWith('__Host-')))
        for (const { name, secure, httpOnly, sameSite } of cookies) {
          assert.deepEqual({ secure, httpOnly, sameSite }, { secure: true, httpOnly: true, sameSite: 'Lax' }, name)
        }
      }, { ignoreHTTPSErrors: true })
    } finally {
      await secure.stop()
    }
  })

  test('a person without scripts goes all the way, and ends the login', () => visit(async (page) => {
    const flow = authorizationURL(callback.uri)
    await page.goto(flow.url)
    await logIn(page)
    await page.getByRole('button', { name: 'Allow' }).click()
    await page.waitForURL((url) => url.origin === callback.origin)
    const set = await trade(flow)
    const device = await startDevice()
    await page.goto(device.verification_uri_complete)
    await page.getByRole('button', { name: 'Allow' }).click()
    assert.equal(await heading(page), 'The device is logged in')
    await page.goto(`${service.url}/account`)
    await page.getByText('End all logins and revoke all tokens').click()
    await page.getByRole('button', { name: 'End all logins now' }).click()
    assert.equal(await heading(page), 'All your logins have ended')
    assert.equal((await refresh(set)).error, 'invalid_grant')
    assert.equal((await pollDevice(device)).error, 'invalid_grant')
  }, { javaScriptEnabled: false }))

  test('a person has nothing but a keyboard', () => visit(async (page) => {
    const focused = () => page.evaluate('document.activeElement.innerText || document.activeElement.name')
    // A browser moves the focus to where a page begins some moments after it is there.
    const begins = (name) => page.waitForFunction((name) => document.activeElement.name === name, name, { timeout: 10_000 })
    const { keyboard } = page
    const flow = authorizationURL(callback.uri)
    await page.goto(flow.url)
    await begins('username')
    await keyboard.type(alice.name)
    await keyboard.press('Tab')
    await keyboard.type(alice.password)
    await keyboard.press('Enter')
    await page.waitForURL(/authorize/)
    assert.equal(await heading(page), 'Allow Weather Station to act for you?')
    await keyboard.press('Tab')
    assert.equal(await focused(), 'Allow')
    await keyboard.press('Tab')
    assert.equal(await focused(), 'Deny')
    await keyboard.press('Shift+Tab')
    await keyboard.press('Enter')
    await page.waitForURL((url) => url.origin === callback.origin)
    const set = await trade(flow)
    const device = await startDevice()
    await page.goto(device.verification_uri)
    await begins('user_code')
    await keyboard.type(device.user_code)
    await keyboard.press('Enter')
    await page.waitForSelector('p.code')
    await keyboard.press('Tab')
    assert.equal(await focused(), 'Allow')
    await keyboard.press('Space')
    await page.waitForSelector('h1.good')
    assert.equal((await pollDevice(device)).status, 200)
    await page.goto(`${service.url}/account`)
    for (let i = 0; await focused() !== 'End all logins and revoke all tokens'; i++) {
      assert.ok(i < 50, 'the way to end all logins is not to be reached by Tab')
      await keyboard.press('Tab')
    }
    await keyboard.press('Enter')
    await keyboard.press('Tab')
    assert.equal(await focused(), 'End all logins now')
    await keyboard.press('Enter')
    await page.waitForSelector('h1.good')
    assert.equal((await refresh(set)).error, 'invalid_grant')
  }))

  test('an address that is not registered is not gone to', () => visit(async (page) => {
    await page.goto(authorizationURL(`${callback.origin}/other`).url)
    assert.equal(await heading(page), 'This cannot be done')
    assert.equal(new URL(page.url()).origin, service.url)
    await look(page, 'problem', 'desktop', 'phone-dark')
  }, { status: 400 }))
})

describe('a device asks', () => {
  for (const [how, typed] of [['as it is shown', (c) => c], ['in lower case', (c) => c.toLowerCase()], ['in lower case, without the dash', (c) => c.toLowerCase().replace('-', '')]]) {
    test(`the code is typed ${how}`, () => visit(async (page) => {
      const device = await startDevice()
      await page.goto(device.verification_uri)
      await logIn(page)
      assert.equal(await heading(page), 'Connect a device')
      await look(page, 'device', 'desktop', 'phone')
      await page.getByLabel('Code').fill(typed(device.user_code))
      await page.getByRole('button', { name: 'Continue' }).click()
      assert.equal(await page.locator('p.code').innerText(), device.user_code)
      await look(page, 'device-confirm', 'desktop', 'phone', 'desktop-dark')
      await page.getByRole('button', { name: 'Allow' }).click()
      assert.equal(await heading(page), 'The device is logged in')
      await look(page, 'device-done', 'desktop', 'phone-dark')
      assert.equal((await pollDevice(device)).status, 200)
    }))
  }

  test('a wrong code is told, then the device is denied', () => visit(async (page) => {
    const device = await startDevice()
    await page.goto(device.verification_uri)
    await logIn(page)
    await page.getByLabel('Code').fill('BBBB-BBBB')
    await page.getByRole('button', { name: 'Continue' }).click()
    assert.match(await page.getByRole('alert').innerText(), /^This code is not good/)
    await look(page, 'device-wrong', 'desktop')
    await page.getByLabel('Code').fill(device.user_code)
    await page.getByRole('button', { name: 'Continue' }).click()
    await page.getByRole('button', { name: 'Deny' }).click()
    assert.equal(await heading(page), 'Nothing was allowed')
    assert.equal((await pollDevice(device)).error, 'access_denied')
  }, { status: 404 }))
})

describe('a person looks after logins', () => {
  /** let lets the application in, in the browser that is logged in. */
  async function letIn(page) {
    const flow = authorizationURL(callback.uri)
    await page.goto(flow.url)
    await page.getByRole('button', { name: 'Allow' }).click()
    await page.waitForURL((url) => url.origin === callback.origin)
    const set = await trade(flow)
    await page.goto(`${service.url}/account`)
    return set
  }

  test('one login ends, the others stay; then all end', () => visit(async (page) => {
    await account(page)
    await endOthers(page)
    const first = await letIn(page)
    const logins = page.locator('ul.logins > li')
    const applications = logins.filter({ hasText: 'Weather Station' })
    assert.equal(await applications.count(), 1)
    const id = await applications.locator('form input[name=id]').inputValue()
    const second = await letIn(page)
    assert.equal(await applications.count(), 2)
    assert.equal(await logins.filter({ hasText: 'this browser' }).count(), 1)
    await look(page, 'account', 'desktop', 'phone', 'desktop-dark')
    await logins.filter({ has: page.locator(`input[value="${id}"]`) }).getByRole('button').click()
    assert.match(await page.getByRole('status').innerText(), /^The login has ended/)
    assert.equal(await applications.count(), 1)
    assert.equal((await refresh(first)).error, 'invalid_grant')
    const third = await refresh(second)
    assert.equal(third.status, 200)
    await page.goto(`${service.url}/account`)
    await page.getByText('End all logins and revoke all tokens').click()
    await look(page, 'account-end-all', 'phone')
    await page.getByRole('button', { name: 'End all logins now' }).click()
    assert.equal(await heading(page), 'All your logins have ended')
    await look(page, 'account-ended', 'desktop')
    assert.equal((await refresh(third)).error, 'invalid_grant')
    const response = await fetch(`${service.url}/oauth2/userinfo`, { headers: { Authorization: `Bearer ${third.access_token}` } })
    assert.equal(response.status, 401)
    await page.getByRole('link', { name: 'Log in again' }).click()
    assert.equal(await heading(page), 'Log in')
  }))

  /** endOthers ends what other tests have left behind. */
  async function endOthers(page) {
    const others = page.locator('ul.logins > li').filter({ hasNotText: 'this browser' }).getByRole('button')
    for (let n = await others.count(); n > 0; n--) {
      assert.equal(await others.count(), n)
      await others.first().click()
      await page.getByRole('status').waitFor()
    }
  }

  test('the login of this browser ends', () => visit(async (page) => {
    await account(page)
    await page.locator('ul.logins > li').filter({ hasText: 'this browser' }).getByRole('button').click()
    assert.equal(await heading(page), 'Log in')
    await page.goto(`${service.url}/account`)
    assert.equal(await heading(page), 'Log in')
  }))

  test('a person logs out; the application stays in', () => visit(async (page) => {
    await account(page)
    const set = await letIn(page)
    await page.getByRole('button', { name: 'Log out' }).click()
    assert.equal(await heading(page), 'You are logged out')
    await look(page, 'logged-out', 'phone')
    assert.equal((await refresh(set)).status, 200)
    await page.goto(`${service.url}/account`)
    assert.equal(await heading(page), 'Log in')
  }))
})

describe('another site', () => {
  /** foreign is a page of another origin with that body. */
  async function foreign(body, use) {
    const server = createServer((_, response) => response.writeHead(200, { 'Content-Type': 'text/html' }).end(`<!doctype html><title>x</title>${body}`))
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    try {
      await use(server.address().port)
    } finally {
      server.closeAllConnections()
      server.close()
    }
  }

  // Another port is of another origin but the same site, and so gets the cookies.
  for (const host of ['127.0.0.1', 'localhost']) {
    for (const [action, fields] of [
      ['/account/end-all', {}], ['/logout', {}], ['/login', { username: alice.name, password: alice.password }],
      ['/oauth2/authorize', { decision: 'allow' }], ['/device', { decision: 'allow' }],
    ]) {
      test(`${host} posts to ${action} in vain`, () => visit(async (page) => {
        await account(page)
        const device = await startDevice()
        const target = action === '/oauth2/authorize' ? authorizationURL(callback.uri).url : service.url + action
        const inputs = Object.entries({ ...fields, user_code: device.user_code }).map(([name, value]) => `<input name="${name}" value="${value.replace('&', '&amp;')}">`)
        await foreign(`<form method="post" action="${target.replaceAll('&', '&amp;')}">${inputs.join('')}<button>Win</button></form>`, async (port) => {
          await page.goto(`http://${host}:${port}/`)
          const answered = page.waitForResponse((r) => r.request().method() === 'POST')
          await page.getByRole('button', { name: 'Win' }).click()
          assert.equal((await answered).status(), 403)
        })
        await page.waitForURL((url) => url.origin === service.url)
        assert.equal(await heading(page), 'This form is no longer good')
        await look(page, 'foreign-form', 'desktop')
        assert.equal((await pollDevice(device)).error, 'authorization_pending')
        assert.equal(callback.arrived.length, 0)
        await page.goto(`${service.url}/account`)
        assert.equal(await heading(page), 'My logins and tokens')
      }, { status: 403 }))
    }
  }

  test('cannot put a page into a frame', () => visit(async (page, complaints) => {
    await foreign(`<iframe src="${service.url}/login"></iframe>`, async (port) => {
      await page.goto(`http://127.0.0.1:${port}/`)
      assert.equal(await page.frames()[1].getByLabel('Password').count(), 0)
    })
    await waitFor('the browser to say why', () => complaints.some((text) => /frame-ancestors|X-Frame-Options/.test(text)))
    complaints.length = 0
  }))
})
